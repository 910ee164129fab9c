package repository

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"leviathan/gateway"
)

func FuzzDecodeReceive(f *testing.F) {
	a, z := strings.Repeat("a", 40), strings.Repeat("0", 40)
	for _, s := range []string{
		"", "0000", "00a0" + z + " " + a + " refs/heads/agent/x\x00 report-status side-band-64k object-format=sha1 agent=git/2.39.5aaaaaaaaaaaaa0000PACK",
		"0035shallow " + a + "\n0067" + z + " " + a + " refs/heads/x\x00report-status0000", "0010push-cert\x00a b0000", "ffff", "0003", "000",
		"0077" + z + " " + a + " refs/heads/x\x00report-status push-options0000000ahello\n0000PACK",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := decodeReceive(newPktReader(bytes.NewReader(data)))
		if err != nil {
			if !errors.Is(err, ErrProbe) && gateway.KindOf(err) != gateway.Invalid {
				t.Fatalf("error of kind %s: %v", gateway.KindOf(err), err)
			}
			return
		}
		if len(q.commands) == 0 || len(q.commands) > maxCommands {
			t.Fatalf("%d commands", len(q.commands))
		}
		for _, c := range q.commands {
			if !c.old.Valid() || !c.new.Valid() || c.ref == "" {
				t.Fatalf("command %+v", c)
			}
		}
		var found problems
		q.shape(&found)
		if len(found) == 0 && (len(q.commands) != 1 || !validRef(q.commands[0].ref) || q.commands[0].new == gateway.ZeroOID) {
			t.Fatalf("accepted %+v", q)
		}
		var out bytes.Buffer
		if err := (&Push{req: q}).Report(&out, false, "code", []string{string(data)}); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCheckTree(f *testing.F) {
	id := strings.Repeat("\x11", 20)
	for _, s := range []string{
		"", "100644 a\x00" + id, "40000 a\x00" + id + "100644 a.b\x00" + id, "100644 .git\x00" + id, "100644 a/b\x00" + id, "0 a\x00" + id,
		"100644 a\x00" + id[:5], "100644 \x00" + id, "100644 b\x00" + id + "100644 a\x00" + id, "160000 a\x00" + id, "120000 .gitmodules\x00" + id, "100644 a",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, faults := checkTree(data, nil)
		if len(faults) > 0 {
			return
		}
		var again []byte
		seen := map[string]bool{}
		for i, e := range entries {
			again = append(append(append(append(again, e.rawMode...), ' '), e.name...), 0)
			again = append(again, e.id[:]...)
			if seen[string(e.name)] || checkName(e.name) != "" || e.id.isZero() || bytes.ContainsAny(e.name, "/\\") {
				t.Fatalf("accepted entry %q", e.name)
			}
			seen[string(e.name)] = true
			if i > 0 && compareEntries(entries[i-1], e) >= 0 {
				t.Fatalf("accepted %q behind %q", e.name, entries[i-1].name)
			}
			if e.modeText() != "0"+string(e.rawMode) && e.modeText() != string(e.rawMode) {
				t.Fatalf("accepted mode %q", e.rawMode)
			}
		}
		if !bytes.Equal(again, data) {
			t.Fatal("an accepted tree does not encode to its bytes")
		}
	})
}

func FuzzScanPack(f *testing.F) {
	one := append(appendEntryHeader(nil, kindBlob, 5, 0, objectID{}), deflate([]byte("hello"))...)
	delta := append(appendEntryHeader(nil, kindOfsDelta, 6, int64(len(one)), objectID{}), deflate([]byte{5, 3, 0x90, 3, 1, 'x'})...)
	f.Add(one, uint32(1))
	f.Add(append(bytes.Clone(one), delta...), uint32(2))
	f.Add([]byte{}, uint32(0))
	f.Add(appendEntryHeader(nil, kindBlob, 1<<40, 0, objectID{}), uint32(1))
	f.Add([]byte(strings.Repeat("\xff", 30)), uint32(1))
	f.Fuzz(func(t *testing.T, body []byte, count uint32) {
		// the harness writes header and trailer, which a fuzzer cannot guess
		data := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), count)
		data = append(data, body...)
		sum := newSHA1(data)
		data = append(data, sum...)
		lim := scanLimit{objects: 100, object: 1 << 16, inflated: 1 << 18}
		entries, err := scanPack(context.Background(), bytes.NewReader(data), int64(len(data)), lim)
		if err != nil {
			return
		}
		at, total := int64(packHeaderLen), int64(0)
		for _, e := range entries {
			if e.off != at || e.end <= e.off || e.size > lim.object || e.crc != crcOf(data[e.off:e.end]) {
				t.Fatalf("entry %+v at %d", e, at)
			}
			at = e.end
			total += e.size
		}
		if at != int64(len(data))-packTrailerLen || total > lim.inflated || len(entries) != int(count) {
			t.Fatalf("%d entries to %d of %d, %d bytes", len(entries), at, len(data), total)
		}
		file := writeTemp(t, data)
		if _, err := resolveDeltas(context.Background(), file, int64(len(data)), entries, nil); err != nil {
			return
		}
		for _, e := range entries {
			if e.kind.isDelta() || e.id.isZero() || e.size > lim.object {
				t.Fatalf("resolved entry %+v", e)
			}
		}
	})
}

func FuzzDecodeUpload(f *testing.F) {
	a := strings.Repeat("a", 40)
	f.Add([]byte("0032want " + a + "\n00000009done\n"))
	f.Add([]byte("003dwant " + a + " ofs-delta\n0034shallow " + a + "000cdeepen 10000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := decodeUploadRequest(newPktReader(bytes.NewReader(data)))
		if err == nil && (len(q.wants) > maxWants || q.depth < 0) {
			t.Fatalf("accepted %d wants, depth %d", len(q.wants), q.depth)
		}
	})
}

func FuzzCheckCommit(f *testing.F) {
	good := "tree " + strings.Repeat("a", 40) + "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx"
	f.Add([]byte(good))
	f.Add([]byte(strings.Replace(good, "\n\n", "\ngpgsig x\n y\n\n", 1)))
	f.Add([]byte("tree \n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(checkCommit(data)) > 0 {
			return
		}
		c, err := parseCommit(objectID{}, data)
		if err != nil {
			t.Fatalf("accepted and cannot be read: %v", err)
		}
		if !c.Tree.Valid() || c.Author.When.IsZero() || strings.ContainsRune(c.Message, 0) {
			t.Fatalf("accepted %+v", c)
		}
	})
}

func FuzzGitmodules(f *testing.F) {
	f.Add("[submodule \"a\"]\n\turl = https://x/ # c\n\tpath = \"a b\"\n")
	f.Add("[submodule.a] update = !x\\\n y\n")
	f.Fuzz(func(t *testing.T, s string) {
		checkGitmodules([]byte(s)) // must end, and must not panic
	})
}

func writeTemp(t *testing.T, data []byte) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "pack")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f
}

func newSHA1(b []byte) []byte { s := sha1.Sum(b); return s[:] }
