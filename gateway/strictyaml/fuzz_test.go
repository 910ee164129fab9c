package strictyaml_test

import (
	"testing"

	"leviathan/gateway/strictyaml"
)

// FuzzParse holds that no input breaks the reader, that there is a document or
// an error, and that every node has a place and only what its kind has.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "---\n", "a: &a [*a]\n", "? x\n: y\n", "{", "- - -\n", "a: |\n  x\n", "a: \"\\ud83d\"\n", "!!x\n", "\t", "a: >-\n\n\n", "{a: {b: 1}, <<: *x}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, diags := strictyaml.Parse("a.yaml", data, maxBytes)
		if (root == nil) != (len(diags) == 1) {
			t.Fatalf("the root is %v with the diagnostics %v", root, diags)
		}
		if root != nil {
			check(t, root)
			r := strictyaml.Reader{File: "a.yaml"}
			r.Object(root, "", nil, true)
			r.Named(root, "")
			r.Sorted()
		}
	})
}

func check(t *testing.T, n *strictyaml.Node) {
	t.Helper()
	if n.Line < 1 || n.Col < 1 {
		t.Fatalf("a node has no place: %+v", n)
	}
	if n.Kind != strictyaml.Map && n.Pairs != nil || n.Kind != strictyaml.List && n.Items != nil || (n.Kind == strictyaml.Refused) != (n.Problem != "") {
		t.Fatalf("a node has what its kind has not: %+v", n)
	}
	for _, p := range n.Pairs {
		if p.Line < 1 || p.Col < 1 {
			t.Fatalf("a key has no place: %+v", p)
		}
		check(t, p.Value)
	}
	for _, item := range n.Items {
		check(t, item)
	}
}
