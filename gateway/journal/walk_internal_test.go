package journal

import (
	"bytes"
	"encoding/json"
	"testing"
)

// The walker is what decisions are read with, and has no exported face.
func FuzzMembersAreTheDecoders(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":{"b":"}"},"c":[1,"\"]"],"d":null}`, `{"\u0061":"\\"}`, `{"a":1,}`, `{"a"}`, `[`, `{"a":}`, `{"a":1}}`, `{"a":"`, `{"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]json.RawMessage{}
		walked := eachMember(b, func(name, value []byte) error {
			text, err := textOf(append(append([]byte{'"'}, name...), '"'))
			if err == nil {
				got[string(text)] = bytes.Clone(value)
			}
			_ = eachElement(value, func([]byte) error { return nil })
			return err
		})
		var want map[string]json.RawMessage
		var compact bytes.Buffer
		if json.Unmarshal(b, &want) != nil || json.Compact(&compact, b) != nil || !bytes.Equal(compact.Bytes(), b) || want == nil {
			return // not what the journal writes: it need only not crash
		}
		if walked != nil || len(got) != len(want) {
			t.Fatalf("%s: walked %v to %s", b, walked, got)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%s: member %q is %s, want %s", b, name, got[name], value)
			}
		}
	})
}

func TestThePartCacheIsBounded(t *testing.T) {
	db, err := dial(t.TempDir()+"/x.db", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := db.script(`CREATE TABLE blob (digest BLOB PRIMARY KEY, bytes BLOB)`); err != nil {
		t.Fatal(err)
	}
	var keys []digest
	for i := range 4 {
		b := bytes.Repeat([]byte{byte('a' + i)}, 100)
		keys = append(keys, sum(b))
		if err := db.exec(`INSERT INTO blob VALUES (?, ?)`, keys[i][:], c.pack(nil, b)); err != nil {
			t.Fatal(err)
		}
	}
	p := newPartCache(c, 250)
	for _, i := range []int{0, 1, 0, 2, 3, 0} {
		if b, found, err := p.get(t.Context(), db, keys[i]); err != nil || !found || sum(b) != keys[i] {
			t.Fatalf("part %d: %v, %v", i, found, err)
		}
		if p.bytes > p.limit || len(p.by) != p.order.Len() {
			t.Fatalf("%d bytes in %d parts, %d listed", p.bytes, len(p.by), p.order.Len())
		}
	}
	if err := db.script(`UPDATE blob SET bytes = x'0041'`); err != nil {
		t.Fatal(err)
	}
	if _, found, err := p.get(t.Context(), db, keys[3]); err != nil || !found {
		t.Errorf("a kept part: %v, %v", found, err)
	}
	if _, _, err := p.get(t.Context(), db, keys[1]); err == nil {
		t.Error("a part that is not its digest's is read")
	}
	if err := db.script(`DELETE FROM blob`); err != nil {
		t.Fatal(err)
	}
	if _, found, err := p.get(t.Context(), db, keys[1]); err != nil || found {
		t.Errorf("a part that is gone: %v, %v", found, err)
	}
}
