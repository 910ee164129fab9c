package main

import (
	"maps"
	"strings"

	"github.com/spf13/cobra"
)

// A manual is what help says of a command besides its line: what it does and
// what to know before, and how it is called, without the program's name.
type manual struct{ long, example string }

// explain gives each command of root its manual, where it has no text of its
// own.
func explain(root *cobra.Command) {
	all := map[string]manual{}
	for _, pages := range []map[string]manual{manualOfRunning, manualOfLooking, manualOfActing, manualOfChecking} {
		maps.Copy(all, pages)
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		_, rest, _ := strings.Cut(cmd.CommandPath()+" ", " ")
		page := all[strings.TrimSpace(rest)]
		if cmd.Long == "" {
			cmd.Long = page.long
		}
		if cmd.Example == "" && page.example != "" {
			cmd.Example = "  leviathan " + strings.ReplaceAll(page.example, "\n", "\n  leviathan ")
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

var manualOfRunning = map[string]manual{
	"": {"Leviathan runs coding agents on a repository's own backlog and delivers what they did as pull requests, under rules that are Rego policies.\n" +
		"One binary has every role: the gateway, which alone touches the repository, and the scheduler, workers and spider beside it; `leviathan up`\n" +
		"runs all of them on one machine. The other commands ask a gateway, or the state folder of one that is stopped.",
		"demo\nup --config dev.yaml --state state\nstatus\ntasks why T-1"},
	"demo":                   {"", "demo\ndemo --dir /tmp/demo"},
	"up":                     {"", "up --config dev.yaml --state state\nup --config dev.yaml --state state --until-idle"},
	"gateway":                {"", "gateway --config /etc/leviathan/autonomy --state /var/lib/leviathan --listen 127.0.0.1:8000"},
	"scheduler":              {"", "scheduler --once --target demo --token-file scheduler.token\nscheduler --target demo --launcher kubernetes --namespace leviathan"},
	"scheduler job-template": {"", "scheduler job-template --config dev.yaml --worker-gateway http://leviathan-control-plane:8000"},
	"worker": {"Run one attempt from its start to its end: clone from the gateway, run the agent in the sandbox, verify the very tree that is pushed, push it and\n" +
		"ask for the pull request. It holds the attempt's token and nothing else. The scheduler starts it; by hand it is of use to see an attempt fail.",
		"worker --gateway http://127.0.0.1:8000 --attempt 01JQ0000000000000000000001 --token-file attempt.token --workspace /tmp/work"},
	"spider": {"", "spider --listen :8001 --follow http://127.0.0.1:8000 --state spider.cursor --token-file reader.token"},
	"bench":  {"", "bench --quick --out /tmp/figures"},
}

var manualOfLooking = map[string]manual{
	"status": {"One screen: whether autonomy is on, what holds each target back, limits and their use, the breaker, the age of each fact, and the policy that governs.\n" +
		"With --watch it is shown again and again, also while the gateway is away.", "status\nstatus --watch\nstatus --output json"},
	"tasks":      {"The backlog as the next cycle would see it. The plan is evaluated for it and not decided: nothing is reserved by asking.", "tasks\ntasks --target demo --output json"},
	"tasks list": {"The backlog as the next cycle would see it, with the codes of what keeps each task from running.", "tasks list --target demo"},
	"tasks why":  {"Every reason that holds against a task now, each with the remedy of the rule that gives it, when time alone may change that, and the attempts at it so far.", "tasks why T-1\ntasks why T-1 --target demo"},
	"tasks retry": {"A task whose attempts are used up, or whose pull request a human closed, stays where it is until its text changes. This lets it be tried again as it is;\n" +
		"the next cycle decides as always.", "tasks retry T-1 --reason 'the build is mended'"},
	"attempts":      {"Attempts, newest first: where each stands, how long it ran, its pull request, and why it ended.", "attempts\nattempts --state live\nattempts --target demo --state failed"},
	"attempts list": {"Attempts, newest first: where each stands, how long it ran, its pull request, and why it ended.", "attempts list --target demo --limit 20"},
	"attempts show": {"All that the journal has about one attempt: its state, what the forge showed last of its pull request, its events in their order, and what it left.",
		"attempts show 01JQ0000000000000000000001\nattempts show 01JQ0000000000000000000001 --output json"},
	"attempts log": {"", "attempts log 01JQ0000000000000000000001\nattempts log 01JQ0000000000000000000001 agent.log --out agent.log"},
	"decisions":    {"Decisions that are in the journal, newest first: denied ones, and every one about acting, dry runs too. The flags narrow the list.", "decisions --outcome deny --since 36h\ndecisions --action change.push --target demo"},
	"decisions list": {"Decisions that are in the journal, newest first: denied ones, and every one about acting, dry runs too. The flags narrow the list.",
		"decisions list --code scope.outside_prefix"},
	"decisions show":   {"The question, the answer with its reasons, and the whole input that the policy was given. What was masked or pruned of it is named.", "decisions show 01JQ000000000000000000000D --output json"},
	"decisions why":    {"", "decisions why\ndecisions why 01JQ000000000000000000000D --all"},
	"decisions bundle": {"The objects of a refused push are kept, so that paid work is not lost. They come as a git bundle, from which git fetches.", "decisions bundle 01JQ000000000000000000000D --out work.bundle"},
	"decisions export": {"Recorded decisions, oldest first, as OPA's decision-log events, for whatever reads those. What a mask took out is not in them.",
		"decisions export --since 36h --out decisions.ndjson\ndecisions export --action change.push --gzip --out pushes.ndjson.gz"},
	"decisions tail": {"Follows the journal: each decision is written when it is on disk, in the form of OPA's decision log. It ends with the gateway.",
		"decisions tail --target demo"},
	"events":      {"What happened, in the journal's order: the newest, or those after a record. Those of others than the gateway are claims, which no policy reads.", "events --limit 20\nevents --after 0 --output json"},
	"events list": {"What happened, in the journal's order: the newest, or those after a record. Those of others than the gateway are claims, which no policy reads.", "events list --after 100"},
	"events tail": {"Shows the newest events and then follows the journal, until it is interrupted. It goes on over restarts of the gateway.", "events tail\nevents tail --output json"},
	"events export": {"Every event in the journal's order, a line of JSON each, whole: what events are, and not how they were chained. It never writes over a file.",
		"events export --output-file events.ndjson"},
	"events verify": {"", "events verify old.ndjson"},
	"events import": {"", "events import old.ndjson --target demo"},
	"journal": {"The one ordered log: it is what decides when cluster, forge and memory disagree. Its leaves form a Merkle tree, so that who kept an older checkpoint\n" +
		"sees every later change of what was before it.", "journal verify --state state\njournal checkpoint"},
	"journal checkpoint": {"", "journal checkpoint --out checkpoint.txt"},
	"journal verify":     {"", "journal verify --state state\njournal verify --state state --checkpoint checkpoint.txt --key checkpoint.pub"},
	"journal backup":     {"", "journal backup leviathan-backup.db"},
	"journal restore":    {"", "journal restore leviathan-backup.db --state state --new-key"},
	"journal export":     {"Every record of the journal with its place in the tree, a line of JSON each. `journal verify --file` takes it.", "journal export --gzip --out journal.ndjson.gz"},
	"journal prune":      {"", "journal prune --before 90d --reason 'kept for a quarter'"},
}
