package repository_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// randomTree draws a tree and returns it with all its objects.
func randomTree(t *rapid.T, depth int) (raw, []raw) {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "a.b", "a-b", "a0", "b", "c", "é", "z z"}), 1, 5, rapid.ID[string]).Draw(t, "names")
	type entry struct{ key, row string }
	var rows []entry
	var objects []raw
	for _, n := range names {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if kind >= 4 && depth > 0 {
			sub, below := randomTree(t, depth-1)
			objects = append(objects, append(below, sub)...)
			rows = append(rows, entry{n + "/", row("40000", n, sub.id())})
			continue
		}
		b := blob(rapid.SampledFrom([]string{"1", "2", "", "bin\x00ary", "x/y"}).Draw(t, "text"))
		mode := []string{"100644", "100755", "100644", "100644", "100644", "100644"}[kind]
		if kind == 3 {
			b, mode = blob("target"), "120000"
		}
		objects = append(objects, b)
		rows = append(rows, entry{n, row(mode, n, b.id())})
	}
	slices.SortFunc(rows, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	var out []string
	for _, r := range rows {
		out = append(out, r.row)
	}
	return tree(out...), objects
}

func unique(objects []raw) []raw {
	seen := map[gateway.OID]bool{}
	return slices.DeleteFunc(objects, func(o raw) bool { had := seen[o.id()]; seen[o.id()] = true; return had })
}

// rawDiff is git's own word on what differs.
func rawDiff(w *world, dir string, a, b gateway.OID) []string {
	out := w.pipe(dir, nil, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", string(a), string(b))
	fields := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	var lines []string
	for i := 0; i+1 < len(fields); i += 2 {
		lines = append(lines, string(fields[i])+"\t"+string(fields[i+1]))
	}
	slices.Sort(lines)
	return lines
}

func asRaw(changes []gateway.Change) []string {
	var lines []string
	for _, c := range changes {
		letter := map[gateway.Op]string{gateway.Add: "A", gateway.Modify: "M", gateway.Delete: "D"}[c.Op]
		if c.Op == gateway.Modify && c.OldMode[:2] != c.NewMode[:2] {
			letter = "T"
		}
		or := func(s, d string) string {
			if s == "" {
				return d
			}
			return s
		}
		lines = append(lines, fmt.Sprintf(":%s %s %s %s %s\t%s", or(c.OldMode, "000000"), or(c.NewMode, "000000"),
			or(string(c.OldID), string(gateway.ZeroOID)), or(string(c.NewID), string(gateway.ZeroOID)), letter, c.Path))
	}
	slices.Sort(lines)
	return lines
}

func TestDiffEqualsGit(t *testing.T) {
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		a, objectsA := randomTree(rt, 3)
		b, objectsB := randomTree(rt, 3)
		first := commit(a, w.head())
		second := commit(b, first.id())
		objects := unique(append(append(objectsA, objectsB...), a, b, first, second))
		body := request(gateway.ZeroOID, second.id(), agentRef, packOf(objects...))
		p, err := w.m.Receive(t.Context(), bytes.NewReader(body), repository.Limits{})
		if err != nil {
			rt.Fatal(err)
		}
		defer p.Discard()
		got, err := p.Changes(t.Context(), first.id())
		if err != nil {
			rt.Fatal(err)
		}
		w.loose(w.upstream, objects...)
		want := rawDiff(w, w.upstream, first.id(), second.id())
		if !slices.Equal(asRaw(got), want) {
			rt.Errorf("got\n%s\nwant\n%s", strings.Join(asRaw(got), "\n"), strings.Join(want, "\n"))
		}
		text := map[gateway.OID]string{}
		for _, o := range objects {
			text[o.id()] = string(o.data)
		}
		for _, c := range got {
			content := ""
			if c.NewID != "" {
				content = text[c.NewID]
			}
			if c.Size != int64(len(content)) || c.Binary != strings.Contains(content, "\x00") || c.NewMode == "120000" && c.LinkTarget != content {
				rt.Errorf("change %+v does not describe %q", c, content)
			}
		}
		if !slices.IsSortedFunc(got, func(a, b gateway.Change) int { return strings.Compare(a.Path, b.Path) }) {
			rt.Error("changes are not sorted")
		}
	})
}
