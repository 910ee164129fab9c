package server

import (
	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/openapi"
)

// describedRecords are the routes of decisions and of the journal.
func describedRecords() map[string]description {
	one := []openapi.Parameter{decisionPath()}
	return map[string]description{
		"GET /v1/decisions": {client: "Decisions", tag: "decisions", roles: byReaders,
			text: "Newest first, without their inputs. Accepted as application/x-ndjson they come in the order of the journal, in the form of OPA's decision log, after one place and of one action and target.",
			parameters: []openapi.Parameter{query("action", "Only those about this action."), {Name: "outcome", Description: "Only those with this outcome.", OneOf: []string{"allow", "deny"}}, query("code", "Only those with a reason of this code."),
				query("target", "Only those about this target."), query("task", "Only those about this task."), query("attempt", "Only those about this attempt."), query("revision", "Only those by this revision of the policy."),
				flag("masked", "Only those of which a mask took parts."), when("since", "From here on."), when("until", "Before this."), limit(50, 1000), pageToken(),
				whole("after", "Lines only: those after this place in the journal.", 0), flag("follow", "Lines only: go on with what is decided from now on.")},
			answers: []openapi.Answer{{Status: 200, Description: "The decisions", Contents: []openapi.Content{{Media: mediaJSON, Of: gateway.DecisionList{}}, {Media: mediaLines, Of: map[string]any{}, Lines: true}}}},
			kinds:   []gateway.Kind{gateway.Invalid},
			examples: []openapi.Example{asked("denied", "pushes that were denied", "?action", "change.push", "?outcome", "deny", "?limit", "1"),
				accepting(mediaLines, asked("log", "as a decision log", "?action", "change.push", "?target", "demo"))}},
		"GET /v1/decisions/{decision}": {client: "Decision", tag: "decisions", roles: byReaders, parameters: one, answers: ok(journal.DecisionRecord{}, "The decision"), kinds: []gateway.Kind{gateway.NotFound},
			examples: []openapi.Example{asked("push", "a push that was denied", "decision", sampleDecision)}},
		"GET /v1/decisions/{decision}/why": {client: "WhyDecision", tag: "decisions", roles: byReaders, text: "By the policy that decided it. Where its input was pruned or masked, the answer says so.",
			parameters: append(one[:1:1], flag("all", "Every rule, not only those that denied.")), answers: ok(decisionWhy{}, "Every step"), kinds: []gateway.Kind{gateway.NotFound, gateway.Conflict},
			examples: []openapi.Example{asked("push", "why a push was denied", "decision", sampleDecision)}},
		"GET /v1/decisions/{decision}/bundle": {client: "DecisionBundle", tag: "decisions", roles: byOperator, parameters: one, answers: as("application/x-git-bundle", "A git bundle"), kinds: []gateway.Kind{gateway.NotFound},
			examples: []openapi.Example{accepting("*/*", asked("push", "the commit that was refused", "decision", sampleDecision))}},

		"GET /v1/journal/checkpoint": {client: "Checkpoint", tag: "journal", roles: byReaders, text: "Keep one elsewhere: it proves later that nothing before it was changed.", answers: as(mediaText, "A signed note"),
			examples: []openapi.Example{accepting(mediaText, asked("note", "of the journal as it is"))}},
		"GET /v1/journal/inclusion": {client: "InclusionProof", tag: "journal", roles: byReaders, parameters: []openapi.Parameter{needed(whole("seq", "The record's place.", 1)), needed(whole("size", "The tree's size.", 1))},
			answers: ok(gateway.Proof{}, "The proof (RFC 6962)"), kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("first", "the first record, in the tree of four", "?seq", "1", "?size", "4")}},
		"GET /v1/journal/consistency": {client: "ConsistencyProof", tag: "journal", roles: byReaders, parameters: []openapi.Parameter{needed(whole("old_size", "The older tree's size.", 1)), needed(whole("size", "The newer tree's size.", 1))},
			answers: ok(gateway.Proof{}, "The proof (RFC 6962)"), kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("grown", "from three records to four", "?old_size", "3", "?size", "4")}},
		"GET /v1/journal/backup": {client: "JournalBackup", tag: "journal", roles: byOperator, answers: as("application/vnd.sqlite3", "A SQLite database"), examples: []openapi.Example{accepting("*/*", asked("whole", "everything"))}},
		"GET /v1/journal/export": {client: "JournalExport", tag: "journal", roles: byOperator, text: "In the form that `leviathan journal verify` takes.",
			answers:  []openapi.Answer{{Status: 200, Description: "Every record", Contents: []openapi.Content{{Media: mediaLines, Of: map[string]any{}, Lines: true}}}},
			examples: []openapi.Example{accepting(mediaLines, asked("whole", "everything"))}},
		"POST /v1/journal/prune": {client: "PruneJournal", tag: "journal", roles: byOperator, text: "What is left proves as much as before; decisions whose inputs are gone can no longer be replayed.", body: taking(gateway.PruneRequest{}, "before", "reason"),
			answers: ok(gateway.PruneResult{}, "How many parts were removed"), kinds: []gateway.Kind{gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("old", "inputs of last year", `{"before":"2026-01-01T00:00:00Z","reason":"the disk is small"}`)}},
	}
}

func needed(p openapi.Parameter) openapi.Parameter {
	p.Required = true
	return p
}
