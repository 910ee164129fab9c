package repository_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// zeros is the zlib stream of n zero bytes, and cheap to make.
func zeros(n int64) []byte {
	var b bytes.Buffer
	z := newZlib(&b)
	io.CopyN(z, zeroReader{}, n)
	z.Close()
	return b.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func varint(n int64) []byte {
	var out []byte
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}

// copies is a delta that copies a base of 64 KiB n times.
func copies(n int) []byte {
	d := append(varint(1<<16), varint(int64(n)<<16)...)
	for range n {
		d = append(d, 0x80) // offset 0, size 0x10000
	}
	return d
}

func TestPackBombsAreRefusedInLittleMemory(t *testing.T) {
	w := newWorld(t)
	base := raw{"blob", make([]byte, 1<<16)}
	baseEntry := append(entryHead(3, 1<<16), squeeze(base.data)...)
	ref := []byte(bin(base.id()))
	delta := func(d []byte) []byte { return append(append(entryHead(7, len(d)), ref...), squeeze(d)...) }
	many := [][]byte{baseEntry}
	for i := range 40 {
		many = append(many, delta(copies(900+i)))
	}
	cases := map[string][]byte{
		"one blob of 128 MiB":            pack(append(entryHead(3, 1<<27), zeros(1<<27)...)),
		"a delta to 1.5 GiB":             pack(baseEntry, delta(copies(3<<13))),
		"many legal deltas":              pack(many...),
		"a blob longer than it declares": pack(append(entryHead(3, 10), zeros(1<<26)...)),
		"a delta body of 128 MiB":        pack(baseEntry, append(append(entryHead(7, 1<<27), ref...), zeros(1<<27)...)),
		"four billion objects":           append([]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff"), make([]byte, 40)...),
	}
	lim := repository.Limits{MaxObjectBytes: 64 << 20, MaxInflatedBytes: 1 << 30}
	for name, p := range cases {
		t.Run(name, func(t *testing.T) {
			body := request(gateway.ZeroOID, base.id(), agentRef, p)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			push := w.receiveBytes(t, lim, body)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("allocated %d MiB", used>>20)
			}
			got := codes(push)
			if got["scope.pack_too_large"] == "" && got["scope.malformed_pack"] == "" {
				t.Errorf("problems: %v", got)
			}
		})
	}
}

func TestMalformedPacksAreAnsweredAndKept(t *testing.T) {
	w := newWorld(t)
	b := blob("x\n")
	tr := tree(row("100644", "f", b.id()))
	c := commit(tr, w.head())
	good := packOf(b, tr, c)
	flip := bytes.Clone(good)
	flip[len(flip)-1] ^= 1
	wrongType := pack(append(entryHead(5, 1), squeeze([]byte("x"))...))
	self := append(entryHead(6, 4), 0x7f)
	cases := map[string][]byte{
		"empty": nil, "signature": []byte("JUNK" + strings.Repeat("x", 60)), "cut": good[:len(good)-30], "checksum": flip, "trailing bytes": append(bytes.Clone(good), "more"...),
		"type 5": wrongType, "delta before the pack": pack(append(self, squeeze([]byte("abcd"))...)), "an object twice": packOf(b, b, tr, c),
		"delta without a base": pack(append(append(entryHead(7, 4), strings.Repeat("\x11", 20)...), squeeze([]byte{1, 1, 1, 'x'})...)),
		"bad delta":            pack(append(entryHead(3, 2), squeeze(b.data)...), append(append(entryHead(7, 4), bin(b.id())...), squeeze([]byte{9, 9, 1, 'x'})...)),
	}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			p := w.receiveBytes(t, repository.Limits{}, request(gateway.ZeroOID, c.id(), agentRef, body))
			got := codes(p)
			if got["scope.malformed_pack"] == "" && got["scope.missing_objects"] == "" {
				t.Fatalf("problems: %v", got)
			}
			var out bytes.Buffer
			if err := p.Report(&out, false, p.Problems()[0].Code, nil); err != nil || !strings.Contains(out.String(), "ng "+agentRef) {
				t.Errorf("report %q: %v", out.String(), err)
			}
			id := "kept-" + strings.ReplaceAll(name, " ", "-")
			if _, err := p.Keep(id); err != nil {
				t.Fatal(err)
			}
			stored, err := os.ReadFile(filepath.Join(w.dir, "refused", id, "raw.pack"))
			if err != nil || !bytes.Equal(stored, body) {
				t.Errorf("the pack is not kept as it came: %v", err)
			}
			if err := w.m.Bundle(t.Context(), id, io.Discard); gateway.KindOf(err) != gateway.Conflict {
				t.Errorf("Bundle: %v", err)
			}
		})
	}
}

// A thin pack, which git sends where no-thin is not heard, is made whole.
func TestThinPackIsCompleted(t *testing.T) {
	w := newWorld(t)
	old := w.pipe(w.upstream, nil, "cat-file", "blob", "main:docs/guide.md")
	oldID := w.oid(w.upstream, "main:docs/guide.md")
	text := append([]byte("first\n"), old...)
	d := append(varint(int64(len(old))), varint(int64(len(text)))...)
	d = append(d, 6)
	d = append(d, "first\n"...)
	d = append(d, 0x80|0x10|0x20, byte(len(old)), byte(len(old)>>8))
	n := raw{"blob", text}
	tr := tree(row("100644", "guide.md", n.id()))
	c := commit(tr, w.head())
	thin := pack(
		append(append(entryHead(7, len(d)), bin(oldID)...), squeeze(d)...),
		append(entryHead(2, len(tr.data)), squeeze(tr.data)...), append(entryHead(1, len(c.data)), squeeze(c.data)...),
	)
	p := w.receiveBytes(t, repository.Limits{}, request(gateway.ZeroOID, c.id(), agentRef, thin))
	if got := codes(p); len(got) != 0 {
		t.Fatalf("problems: %v", got)
	}
	if err := p.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.pipe(w.upstream, nil, "cat-file", "blob", agentRef+":guide.md"); !bytes.Equal(got, text) {
		t.Error("the upstream has other contents")
	}
	w.fsck(w.upstream)
	w.fsck(w.dir)
}

func TestDeltaChainsResolve(t *testing.T) {
	w := newWorld(t)
	// each object appends a byte to the one before: a chain of 1,000
	text := []byte(strings.Repeat("0123456789abcdef", 64))
	entries := [][]byte{append(entryHead(3, len(text)), squeeze(text)...)}
	prev := raw{"blob", bytes.Clone(text)}
	rows := []string{}
	for i := range 1000 {
		next := raw{"blob", append(bytes.Clone(prev.data), byte('a'+i%26))}
		d := append(varint(int64(len(prev.data))), varint(int64(len(next.data)))...)
		d = append(d, 0x80|0x10|0x20, byte(len(prev.data)), byte(len(prev.data)>>8), 1, byte('a'+i%26))
		entries = append(entries, append(append(entryHead(7, len(d)), bin(prev.id())...), squeeze(d)...))
		prev = next
		rows = append(rows, row("100644", "f"+string(rune('a'+i/676))+string(rune('a'+i/26%26))+string(rune('a'+i%26)), next.id()))
	}
	rows = append(rows, row("100644", "z", raw{"blob", text}.id()))
	tr := tree(rows...)
	c := commit(tr, w.head())
	// deltas first: every base comes after what is built on it
	for i, j := 0, len(entries)-1; i < j; i, j = i+1, j-1 {
		entries[i], entries[j] = entries[j], entries[i]
	}
	entries = append(entries, append(entryHead(2, len(tr.data)), squeeze(tr.data)...), append(entryHead(1, len(c.data)), squeeze(c.data)...))
	p := w.receiveBytes(t, repository.Limits{}, request(gateway.ZeroOID, c.id(), agentRef, pack(entries...)))
	if got := codes(p); len(got) != 0 {
		t.Fatalf("problems: %v", got)
	}
	if err := p.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.fsck(w.dir)
}

// A tree that holds itself many times over would be walked for ever.
func TestTreeBombIsCut(t *testing.T) {
	w := newWorld(t)
	b := blob("x\n")
	level := tree(row("100644", "f", b.id()))
	objects := []raw{b, level}
	for range 20 {
		var rows []string
		for c := 'a'; c < 'k'; c++ {
			rows = append(rows, row("40000", string(c), level.id()))
		}
		level = tree(rows...)
		objects = append(objects, level)
	}
	p := w.receiveRaw(t, repository.Limits{}, append(objects, commit(level, w.head()))...)
	if _, ok := codes(p)["scope.too_many_changes"]; !ok {
		t.Errorf("problems: %v", codes(p))
	}
	_, err := p.Changes(t.Context(), w.head())
	if e := new(gateway.Error); !asError(err, &e) || e.Kind != gateway.TooLarge || e.Code != "scope.too_many_changes" {
		t.Errorf("Changes: %v", err)
	}
}

func trailer(b []byte) []byte { sum := sha1.Sum(b); return sum[:] }

func TestLimitOfObjects(t *testing.T) {
	w := newWorld(t)
	b := blob("x\n")
	tr := tree(row("100644", "f", b.id()))
	c := commit(tr, w.head())
	for n, want := range map[int]bool{2: true, 3: false} {
		p := w.receiveRaw(t, repository.Limits{MaxObjects: n}, b, tr, c)
		if _, got := codes(p)["scope.pack_too_large"]; got != want {
			t.Errorf("limit %d: %v", n, codes(p))
		}
	}
	short := packOf(b, tr, c)
	binary.BigEndian.PutUint32(short[8:], 2)
	short = append(short[:len(short)-20], trailer(short[:len(short)-20])...)
	p := w.receiveBytes(t, repository.Limits{}, request(gateway.ZeroOID, c.id(), agentRef, short))
	if _, ok := codes(p)["scope.malformed_pack"]; !ok {
		t.Errorf("a pack with more objects than it declares: %v", codes(p))
	}
}
