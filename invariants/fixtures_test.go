package invariants_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"leviathan/invariants"
	"leviathan/invariants/report"
)

// How a category is written: a folder policies/invariants/<category> with
//
//	<category>.rego       package leviathan.invariants.<category>; METADATA of the
//	                      package has title, description and custom.needs, the parts
//	                      of the input without any of which it has nothing to look at,
//	                      and custom.named, true for one that is off unless named
//	<topic>.rego          more rules of the same package, where one file would be long
//	<category>_test.rego  a test for each rule that fires it, and one good input
//	testdata/*.txtar      repositories: at least one good*.txtar without a violation,
//	                      and at least three others that have some
//
// Each rule is `deny contains v if`, with METADATA: title, description, and
// custom with code (<category>.<snake_case>), severity (error, warning, note),
// message and remedy with {placeholders}. It ends in
//
//	v := lib.violation(rego.metadata.chain(), place, {"subject": …, placeholders})
//
// where place is anything with file, line and column: a fact that has them, or
// lib.at(document, "/json/pointer"), lib.at_id(id, pointer, file), lib.file_place(file).
//
// The comment of a txtar archive says in lines what its category must answer:
//
//	want CODE FILE:LINE     one violation; all of them, and no others
//	link NAME TARGET        make a symbolic link
//
// Everything else in it is prose. The clock of a fixture is fixtureTime.
const atLeastBroken = 3

var fixtureTime = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)

func fixtureNow() time.Time { return fixtureTime }

// placeholder is one of a message that got no value; a route has names in
// braces, too, each behind a slash.
var placeholder = regexp.MustCompile(`(?:^|[^/])\{[a-z_]+\}`)

// A fixture is one archive.
type fixture struct {
	category, name string
	archive        *txtar.Archive
	want           []string
}

func readFixtures(t *testing.T) []fixture {
	t.Helper()
	files, err := filepath.Glob("../policies/invariants/*/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var out []fixture
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{category: filepath.Base(filepath.Dir(filepath.Dir(file))), name: strings.TrimSuffix(filepath.Base(file), ".txtar"), archive: archive}
		for line := range strings.Lines(string(archive.Comment)) {
			if want, ok := strings.CutPrefix(strings.TrimSpace(line), "want "); ok {
				f.want = append(f.want, want)
			}
		}
		slices.Sort(f.want)
		out = append(out, f)
	}
	return out
}

// unpack makes the fixture's repository.
func (f fixture) unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(f.archive, dir); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(f.archive.Comment)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "link" {
			if err := os.Symlink(words[2], filepath.Join(dir, words[1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestFixturesGetTheAnswersThatTheyAskFor(t *testing.T) {
	for _, f := range readFixtures(t) {
		t.Run(f.category+"/"+f.name, func(t *testing.T) {
			t.Parallel()
			opts := invariants.Options{Dir: f.unpack(t), Categories: []string{f.category}, Now: func() time.Time { return fixtureTime }}
			if f.category == "waivers" {
				opts.Categories = nil // there is something to waive only where others look
			}
			r, err := invariants.Check(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, c := range r.Categories {
				if c.Verdict == report.Unknown {
					t.Errorf("%s could not run: %s", c.Name, c.Why)
				}
				for _, v := range c.Violations {
					if c.Name == f.category {
						got = append(got, fmt.Sprintf("%s %s:%d", v.Code, v.File, v.Line))
					} else if f.category != "waivers" {
						t.Errorf("the fixture is broken in another way: %s:%d: %s", v.File, v.Line, v.Message)
					}
					if v.Subject == "" || v.Remedy == "" || placeholder.MatchString(v.Message+" "+v.Remedy) {
						t.Errorf("%s: no subject, no remedy or a placeholder without a value: %q %q %q", v.Code, v.Subject, v.Message, v.Remedy)
					}
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(append([]string{}, f.want...), got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// A category that ships must have been seen to hold and to fail.
func TestEveryCategoryHasFixtures(t *testing.T) {
	good, broken := map[string]int{}, map[string]int{}
	for _, f := range readFixtures(t) {
		if strings.HasPrefix(f.name, "good") != (len(f.want) == 0) {
			t.Errorf("%s/%s: good fixtures, and no others, want nothing", f.category, f.name)
		}
		if len(f.want) == 0 {
			good[f.category]++
		} else {
			broken[f.category]++
		}
	}
	folders, err := filepath.Glob("../policies/invariants/[a-z]*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no categories: %v", err)
	}
	for _, folder := range folders {
		name := filepath.Base(folder)
		if good[name] < 1 || broken[name] < atLeastBroken {
			t.Errorf("%s has %d good and %d broken fixtures; at least 1 and %d are asked for", name, good[name], broken[name], atLeastBroken)
		}
	}
}
