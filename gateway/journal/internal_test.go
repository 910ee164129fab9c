package journal

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// The tests of this file are inside the package: the frontier, the canonical
// writer and the blob codec have no exported face.

func TestTreeIsTlogs(t *testing.T) {
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			out[i] = stored[x]
		}
		return out, nil
	})
	var one, tiled tree
	for n := int64(0); n < 1500; n++ {
		data := []byte{byte(n), byte(n >> 8)}
		hashes, err := tlog.StoredHashes(n, data, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		if tile, full := one.append(digest(tlog.RecordHash(data))); full {
			tiled.appendTile(tile)
			if tiled.root() != one.root() || tiled.size != one.size {
				t.Fatalf("the tree of tiles differs at size %d", n+1)
			}
		} else if (n+1)%tileSize == 0 {
			t.Fatalf("no tile at size %d", n+1)
		}
		want, err := tlog.TreeHash(n+1, read)
		if err != nil {
			t.Fatal(err)
		}
		if got := one.root(); got != digest(want) {
			t.Fatalf("root of %d leaves is %x, want %x", n+1, got, want)
		}
	}
	if want, _ := tlog.TreeHash(0, read); (&tree{}).root() != digest(want) {
		t.Fatal("the root of nothing differs")
	}
}

func TestLeafIsCanonicalJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		c := columns{
			Seq: rapid.Int64Range(1, 1<<53).Draw(t, "seq"), ID: text.Draw(t, "id"), Kind: Event, Origin: External, Type: text.Draw(t, "type"),
			At: rapid.Int64Range(0, 1<<52).Draw(t, "at"), Target: "demo", Task: "t-1", Attempt: "a", BodyDigest: sum([]byte(text.Draw(t, "body"))),
		}
		plain, err := json.Marshal(map[string]any{
			"seq": c.Seq, "id": c.ID, "kind": c.Kind, "origin": c.Origin, "type": c.Type, "at": c.At, "target": c.Target, "task": c.Task,
			"attempt": c.Attempt, "body_digest": digestText(c.BodyDigest),
		})
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Transform(plain)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.appendLeafJSON(nil); !bytes.Equal(got, want) {
			t.Fatalf("leaf JSON is\n%s, want\n%s", got, want)
		}
		leaf, _ := c.leaf(nil)
		if leaf != digest(tlog.RecordHash(want)) {
			t.Fatal("the leaf is not RFC 6962's")
		}
	})
}

func TestBodiesAreCanonicalJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		event := Record{Kind: Event, Origin: External, Actor: text.Draw(t, "actor"), SchemaVersion: 1, Body: map[string]string{"z": text.Draw(t, "z"), "a": "b"}}
		decision := Record{Kind: Decision, Origin: Gateway, Body: map[string]string{"z": text.Draw(t, "z"), "a": "b"}, Decision: &DecisionIndex{
			Allow: rapid.Bool().Draw(t, "allow"), Codes: rapid.SliceOf(text).Draw(t, "codes"), AskedBy: text.Draw(t, "by"), Revision: text.Draw(t, "rev"),
		}}
		for _, r := range []Record{event, decision} {
			got, err := r.encode(nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := jcs.Transform(got)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("body is\n%s, canonical is\n%s", got, want)
			}
		}
	})
}

func TestBlobs(t *testing.T) {
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	noise := make([]byte, 4096)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(noise)
	for name, b := range map[string][]byte{
		"empty": {}, "small": []byte("{}"), "long": []byte(strings.Repeat("long ", 5000)), "noise": noise,
	} {
		packed := c.pack(nil, b)
		if len(packed) > len(b)+1 {
			t.Errorf("%s: %d bytes are stored as %d", name, len(b), len(packed))
		}
		got, err := c.unpack(packed)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: reads back as %d bytes, %v", name, len(got), err)
		}
	}
	for name, b := range map[string][]byte{"nothing": nil, "unknown format": {9, 1}, "torn": {blobZstd, 0x28, 0xb5}} {
		if _, err := c.unpack(b); err == nil {
			t.Errorf("%s unpacks", name)
		}
	}
}

func TestKnownForgetsTheOldest(t *testing.T) {
	k := newKnown()
	kept := sum([]byte("kept"))
	k.add(kept)
	for i := range 3 * knownGeneration {
		k.add(sum([]byte{byte(i), byte(i >> 8), byte(i >> 16)}))
		if i%1000 == 0 && !k.has(kept) {
			t.Fatal("what is asked for is forgotten")
		}
	}
	if k.has(sum([]byte{0, 0, 0})) {
		t.Fatal("what is not asked for is never forgotten")
	}
	if len(k.young)+len(k.old) > 2*knownGeneration {
		t.Fatalf("%d are remembered", len(k.young)+len(k.old))
	}
}
