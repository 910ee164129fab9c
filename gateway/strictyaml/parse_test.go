package strictyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

const maxBytes = 1 << 20

func parse(t *testing.T, text string) *strictyaml.Node {
	t.Helper()
	root, diags := strictyaml.Parse("a.yaml", []byte(text), maxBytes)
	if root == nil || len(diags) != 0 {
		t.Fatalf("the file is refused: %v", diags)
	}
	return root
}

// reader is a Reader and a mapping of which it knows every key.
func reader(t *testing.T, text string, keys ...string) (*strictyaml.Reader, strictyaml.Object) {
	t.Helper()
	r := &strictyaml.Reader{File: "a.yaml"}
	o, ok := r.Object(parse(t, text), "", keys, false)
	if !ok || len(r.Diags) != 0 {
		t.Fatalf("the mapping is refused: %v", r.Diags)
	}
	return r, o
}

func messages(diags []gateway.Diagnostic) []string {
	var out []string
	for _, d := range diags {
		out = append(out, d.String())
	}
	return out
}

func TestFilesThatAreRefused(t *testing.T) {
	rows := map[string]struct{ text, want string }{
		"empty":              {"", "a.yaml:1:1: the file is empty"},
		"a comment alone":    {"# x\n", "a.yaml:1:1: the file is empty"},
		"byte order mark":    {"\xef\xbb\xbfa: 1\n", "a.yaml:1:1: the file begins with a byte order mark; save it as UTF-8 without one"},
		"Latin-1":            {"ü: 1\na: caf\xe9\n", "a.yaml:2:7: the file is not UTF-8"},
		"NUL":                {"a: 1\n# \x00\n", "a.yaml:2:3: the control character U+0000"},
		"line separator":     {"a: x\u2028y\n", "a.yaml:1:5: the control character U+2028"},
		"tab indentation":    {"a:\n\tx: 1\n", "a.yaml:2:1: a tab cannot be indentation; use spaces"},
		"spaces and a tab":   {"a:\n  \tx: 1\n", ": a tab cannot be indentation; use spaces"},
		"carriage return":    {"a: 1\rb: 2\n", "a.yaml:1:5: a carriage return without a line feed"},
		"directive":          {"%YAML 1.1\n---\na: 1\n", "a.yaml:1:1: a YAML directive; remove it"},
		"second document":    {"a: 1\n---\nb: 2\n", "a.yaml:2:1: a second document begins; the file must be one document"},
		"behind the end":     {"a: 1\n...\nb: 2\n", "a.yaml:3:1: something stands behind the end of the document (...)"},
		"broken":             {"a: [\n", "a.yaml:1:4: not YAML: "},
		"too large":          {strings.Repeat("#", maxBytes+1), "the file has 1048577 bytes; at most 1048576 are read"},
		"deep brackets":      {strings.Repeat("[", 500_000), "nested deeper than 64 levels"},
		"deep dashes":        {strings.Repeat("- ", 400_000), "nested deeper than 64 levels"},
		"many keys":          {strings.Repeat("a:\n", 100_000), "a mapping with more than 2000 keys"},
		"many refused":       {"[" + strings.Repeat("*a,", 2000) + "]", "too many tags, anchors and aliases, all of which are refused"},
		"many without value": {strings.Repeat("- a:\n", 60_000), "too many keys without a value"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			root, diags := strictyaml.Parse("a.yaml", []byte(row.text), maxBytes)
			if root != nil || len(diags) != 1 || diags[0].Warning {
				t.Fatalf("the root is %v, the diagnostics %v", root, diags)
			}
			if !strings.Contains(diags[0].String(), row.want) {
				t.Errorf("%q does not have %q", diags[0], row.want)
			}
		})
	}
}

// places are those of every node and key of the file of TestPlaces.
var places = []string{
	`:2:1: a mapping ""`, ":2:1: key ä b", ":3:1: key list", ":7:1: key none",
	`/ä b:2:6: a mapping ""`, "/ä b:2:7: key ü", "/ä b:2:13: key y", `/ä b/ü:2:10: a string "x"`,
	`/ä b/y:2:16: a list ""`, `/ä b/y/-:2:17: a number "1"`, `/ä b/y/-:2:20: a number "2"`,
	`/list:4:3: a list ""`, `/list/-:4:5: a string "text\n"`, `/list/-:6:5: a mapping ""`, "/list/-:6:5: key inner", `/list/-/inner:6:12: a string "q"`,
	`/none:7:7: empty ""`,
}

func TestPlaces(t *testing.T) {
	const text = "# first\nä b: {ü: x, y: [1, 2]}\nlist:\n  - |\n    text\n  - inner: 'q'\nnone:\n"
	var got []string
	var walk func(n *strictyaml.Node, at string)
	walk = func(n *strictyaml.Node, at string) {
		r := strictyaml.Reader{File: at}
		r.Errorf(n, "%s %q", n.TypeName(), n.Text)
		for _, p := range n.Pairs {
			r.ErrorAt(p.Line, p.Col, "key %s", p.Key)
		}
		got = append(got, messages(r.Diags)...)
		for _, p := range n.Pairs {
			walk(p.Value, at+"/"+p.Key)
		}
		for _, item := range n.Items {
			walk(item, at+"/-")
		}
	}
	for _, ends := range []string{"\n", "\r\n"} {
		got = nil
		walk(parse(t, strings.ReplaceAll(text, "\n", ends)), "")
		if diff := cmp.Diff(places, got); diff != "" {
			t.Errorf("with the line end %q: %s", ends, diff)
		}
	}
}

func TestTypesAreThoseOfTheCoreSchema(t *testing.T) {
	for text, want := range map[string]string{
		"x": "a string", "yes": "a string", "off": "a string", "'true'": "a string", `"1"`: "a string", "|\n  1": "a string", "2026-01-01": "a string",
		"true": "a boolean", "False": "a boolean", "1": "a number", "-1.5e3": "a number", "0x1F": "a number", "0o7": "a number", "1_000": "a number",
		".inf": "a number", ".nan": "a number", "": "empty", "~": "empty", "null": "empty", "[]": "a list", "{}": "a mapping",
		"*x": "refused", "&x 1": "refused", "!!str 1": "refused",
	} {
		_, o := reader(t, "k: "+text+"\n", "k")
		if got := o.Get("k").TypeName(); got != want {
			t.Errorf("%q is %s, not %s", text, got, want)
		}
	}
}

// A mapping of any size refuses each key that it has already, and names where.
func TestKeysThatAreThereAlready(t *testing.T) {
	for _, keys := range []int{2, 16, 17, 100} {
		var text strings.Builder
		for i := range keys {
			fmt.Fprintf(&text, "k%d: 1\n", i)
		}
		text.WriteString("k1: 2\nk1: 3\nother: 4\n")
		root, diags := strictyaml.Parse("a.yaml", []byte(text.String()), 1<<20)
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		r := strictyaml.Reader{File: "a.yaml"}
		pairs := r.Named(root, "")
		if len(pairs) != keys+1 || pairs[keys].Key != "other" {
			t.Errorf("%d keys: %d are read", keys, len(pairs))
		}
		want := []string{
			fmt.Sprintf(`a.yaml:%d:1: the key "k1" is already at line 2`, keys+1),
			fmt.Sprintf(`a.yaml:%d:1: the key "k1" is already at line 2`, keys+2),
		}
		if diff := cmp.Diff(want, messages(r.Sorted())); diff != "" {
			t.Error(diff)
		}
	}
}
