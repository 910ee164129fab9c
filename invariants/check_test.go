package invariants_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/invariants"
	"leviathan/invariants/report"
)

func tree(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(txtar.Parse([]byte(text)), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func check(t *testing.T, opts invariants.Options) *report.Report {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return fixtureTime }
	}
	r, err := invariants.Check(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func places(vs []gateway.Violation) []string {
	out := []string{}
	for _, v := range vs {
		out = append(out, v.Code+" "+v.File)
	}
	return out
}

const twoDeadLinks = `
-- README.md --
# Example

[one](one.md)
-- docs/README.md --
# Docs

[up](../README.md), [two](two.md)
-- .leviathan/invariants.yaml --
version: 1
categories: [docs_structure]
parameters: {docs_structure: {folder: nowhere/}}
`

// Every verdict is a decision that says what was asked and what was answered.
func TestEveryVerdictIsADecision(t *testing.T) {
	state := t.TempDir()
	r := check(t, invariants.Options{Dir: tree(t, twoDeadLinks), State: state})
	j, err := journal.Open(t.Context(), journal.Config{Dir: state})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	if len(r.Categories) != 3 {
		t.Fatalf("%d categories, not docs_structure, tree and waivers", len(r.Categories))
	}
	for _, c := range r.Categories {
		d, found, err := j.Decision(t.Context(), c.DecisionID)
		if err != nil || !found {
			t.Fatalf("%s: decision %s: found %v, %v", c.Name, c.DecisionID, found, err)
		}
		if want := len(c.Violations) == 0; d.Action != gateway.ActionInvariantsCheck || d.Decision != want {
			t.Errorf("%s: %s allow=%v, want %v", c.Name, d.Action, d.Decision, want)
		}
		var body struct {
			Inline map[string]json.RawMessage `json:"inline"`
			Result struct {
				Obligations struct{ Violations []gateway.Violation } `json:"obligations"`
			} `json:"result"`
		}
		if err := json.Unmarshal(d.Body, &body); err != nil {
			t.Fatal(err)
		}
		if string(body.Inline["category"]) != `"`+c.Name+`"` {
			t.Errorf("%s: asked about %s", c.Name, body.Inline["category"])
		}
		if diff := cmp.Diff(c.Violations, body.Result.Obligations.Violations); diff != "" {
			t.Errorf("%s: report -, journal +\n%s", c.Name, diff)
		}
	}
}

func TestAWaiverCoversItsFileAlone(t *testing.T) {
	dir := tree(t, twoDeadLinks+`waivers:
  - {code: docs_structure.dead_link, path: "docs/**", reason: soon, owner: ada, expires: "2026-03-01"}
`)
	r := check(t, invariants.Options{Dir: dir})
	if diff := cmp.Diff([]string{"docs_structure.dead_link README.md"}, places(r.Violations())); diff != "" || len(r.Waived) != 1 || r.Waived[0].Owner != "ada" {
		t.Errorf("%s waived: %+v", diff, r.Waived)
	}
	late := func() time.Time { return fixtureTime.AddDate(0, 2, 0) }
	r = check(t, invariants.Options{Dir: dir, Now: late})
	if len(r.Waived) != 0 || len(r.Violations()) != 3 {
		t.Errorf("an expired waiver waives: %v", places(r.Violations()))
	}
}

func TestABaselineHasWhatThereWasAndNothingElse(t *testing.T) {
	dir, file := tree(t, twoDeadLinks), filepath.Join(t.TempDir(), "baseline.json")
	check(t, invariants.Options{Dir: dir, WriteBaseline: file})
	r := check(t, invariants.Options{Dir: dir, Baseline: file})
	if r.Verdict != report.Held || len(r.Baselined) != 2 {
		t.Fatalf("the baseline of a tree does not cover it: %s, %v", r.Verdict, places(r.Violations()))
	}
	// The known one moves, another of the same file is new, one is mended.
	write(t, dir, "README.md", "# Example\n\nmoved\n\n[one](one.md) [three](three.md)\n")
	write(t, dir, "docs/README.md", "# Docs\n\n[up](../README.md)\n")
	r = check(t, invariants.Options{Dir: dir, Baseline: file})
	if len(r.Violations()) != 1 || r.Violations()[0].Subject != "three.md" || r.Fixed != 1 {
		t.Errorf("new %v, fixed %d", r.Violations(), r.Fixed)
	}
	if _, err := invariants.Check(t.Context(), invariants.Options{Dir: dir, Baseline: file + ".gone"}); err == nil {
		t.Error("a baseline that does not exist is no error")
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyChangedFilesCount(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := tree(t, twoDeadLinks)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q", "-b", "main")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	write(t, dir, "docs/README.md", "# Docs\n\n[up](../README.md), [two](two.md), [four](four.md)\n")
	write(t, dir, "new.md", "[gone](gone.md)\n")
	r := check(t, invariants.Options{Dir: dir, ChangedSince: "main"})
	want := []string{"docs_structure.dead_link docs/README.md", "docs_structure.dead_link docs/README.md", "docs_structure.dead_link new.md"}
	if diff := cmp.Diff(want, places(r.Violations())); diff != "" || r.Unchanged != 1 {
		t.Errorf("unchanged %d, want -, got +\n%s", r.Unchanged, diff)
	}
	for _, base := range []string{"nobody", "--output=x"} {
		if _, err := invariants.Check(t.Context(), invariants.Options{Dir: dir, ChangedSince: base}); err == nil {
			t.Errorf("base %s: no error", base)
		}
	}
}

// A repository's own rules are checked with the built-in ones, and rules that
// fail are no pass.
func TestARepositorysOwnRules(t *testing.T) {
	const settings = "-- .leviathan/invariants.yaml --\nversion: 1\nrules: rules\ncategories: [own]\n-- README.md --\n# Example\n-- rules/own.rego --\n"
	const rule = `# METADATA
# title: Own
# description: A rule of the repository.
package leviathan.invariants.own

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: No licence
# description: A repository has a licence.
# custom:
#   code: own.no_licence
#   message: "there is no licence"
#   remedy: "Add LICENSE."
deny contains v if {
	not input.files.LICENSE
	v := lib.violation(rego.metadata.chain(), lib.file_place("README.md"), {"subject": "LICENSE"})
}
`
	r := check(t, invariants.Options{Dir: tree(t, settings+rule)})
	if diff := cmp.Diff([]string{"own.no_licence README.md"}, places(r.Violations())); diff != "" || r.Verdict != report.Violated {
		t.Errorf("%s: %s", r.Verdict, diff)
	}
	failing := strings.Replace(rule, "not input.files.LICENSE", `to_number("x") > count(input.files)`, 1)
	if r := check(t, invariants.Options{Dir: tree(t, settings+failing)}); r.Verdict != report.Unknown {
		t.Errorf("rules that fail: %s", r.Verdict)
	}
	if _, err := invariants.Check(t.Context(), invariants.Options{Dir: tree(t, settings+"package")}); err == nil {
		t.Error("rules that do not parse are no error")
	}
}

func TestWhatCannotRunIsNeverAPass(t *testing.T) {
	for name, text := range map[string]string{
		"no files":              "",
		"settings that are bad": "-- .leviathan/invariants.yaml --\nversion: 1\nnobody: knows\n",
		"a category of no rule": "-- .leviathan/invariants.yaml --\nversion: 1\ncategories: [nobody]\n-- a --\n",
		"rules that are gone":   "-- .leviathan/invariants.yaml --\nversion: 1\nrules: gone\n-- a --\n",
	} {
		if r, err := invariants.Check(t.Context(), invariants.Options{Dir: tree(t, text)}); err == nil {
			t.Errorf("%s: verdict %s", name, r.Verdict)
		}
	}
	if r := check(t, invariants.Options{Dir: tree(t, "-- a.txt --\n"), Categories: []string{"docs_structure"}}); r.Verdict != report.Unknown {
		t.Errorf("a category without facts: %s", r.Verdict)
	}
	if _, err := invariants.Check(t.Context(), invariants.Options{Dir: filepath.Join(t.TempDir(), "gone")}); err == nil {
		t.Error("a folder that does not exist is no error")
	}
}

func TestInitWritesWhatHolds(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for action, uses := range map[string]string{
		"": "run: leviathan invariants check -o github", "ada/leviathan@" + commit: "uses: ada/leviathan/.github/actions/invariants@" + commit,
	} {
		dir := tree(t, "-- README.md --\n# Example\n")
		written, kept, err := invariants.Init(t.Context(), dir, action)
		if err != nil || len(written) != 2 || len(kept) != 0 {
			t.Fatalf("wrote %v, kept %v: %v", written, kept, err)
		}
		workflow, err := os.ReadFile(filepath.Join(dir, ".github/workflows/invariants.yml"))
		if err != nil || !strings.Contains(string(workflow), uses) {
			t.Errorf("the workflow does not say %q: %v\n%s", uses, err, workflow)
		}
		r := check(t, invariants.Options{Dir: dir})
		if r.Verdict != report.Held || !slices.ContainsFunc(r.Categories, func(c report.Category) bool { return c.Name == "ci_workflows" }) {
			t.Errorf("what init writes does not hold: %s %v", r.Verdict, r.Violations())
		}
		if written, kept, err = invariants.Init(t.Context(), dir, action); err != nil || len(written) != 0 || len(kept) != 2 {
			t.Errorf("the second time: wrote %v, kept %v: %v", written, kept, err)
		}
	}
	for _, action := range []string{"ada/leviathan", "ada/leviathan@main", "ada/leviathan@v1.0.0", "leviathan@" + commit, "ada/leviathan@" + commit + "\nrun: x", "a/b/c@" + commit} {
		dir := tree(t, "-- README.md --\n# Example\n")
		if written, _, err := invariants.Init(t.Context(), dir, action); err == nil || len(written) != 0 {
			t.Errorf("the action %q: wrote %v", action, written)
		}
	}
}

func TestSettingsAreReadStrictly(t *testing.T) {
	for text, wants := range map[string]string{
		"categories: [a]":                          "version is missing",
		"version: 2":                               "version",
		"version: 1\nrules: ../elsewhere":          "not a folder of this repository",
		"version: 1\nwaivers: [{code: a.b}]":       "waivers[0].path is missing",
		"version: 1\nwaivers: [{code: '*', x: 1}]": "waivers[0]",
		"version: 1\nwaivers: [{code: a.b, path: a, reason: r, owner: o, expires: soon}]": "no date",
		"version: 1\nparameters: {a: {b: &x 1}}":                                          "anchor",
	} {
		_, diagnostics := invariants.ParseSettings("s.yaml", []byte(text))
		var all strings.Builder
		for _, d := range diagnostics {
			all.WriteString(d.String() + "\n")
		}
		if !strings.Contains(all.String(), wants) {
			t.Errorf("%q: want %q in %q", text, wants, all.String())
		}
	}
	s, diagnostics := invariants.ParseSettings("s.yaml", []byte("version: 1\nparameters: {a: {n: 3, s: '3', b: true, l: [x]}}\n"))
	want := map[string]any{"a": map[string]any{"n": json.Number("3"), "s": "3", "b": true, "l": []any{"x"}}}
	if diff := cmp.Diff(want, s.Parameters); diff != "" || len(diagnostics) != 0 {
		t.Errorf("%v %s", diagnostics, diff)
	}
}

// Nobody who has not asked for a category is told that it could not run.
func TestCategoriesThatNobodyAskedForAreOff(t *testing.T) {
	r := check(t, invariants.Options{Dir: tree(t, "-- README.md --\n# Example\n")})
	if r.Verdict != report.Held || !slices.Contains(r.Off, "requirements") || !slices.Contains(r.Off, "failover_docs") {
		t.Errorf("%s, off %v, %v", r.Verdict, r.Off, places(r.Violations()))
	}
	for _, c := range r.Categories {
		if slices.Contains(r.Off, c.Name) {
			t.Errorf("%s is off and was asked", c.Name)
		}
	}
	if r, err := invariants.Check(t.Context(), invariants.Options{Dir: tree(t, "-- a.txt --\n")}); err == nil {
		t.Errorf("nothing was asked but the tree: verdict %s", r.Verdict)
	}
}

// Settings may stand elsewhere, and then must stand there.
func TestSettingsOfAnotherFile(t *testing.T) {
	dir := tree(t, strings.Replace(twoDeadLinks, ".leviathan/", ".ci/", 1)+`waivers:
  - {code: docs_structure.dead_link, path: "gone/**", reason: soon, owner: ada, expires: "2026-03-01"}
`)
	r := check(t, invariants.Options{Dir: dir, Settings: ".ci/invariants.yaml"})
	want := []string{"docs_structure.dead_link README.md", "docs_structure.dead_link docs/README.md", "waivers.unused .ci/invariants.yaml"}
	if diff := cmp.Diff(want, places(r.Violations())); diff != "" {
		t.Error(diff)
	}
	if r, err := invariants.Check(t.Context(), invariants.Options{Dir: dir, Settings: "gone.yaml"}); err == nil {
		t.Errorf("settings that do not exist: verdict %s", r.Verdict)
	}
}
