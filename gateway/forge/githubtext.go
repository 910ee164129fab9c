package forge

import (
	"fmt"
	"strings"

	"leviathan/gateway"
)

// The bounds of what is said beside a pull request.
const (
	maxListed      = 200 // decisions and paths in a text
	maxAnnotations = 50  // of a check run, which is GitHub's limit too
)

// statusMark begins the one comment that is edited in place. A comment is ours
// only if it begins with the mark and our credential wrote it.
func statusMark(a gateway.AttemptID) string {
	return "<!-- leviathan:status " + line(string(a)) + " -->"
}

// StatusText is the text of an attempt's status comment, in Markdown. Whatever
// comes from a task or an agent stands in fences that it cannot leave, inert.
func StatusText(n Note) string {
	var b strings.Builder
	b.WriteString(statusMark(n.Attempt) + "\n")
	b.WriteString("**Leviathan** keeps this comment up to date. Only a human merges or closes this pull request.\n\n")
	var facts strings.Builder
	row := func(name, value string) {
		if value = inert(line(value)); value != "" {
			fmt.Fprintf(&facts, "%-12s %s\n", name, value)
		}
	}
	row("attempt", string(n.Attempt))
	row("status", n.Status)
	row("commit", string(n.Head))
	row("policies", n.Revision)
	b.WriteString(fence(facts.String()) + "\n")
	if s := strings.TrimSpace(clean(n.Summary)); s != "" {
		b.WriteString("\n" + quoted(s, maxSummary) + "\n")
	}
	b.WriteString("\n" + decisionsText(n))
	b.WriteString("\nTo stop or redo: close this pull request, and the task is not tried again until its text changes or an operator retries it. " +
		"To take it over: change the title or the text, or push to the branch, and it is not touched again.\n")
	return b.String()
}

// checkText is the summary of the check run.
func checkText(n Note) string {
	var paths strings.Builder
	for i, p := range n.Paths {
		if i == maxListed {
			fmt.Fprintf(&paths, "and %d more\n", len(n.Paths)-i)
			break
		}
		paths.WriteString(inert(line(p)) + "\n")
	}
	text := "Every change of this commit was allowed by a recorded decision, under the policies " + codeSpan(n.Revision) + ". This says nothing about whether it is right: that is the reviewers'.\n\n" + decisionsText(n)
	if len(n.Paths) > 0 {
		text += "\nThe changed paths:\n\n" + fence(paths.String()) + "\n"
	}
	return text
}

func decisionsText(n Note) string {
	var ids strings.Builder
	for i, d := range n.Decisions {
		if i == maxListed {
			fmt.Fprintf(&ids, "and %d more\n", len(n.Decisions)-i)
			break
		}
		id := string(d)
		if !d.Valid() {
			id = inert(line(id))
		}
		ids.WriteString(id + "\n")
	}
	if ids.Len() == 0 {
		return ""
	}
	return "The decisions that allowed it:\n\n" + fence(ids.String()) + "\n"
}

// codeSpan shows one line as code.
func codeSpan(s string) string {
	return "`" + strings.ReplaceAll(inert(line(s)), "`", "'") + "`"
}
