package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leviathan/gateway/engine"
	"leviathan/policies"
)

func runbook(t *testing.T) []byte {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(checkout(t), "docs", runbookPage))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// The runbook has a row for every code that says why nothing happens, with
// the words that its rule has now.
func TestS21TheRunbookHasARowForEveryCode(t *testing.T) {
	page := runbook(t)
	rows, err := troubleshooting(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := withRows(page, rows)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fresh, page) {
		t.Errorf("the rows of docs/%s are not what the rules say; run make docs", runbookPage)
	}
	snapshot, err := engine.LoadFS(t.Context(), policies.FS, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, c := range append(snapshot.Codes(), engine.Failures()...) {
		if name, _, _ := strings.Cut(c.Code, "."); name != "guard" && name != "schedule" && name != "unknown" {
			continue
		}
		counted++
		if n := strings.Count(string(page), "\n| `"+c.Code+"` |"); n != 1 {
			t.Errorf("the runbook has %d rows for %s", n, c.Code)
		}
	}
	if counted < 40 {
		t.Errorf("the rules have %d such codes: they are not found", counted)
	}
}

// The gateway gives a few such codes itself, outside of any rule: they have
// rows that are written by hand.
func TestS21TheRunbookHasTheGatewaysOwnCodes(t *testing.T) {
	page, literal, found := string(runbook(t)), regexp.MustCompile(`"((?:unknown|guard|schedule)\.[a-z_]+)"`), 0
	err := filepath.WalkDir(filepath.Join(checkout(t), "gateway"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
			found++
			if !strings.Contains(page, "\n| `"+m[1]+"` |") {
				t.Errorf("%s gives %s, which the runbook does not explain", filepath.Base(name), m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Errorf("%d codes in the gateway's own code: they are not found", found)
	}
}

// What a rule's remedy and a page of the console tell an operator to type
// exists.
func TestS21EveryCommandOfARemedyExists(t *testing.T) {
	snapshot, err := engine.LoadFS(t.Context(), policies.FS, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, c := range append(snapshot.Codes(), engine.Failures()...) {
		said[c.Code] = oneLine(c.Remedy)
	}
	templates, err := filepath.Glob(filepath.Join(checkout(t), "gateway", "console", "templates", "*.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		said[filepath.Base(name)] = regexp.MustCompile(`\{\{.*?\}\}`).ReplaceAllString(string(text), "X")
	}
	command, found := regexp.MustCompile(`\bleviathan ((?:[a-z-]+[ .,;<]?|[A-Z=_]+ ?)+)`), 0
	for where, text := range said {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			// The command ends where the sentence, or a part of it, does.
			line, _, _ := strings.Cut(strings.NewReplacer(".", "\n", ",", "\n", ";", "\n", "<", "\n").Replace(m[1]), "\n")
			if strings.HasPrefix(line, "and ") {
				continue // "the command leviathan and its arguments"
			}
			found++
			if err := commandExists(strings.Fields(line)); err != nil {
				t.Errorf("%s: leviathan %s: %v", where, line, err)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d commands in all remedies and pages: they are not found", found)
	}
}

func TestRowsHaveAPlaceInThePage(t *testing.T) {
	page := []byte("# Page\n" + rowsBegin + "old\n" + rowsEnd + "after\n")
	got, err := withRows(page, []byte("new\n"))
	if want := "# Page\n" + rowsBegin + "new\n" + rowsEnd + "after\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, broken := range []string{"# Page\n", "# Page\n" + rowsBegin, rowsEnd + rowsBegin} {
		if _, err := withRows([]byte(broken), nil); err == nil {
			t.Errorf("%q has no place for the rows and took them", broken)
		}
	}
}

// Each name that the scheduler has for what a cluster refuses is explained.
func TestS21TheRunbookHasEveryReasonWhyAWorkerDoesNotStart(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(checkout(t), "scheduler", "kubernetes_refusal.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(runbook(t)), "\n## A cluster: why a worker does not start\n")
	if !ok {
		t.Fatal("the runbook has no such section")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	names := regexp.MustCompile(`return "([a-z_]+)"`).FindAllStringSubmatch(string(text), -1)
	for _, name := range names {
		if !strings.Contains(section, "`"+name[1]+"`") {
			t.Errorf("the runbook does not explain %s", name[1])
		}
	}
	if len(names) < 15 {
		t.Errorf("the scheduler has %d names: they are not found", len(names))
	}
}
