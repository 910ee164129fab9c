package strictyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway/strictyaml"
)

// TestValues holds what each method takes, and the one error it leaves else.
func TestValues(t *testing.T) {
	boolean := func(r *strictyaml.Reader, n *strictyaml.Node) (any, bool) { return r.Boolean(n, "k") }
	text := func(r *strictyaml.Reader, n *strictyaml.Node) (any, bool) { return r.Text(n, "k") }
	integer := func(r *strictyaml.Reader, n *strictyaml.Node) (any, bool) { return r.Integer(n, "k", 0, 99) }
	texts := func(r *strictyaml.Reader, n *strictyaml.Node) (any, bool) { return r.Texts(n, "k") }
	oneOf := func(r *strictyaml.Reader, n *strictyaml.Node) (any, bool) { return r.OneOf(n, "k", "high", "low") }
	rows := []struct {
		name string
		take func(*strictyaml.Reader, *strictyaml.Node) (any, bool)
		text string
		want any
		err  string // empty if the value is taken
	}{
		{"boolean", boolean, "true", true, ""},
		{"boolean", boolean, "false", false, ""},
		{"boolean", boolean, "True", false, "k must be the YAML boolean true or false, in lower case"},
		{"boolean", boolean, "'true'", false, `k must be the YAML boolean true or false, not string "true"`},
		{"boolean", boolean, "yes", false, `k must be the YAML boolean true or false, not string "yes"`},
		{"boolean", boolean, "1", false, `k must be the YAML boolean true or false, not number "1"`},
		{"boolean", boolean, "~", false, "k must be the YAML boolean true or false, not empty"},
		{"boolean", boolean, "[true]", false, "k must be the YAML boolean true or false, not a list"},
		{"boolean", boolean, "!!bool true", false, "a tag (!) is refused; remove it"},
		{"text", text, "a b", "a b", ""},
		{"text", text, "''", "", ""},
		{"text", text, "'12'", "12", ""},
		{"text", text, "12", "", `k must be a string, not a number; put "12" in quotes`},
		{"text", text, "true", "", `k must be a string, not a boolean; put "true" in quotes`},
		{"text", text, "", "", "k must be a string, not empty"},
		{"text", text, "&x a", "", "an anchor (&) is refused; remove it"},
		{"integer", integer, "0", 0, ""},
		{"integer", integer, "99", 99, ""},
		{"integer", integer, "100", 0, `k must be from 0 to 99, not "100"`},
		{"integer", integer, "-1", 0, `k must be from 0 to 99, not "-1"`},
		{"integer", integer, "99999999999999999999", 0, `k must be from 0 to 99, not "99999999999999999999"`},
		{"integer", integer, "007", 0, `k must be a decimal integer, not the number "007"`},
		{"integer", integer, "1.0", 0, `k must be a decimal integer, not the number "1.0"`},
		{"integer", integer, "'1'", 0, "k must be a decimal integer, not a string"},
		{"integer", integer, "*x", 0, "an alias (*) is refused; write the value out"},
		{"texts", texts, "[a, '']", []string{"a", ""}, ""},
		{"texts", texts, "[]", []string{}, ""},
		{"texts", texts, "[a, 1, b]", []string{"a", "", "b"}, `k[1] must be a string, not a number; put "1" in quotes`},
		{"texts", texts, "a", []string{}, "k must be a list, not a string"},
		{"one of", oneOf, "low", "low", ""},
		{"one of", oneOf, "hig", "", `k must be one of high, low, not "hig"; did you mean high?`},
		{"one of", oneOf, "Low", "", `k must be one of high, low, not "Low"; did you mean low?`},
		{"one of", oneOf, "urgent", "", `k must be one of high, low, not "urgent"`},
	}
	for _, row := range rows {
		t.Run(row.name+" "+row.text, func(t *testing.T) {
			r, o := reader(t, "k: "+row.text+"\n", "k")
			got, ok := row.take(r, o.Get("k"))
			if ok != (row.err == "") || r.Failed() == ok {
				t.Fatalf("taken is %v with %v", ok, r.Diags)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if !ok && (len(r.Diags) != 1 || r.Diags[0].Message != row.err || r.Diags[0].Line != 1 || r.Diags[0].Col < 4) {
				t.Errorf("the diagnostics are %v", r.Diags)
			}
		})
	}
}

func TestObject(t *testing.T) {
	const text = "limits:\n  max_fils: {a: *x, a: 1}\n  max_files: 1\n  max_files: 2\n  <<: {b: 1}\n"
	want := []string{`a.yaml:2:3: unknown key "limits.max_fils"; did you mean max_files?`, "a.yaml:2:17: an alias (*) is refused; write the value out",
		`a.yaml:2:21: the key "a" is already at line 2`, `a.yaml:4:3: the key "max_files" is already at line 3`,
		"a.yaml:5:3: a merge key (<<) is refused; write the keys out"}
	for _, lenient := range []bool{false, true} {
		r, root := reader(t, text, "limits")
		o, ok := r.Object(root.Get("limits"), "limits", []string{"max_files", "max_kb"}, lenient)
		if !ok || o.Path != "limits." || o.Get("max_files") == nil || o.Get("max_files").Text != "1" || o.Get("max_kb") != nil || o.Get("max_fils") != nil {
			t.Errorf("the mapping is %+v", o)
		}
		if lenient {
			want[0] = strings.Replace(want[0], ": unknown", ": warning: unknown", 1)
		}
		if diff := cmp.Diff(want, messages(r.Sorted())); diff != "" {
			t.Error(diff)
		}
		if !r.Failed() {
			t.Error("what is refused in the value of an unknown key is no error")
		}
	}
	r := strictyaml.Reader{File: "a.yaml"}
	if o, ok := r.Object(parse(t, "[a]"), "", nil, true); ok || o.Node == nil || o.Get("a") != nil {
		t.Errorf("a list is the mapping %+v", o)
	}
	if diff := cmp.Diff([]string{"a.yaml:1:1: the file must be a mapping, not a list"}, messages(r.Diags)); diff != "" {
		t.Error(diff)
	}
}

func TestNamed(t *testing.T) {
	r, o := reader(t, "k: {b: 1, a: 2, b: 3, 7: x}\nl: [a]\n", "k", "l")
	var names []string
	for _, p := range r.Named(o.Get("k"), "k") {
		names = append(names, fmt.Sprintf("%s=%s at %d:%d", p.Key, p.Value.Text, p.Line, p.Col))
	}
	if diff := cmp.Diff([]string{"b=1 at 1:5", "a=2 at 1:11", "7=x at 1:23"}, names); diff != "" {
		t.Error(diff)
	}
	if got := r.Named(o.Get("l"), "l"); got != nil {
		t.Errorf("a list has the names %v", got)
	}
	if diff := cmp.Diff([]string{`a.yaml:1:17: the key "b" is already at line 1`, "a.yaml:2:4: l must be a mapping, not a list"}, messages(r.Sorted())); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsAreNoFailure(t *testing.T) {
	r, o := reader(t, "a: 1\nb: 2\n", "a", "b")
	r.Warnf(o.Get("b"), "%s is odd", "b")
	if r.Failed() {
		t.Error("a warning is a failure")
	}
	r.Errorf(o.Get("a"), "%s is wrong", "a")
	if !r.Failed() {
		t.Error("an error is no failure")
	}
	if diff := cmp.Diff([]string{"a.yaml:1:4: a is wrong", "a.yaml:2:4: warning: b is odd"}, messages(r.Sorted())); diff != "" {
		t.Error(diff)
	}
}

func TestShow(t *testing.T) {
	for given, want := range map[string]string{"": `""`, "a\nb": `"a\nb"`, "\u202e": `"\u202e"`, strings.Repeat("ü", 60): `"` + strings.Repeat("ü", 60) + `"`,
		strings.Repeat("ü", 61): `"` + strings.Repeat("ü", 60) + `…"`} {
		if got := strictyaml.Show(given); got != want {
			t.Errorf("%q is shown as %s", given, got)
		}
	}
}
