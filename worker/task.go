package worker

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"leviathan/gateway"
)

const (
	taskFile    = "task.json"
	summaryFile = "summary.md"
	// summaryMax is what a pull request's summary may have, in characters.
	summaryMax = 4000
)

// writeTask puts the task where the agent reads it: data, never a command.
func (r *run) writeTask(tmp *os.Root) error {
	data, err := json.MarshalIndent(r.start.Task, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the task: %w", err)
	}
	if err := tmp.WriteFile(taskFile, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the task file: %w", err)
	}
	return nil
}

// prompt is the task as text, for an agent that reads it on standard input.
func prompt(t gateway.Task) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# Task %s: %s\n\n", t.ID, t.Title)
	if t.Description != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(t.Description))
	}
	if t.Scope != "" {
		fmt.Fprintf(&b, "Scope: %s\n\n", t.Scope)
	}
	section(&b, "You may change only these paths", t.AllowedPaths)
	section(&b, "The work is done when", t.AcceptanceCriteria)
	b.WriteString("Work in the current folder; it is a checkout of the repository without its git directory. Do not commit and\n" +
		"do not push: what you leave in the allowed paths is committed for you. A file that is allowed by its own name\n" +
		"must be written in place, not replaced by a rename. The task as JSON is in the file that LEVIATHAN_TASK_FILE\n" +
		"names. Write a summary for the reviewer, at most 4,000 characters, to the file that LEVIATHAN_SUMMARY_FILE names.\n")
	return []byte(b.String())
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n\n", title)
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", line)
	}
	b.WriteByte('\n')
}

// readSummary reads what the agent wrote for the reviewer, as text of at most
// summaryMax characters without secrets. An agent that wrote none has none;
// something there that is not a regular file counts as none.
func readSummary(tmp *os.Root, s secrets) (string, error) {
	info, err := tmp.Lstat(summaryFile)
	if err != nil || !info.Mode().IsRegular() {
		return "", nil
	}
	file, err := tmp.Open(summaryFile)
	if err != nil {
		return "", fmt.Errorf("opening the summary: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, 16*summaryMax))
	if err != nil {
		return "", fmt.Errorf("reading the summary: %w", err)
	}
	return summaryOf(string(data), s), nil
}

func summaryOf(text string, s secrets) string {
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, "?"))
	runes := []rune(strings.TrimSpace(s.text(text)))
	if len(runes) > summaryMax {
		runes = append(runes[:summaryMax-1], '…')
	}
	return string(runes)
}
