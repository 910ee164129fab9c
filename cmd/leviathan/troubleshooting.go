package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"leviathan/gateway/engine"
	"leviathan/policies"
)

// The rows of the runbook that are made from the METADATA of the rules, and
// what they stand between.
const (
	runbookPage = "21_OPERATIONS_AUTONOMY.md"
	rowsBegin   = "<!-- Rows made by `make docs` from the METADATA of the rules. Do not edit. -->\n"
	rowsEnd     = "<!-- End of the rows. -->\n"
)

// troubleshooting are the rows of the policies that the binary was built with.
func troubleshooting(ctx context.Context) ([]byte, error) {
	snapshot, err := engine.LoadFS(ctx, policies.FS, engine.Options{})
	if err != nil {
		return nil, err
	}
	return troubleshootingOf(snapshot.Codes(), engine.Failures()), nil
}

// troubleshootingOf are the rows: every code that says why nothing happens,
// what it says, and what to do.
func troubleshootingOf(codes, failures []engine.Code) []byte {
	all := slices.Concat(codes, failures)
	slices.SortFunc(all, func(a, b engine.Code) int { return strings.Compare(a.Code, b.Code) })
	var b bytes.Buffer
	b.WriteString("\n| reason | says | what to do |\n| --- | --- | --- |\n")
	cell := strings.NewReplacer("|", `\|`, "<", `\<`)
	for _, c := range all {
		switch name, _, _ := strings.Cut(c.Code, "."); name {
		case "guard", "schedule", "unknown":
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Code, cell.Replace(oneLine(c.Message)), cell.Replace(oneLine(c.Remedy)))
		}
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// withRows is a page with the rows in the place of those that it has.
func withRows(page, rows []byte) ([]byte, error) {
	before, rest, begun := bytes.Cut(page, []byte(rowsBegin))
	_, after, ended := bytes.Cut(rest, []byte(rowsEnd))
	if !begun || !ended {
		return nil, fmt.Errorf("the page has no place for the rows: %q and %q", strings.TrimSpace(rowsBegin), strings.TrimSpace(rowsEnd))
	}
	return slices.Concat(before, []byte(rowsBegin), rows, []byte(rowsEnd), after), nil
}

// rewriteRows writes the rows into the page that is in file; a folder that
// does not have the page has no place for them.
func rewriteRows(file string, rows []byte) error {
	page, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the runbook: %w", err)
	}
	if page, err = withRows(page, rows); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := os.WriteFile(file, page, 0o644); err != nil {
		return fmt.Errorf("writing the runbook: %w", err)
	}
	return nil
}
