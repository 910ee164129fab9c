package journal_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"leviathan/gateway/journal"
)

// exported is the journal of written as an export, and its key and a
// checkpoint of its first 650 of 700 records.
func exported(t *testing.T, o journal.ExportOptions) (raw []byte, key note.Verifier, kept []byte) {
	t.Helper()
	file, key, kept, _ := written(t)
	j := open(t, filepath.Dir(file), newClock())
	var out bytes.Buffer
	if n, err := j.Export(t.Context(), &out, o); err != nil || n != 700 {
		t.Fatalf("exported %d, %v", n, err)
	}
	return out.Bytes(), key, kept
}

func verifyExport(t *testing.T, raw []byte, o journal.VerifyOptions) journal.Report {
	t.Helper()
	rep, err := journal.VerifyExport(t.Context(), bytes.NewReader(raw), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestAnExportVerifies(t *testing.T) {
	for _, zip := range []bool{false, true} {
		raw, key, kept := exported(t, journal.ExportOptions{Gzip: zip})
		rep := verifyExport(t, raw, journal.VerifyOptions{Key: key, Checkpoint: kept})
		if rep.Problem != nil || rep.Records != 700 || rep.Bodies != 700 || rep.Kept != 650 || rep.Checkpoints != 8 {
			t.Errorf("gzip %v: %+v %v", zip, rep, rep.Problem)
		}
		if torn := verifyExport(t, raw[:len(raw)/2], journal.VerifyOptions{Key: key}); torn.Problem == nil {
			t.Errorf("gzip %v: half of it verifies", zip)
		}
	}
	j := open(t, t.TempDir(), newClock())
	var out bytes.Buffer
	if _, err := j.Export(t.Context(), &out, journal.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if rep := verifyExport(t, out.Bytes(), journal.VerifyOptions{}); rep.Problem != nil || rep.Records != 0 {
		t.Errorf("of nothing: %+v %v", rep, rep.Problem)
	}
}

func TestVerifyExportSeesEveryEdit(t *testing.T) {
	raw, key, kept := exported(t, journal.ExportOptions{})
	lines := strings.SplitAfter(strings.TrimSuffix(string(raw), "\n"), "\n")
	at := func(seq int) int {
		return slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, fmt.Sprintf(`{"seq":%d,`, seq)) })
	}
	edit := func(seq int, from, to string) func([]string) []string {
		return func(l []string) []string {
			s := strings.Replace(l[at(seq)], from, to, 1)
			if s == l[at(seq)] {
				t.Fatalf("%q is not in %s", from, s)
			}
			l[at(seq)] = s
			return l
		}
	}
	cut := func(from int) func([]string) []string {
		return func(l []string) []string { return slices.Delete(l, at(from), len(l)-1) }
	}
	for _, c := range []struct {
		name string
		edit func([]string) []string
		seq  int64
		what string
		kept []byte
	}{
		{"id", edit(300, `"id":"01`, `"id":"02`), 300, "leaf", nil},
		{"kind", edit(300, `"kind":"decision"`, `"kind":"event"`), 300, "leaf", nil},
		{"origin", edit(300, `"origin":"gateway"`, `"origin":"external"`), 300, "leaf", nil},
		{"type", edit(300, `"type":"route.read"`, `"type":"x"`), 300, "leaf", nil},
		{"at", edit(300, `"at":1`, `"at":2`), 300, "leaf", nil},
		{"target", edit(300, `"target":"demo"`, `"target":"x"`), 300, "leaf", nil},
		{"task", edit(300, `"task":"t1"`, `"task":""`), 300, "leaf", nil},
		{"attempt", edit(300, `"attempt":"01`, `"attempt":"02`), 300, "leaf", nil},
		{"body digest", edit(300, `"body_digest":"sha256:`, `"body_digest":"sha256:0`), 300, "cannot be read", nil},
		{"leaf", edit(300, `"leaf":"`, `"leaf":"0`), 300, "cannot be read", nil},
		{"body", edit(300, `"allow":true`, `"allow":false`), 300, "body was changed", nil},
		{"seq", edit(300, `{"seq":300,`, `{"seq":301,`), 300, "record 300 is missing", nil},
		{"member twice", edit(300, `"task":"t1"`, `"task":"x","task":"t1"`), 300, "something was added", nil},
		{"white space", edit(300, `,"id"`, `, "id"`), 300, "record 300", nil},
		{"delete", func(l []string) []string { return slices.Delete(l, at(300), at(301)) }, 300, "missing", nil},
		{"insert", func(l []string) []string { return slices.Insert(l, at(300), l[at(299)]) }, 300, "missing", nil},
		{"swap", func(l []string) []string { l[at(300)], l[at(301)] = l[at(301)], l[at(300)]; return l }, 300, "missing", nil},
		{"cut", cut(691), 691, "cut", nil},
		{"no end", func(l []string) []string { return l[:len(l)-1] }, 701, "cut", nil},
		{"more after the end", func(l []string) []string { l[len(l)-1] += "\n{}"; return l }, 701, "follows the end", nil},
		{"another form", func(l []string) []string { l[0] = `{"leviathan_journal":2,"records":700}` + "\n"; return l }, 0, "version 1", nil},
		{"checkpoint", func(l []string) []string { l[1] = strings.Replace(l[1], `\n150\n`, `\n151\n`, 1); return l }, 0, "checkpoint", nil},
		{"cut with care", func(l []string) []string {
			l = cut(601)(l)
			l[0], l[len(l)-1] = `{"leviathan_journal":1,"records":600}`+"\n", `{"end":600}`
			return slices.DeleteFunc(l, func(s string) bool { return strings.HasPrefix(s, `{"checkpoint":`) })
		}, 601, "cut", kept},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Join(c.edit(slices.Clone(lines)), "")
			if !strings.HasSuffix(bad, "\n") {
				bad += "\n"
			}
			p := verifyExport(t, []byte(bad), journal.VerifyOptions{Key: key, Checkpoint: c.kept}).Problem
			if p == nil || p.Seq != c.seq || !strings.Contains(p.What, c.what) {
				t.Errorf("%+v, want record %d and %q", p, c.seq, c.what)
			}
		})
	}
}

func FuzzVerifyExport(f *testing.F) {
	f.Add([]byte("{\"leviathan_journal\":1,\"records\":1}\n{\"seq\":1,\"id\":\"x\",\"body\":{}}\n{\"end\":1}\n"))
	f.Add([]byte("{\"leviathan_journal\":1,\"records\":0}\n{\"end\":0}\n"))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := journal.VerifyExport(t.Context(), bytes.NewReader(b), journal.VerifyOptions{})
		if err == nil && rep.Problem == nil && rep.Records > 0 && !bytes.Contains(b, []byte(`"leaf"`)) {
			t.Fatalf("%q verifies as %+v", b, rep)
		}
	})
}
