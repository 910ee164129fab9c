package facts_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/invariants/facts"
)

// problems reads a tree of these files and lists what is named, as code
// file:line.
func problems(t *testing.T, files map[string]string, opts facts.Options) (*facts.Facts, []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := facts.Read(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, p := range f.Problems {
		out = append(out, fmt.Sprintf("%s %s:%d", p.Code, p.File, p.Line))
	}
	return f, out
}

// Whatever cannot be read is named, with its line, and the rest is read.
func TestBadInputIsNamed(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'h'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	for name, test := range map[string]struct {
		text string
		opts facts.Options
		want string
	}{
		"binary":                      {text: "a: 1\nb: \x00\n", want: "binary bad.yaml:2"},
		"not UTF-8":                   {text: "a: 1\n\nb: \xff\n", want: "not_utf8 bad.yaml:3"},
		"too large":                   {text: strings.Repeat("# \n", 500), opts: facts.Options{MaxFileBytes: 1000}, want: "too_large bad.yaml:1"},
		"an anchor bomb":              {text: bomb, want: "yaml_aliases bad.yaml:"},
		"an alias in itself":          {text: "a: 1\nb: &b [*b]\n", want: "yaml_aliases bad.yaml:2"},
		"a merge of itself":           {text: "a: &a\n  <<: *a\n", want: "yaml_aliases bad.yaml:2"},
		"nested too deep":             {text: strings.Repeat("[", 200) + strings.Repeat("]", 200), want: "yaml_depth bad.yaml:1"},
		"a key twice":                 {text: "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", want: "yaml_duplicate_key bad.yaml:5"},
		"a list that is never closed": {text: "a: 1\nb: 2\nc: [1,\nd: 4\n", want: "yaml_syntax bad.yaml:3"},
		"wrong indentation":           {text: "a:\n  b: 1\n c: 2\nd: 4\ne: [1,\n   2]\n", want: "yaml_syntax bad.yaml:3"},
	} {
		f, got := problems(t, map[string]string{"bad.yaml": test.text, "good.yaml": "kind: of\n"}, test.opts)
		if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
			t.Errorf("%s: got %v, want %s", name, got, test.want)
		}
		if f.Documents["good.yaml#0"] == nil {
			t.Errorf("%s: the file beside it was not read", name)
		}
	}
}

func TestATreeWithTooManyFilesIsNamed(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("%02d.txt", i)] = ""
	}
	if _, got := problems(t, files, facts.Options{MaxFiles: 10}); !slices.Contains(got, "too_many 10.txt:1") || len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// What a shell script hides is seen, and what it does not hide is not.
// A file of a folder that is left out is read when the settings name it, alone
// and once; one that is not there is named.
func TestWhatIsIncludedIsReadAlthoughItsFolderIsLeftOut(t *testing.T) {
	files := map[string]string{"a.yaml": "kind: A\n", "x/testdata/b.yaml": "kind: B\n", "x/testdata/c.yaml": "kind: C\n"}
	f, got := problems(t, files, facts.Options{Include: []string{"a.yaml", "./x/testdata/b.yaml", "x/testdata/none.yaml", "x/testdata", "../b.yaml"}})
	if diff := cmp.Diff([]string{"unreadable ../b.yaml:1", "unreadable x/testdata:1", "unreadable x/testdata/none.yaml:1"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a.yaml#0", "x/testdata/b.yaml#0"}, slices.Sorted(maps.Keys(f.Documents))); diff != "" {
		t.Error(diff)
	}
	if f.Repository.Files != 2 || f.Files["x/testdata/b.yaml"].Size == 0 {
		t.Errorf("%d files were listed: %v", f.Repository.Files, f.Files)
	}
}

func TestWhatAScriptSwallows(t *testing.T) {
	for script, want := range map[string]string{
		"make test":                                  "",
		"make test || true":                          "or_true:1",
		"make test ||\n  :":                          "or_true:1",
		"make test || exit 1":                        "",
		"make test || exit 0":                        "or_true:1",
		"echo '|| true'":                             "",
		"echo \"a || true\" # || true":               "",
		"cat <<END\nmake || true\nEND\nmake":         "",
		"set +e\nmake test":                          "set_plus_e:1",
		"make test | tee log":                        "pipe:1",
		"set -o pipefail\nmake test | tee log":       "",
		"set -euo pipefail; make test | tee log":     "",
		"make test & wait":                           "background:1",
		"make test; true":                            "semicolon:1",
		"(make test) || true":                        "or_true:1",
		"make test >log 2>&1":                        "",
		"make \\\n  test \\\n  || true":              "or_true:1",
		"if make test; then echo good; fi\nmake all": "",
	} {
		f, _ := problems(t, map[string]string{"run.sh": script}, facts.Options{})
		got := ""
		for _, s := range f.Scripts["run.sh"].Swallowed {
			got += fmt.Sprintf("%s:%d", s.How, s.Line)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q (%+v)", script, got, want, f.Scripts["run.sh"].Commands)
		}
	}
}

func TestGitHubsAnchors(t *testing.T) {
	f, _ := problems(t, map[string]string{"a.md": "# A `code` & more!\n\n## Same\n\n## Same\n\nSetext *here*\n---\n\n### [Linked](x.md) Ünïcode_1\n\n```\n# no heading\n```\n"}, facts.Options{})
	want := []string{"a-code--more", "linked-ünïcode_1", "same", "same-1", "setext-here"}
	if got := f.Markdown["a.md"].Anchors; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzTreesAreRead(f *testing.F) {
	for _, seed := range []string{"a: &a [*a]\n---\nkind: ConfigMap\napiVersion: v1\ndata: {x.yaml: 'a: ['}\n", "on: {push: }\njobs: {a: {steps: [{run: 'x || true'}]}}\n",
		"# A\n[a]: b\n[x][y](z `", "FROM a AS b\nRUN <<E\n\\\n", "module x\nreplace ("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{}
		for _, name := range []string{"a.yaml", ".github/workflows/a.yml", "a.md", "Dockerfile", "go.mod", "a.sh", "a.go", "k/kustomization.yaml"} {
			files[name] = text
		}
		read, _ := problems(t, files, facts.Options{})
		if _, err := read.Parts(); err != nil {
			t.Error(err)
		}
		for _, p := range read.Problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("a problem without a place: %+v", p)
			}
		}
	})
}
