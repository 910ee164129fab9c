package forge

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"leviathan/gateway"
)

// The trailers of every commit that Leviathan makes. They also end the body of
// a pull request, so that a squash which takes its text keeps them.
const (
	TrailerTask     = "Leviathan-Task"
	TrailerAttempt  = "Leviathan-Attempt"
	TrailerDecision = "Leviathan-Decision"
)

// The longest texts, in characters.
const (
	maxSubject = 72
	maxSummary = 4000
	maxTask    = 12000
	maxResults = 50
	maxName    = 100
)

// Facts are what the gateway itself knows of an attempt, for the body.
type Facts struct {
	Attempt  gateway.AttemptID
	Decision gateway.DecisionID // the one that allowed the pull request
	Revision string             // of the policies that decided
	// Evidence is the worker's claim, shown as such; nil if there is none.
	Evidence *gateway.Evidence
}

// Title is the title of a task's pull request: one inert line of at most 72
// characters in the form of a conventional commit, whose type follows from the
// task's scope: docs, test, else chore.
func Title(task gateway.Task) string {
	kind := "chore"
	switch strings.ToLower(task.Scope) {
	case "docs":
		kind = "docs"
	case "test", "tests":
		kind = "test"
	}
	title := strings.Join(strings.Fields(clean(task.Title)), " ")
	title = strings.TrimSpace(strings.TrimPrefix(title, kind+":"))
	if title == "" {
		title = "task " + line(string(task.ID))
	}
	return cut(kind+": "+inertLine(title), maxSubject)
}

// CommitMessage is the whole message of an attempt's commit: the title and the
// trailers by which a merge is recognised. The decision is the one that
// reserved the attempt; without one its trailer is left out. It ends in a
// newline.
func CommitMessage(task gateway.Task, attempt gateway.AttemptID, decision gateway.DecisionID) string {
	return Title(task) + "\n\n" + trailers(task.ID, attempt, decision)
}

// trailers are written as they are read back: an id that is not well formed
// is at least one line.
func trailers(task gateway.TaskID, attempt gateway.AttemptID, decision gateway.DecisionID) string {
	s := fmt.Sprintf("%s: %s\n%s: %s\n", TrailerTask, line(string(task)), TrailerAttempt, line(string(attempt)))
	if decision != "" {
		s += fmt.Sprintf("%s: %s\n", TrailerDecision, line(string(decision)))
	}
	return s
}

// Body is the text of an attempt's pull request, in Markdown. What the task
// and the agent say stands in fences that it cannot leave, and is inert beside:
// no mention, no reference, no command at the beginning of a line, no closing
// keyword, no trailer, nothing invisible. The summary is cut at 4,000
// characters and the task's text at 12,000. The body ends in the trailers of
// CommitMessage.
func Body(task gateway.Task, summary string, facts Facts) string {
	var b strings.Builder
	b.WriteString("An agent made this change under Leviathan's policies. Only a human merges or closes it.\n\n")
	b.WriteString("The task, as the backlog has it:\n\n" + quoted(taskText(task), maxTask) + "\n\n")
	if strings.TrimSpace(clean(summary)) != "" {
		b.WriteString("What the agent says about its change (a claim):\n\n" + quoted(summary, maxSummary) + "\n\n")
	}
	if e := facts.Evidence; e != nil && len(e.Results) > 0 {
		b.WriteString("What the worker says about its verifications (a claim):\n\n" + quoted(evidenceText(e), maxTask) + "\n\n")
	}
	b.WriteString("What the gateway recorded:\n\n" + fence(factsText(task, facts)) + "\n\n")
	b.WriteString(trailers(task.ID, facts.Attempt, facts.Decision))
	return b.String()
}

func quoted(s string, limit int) string { return fence(inert(cut(clean(s), limit))) }

func taskText(task gateway.Task) string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(task.Title) + "\n")
	if d := strings.TrimSpace(task.Description); d != "" {
		b.WriteString("\n" + d + "\n")
	}
	list := func(head string, items []string) {
		if len(items) > 0 {
			b.WriteString("\n" + head + "\n- " + strings.Join(items, "\n- ") + "\n")
		}
	}
	list("Acceptance criteria:", task.AcceptanceCriteria)
	list("Allowed paths:", task.AllowedPaths)
	return b.String()
}

func evidenceText(e *gateway.Evidence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", e.Tree)
	for i, r := range e.Results {
		if i == maxResults {
			fmt.Fprintf(&b, "and %d more\n", len(e.Results)-i)
			break
		}
		fmt.Fprintf(&b, "%s: exit code %d after %.1f s\n", line(r.Name), r.ExitCode, r.Seconds)
	}
	return b.String()
}

// factsText keeps well-formed ids as they are: somebody will copy them.
func factsText(task gateway.Task, facts Facts) string {
	var b strings.Builder
	for _, row := range []struct {
		name, value string
		wellFormed  bool
	}{
		{"task", string(task.ID), task.ID.Valid()},
		{"task digest", task.Digest, false},
		{"attempt", string(facts.Attempt), facts.Attempt.Valid()},
		{"decision", string(facts.Decision), facts.Decision.Valid()},
		{"policies", facts.Revision, false},
	} {
		value := row.value
		if !row.wellFormed {
			value = inert(line(value))
		}
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", row.name, value)
		}
	}
	return b.String()
}

// line is s on one line of bounded length.
func line(s string) string { return cut(strings.Join(strings.Fields(clean(s)), " "), maxName) }

// oneLine reports text that may stand as a header: printable, without breaks.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
