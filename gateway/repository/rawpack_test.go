package repository_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// raw is an object as bytes, whatever they are.
type raw struct {
	kind string
	data []byte
}

func (r raw) id() gateway.OID {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", r.kind, len(r.data))
	h.Write(r.data)
	return gateway.OID(hex.EncodeToString(h.Sum(nil)))
}

func bin(id gateway.OID) string {
	b, err := hex.DecodeString(string(id))
	if err != nil {
		panic(err)
	}
	return string(b)
}

func blob(s string) raw { return raw{"blob", []byte(s)} }

// row is one entry of a tree.
func row(mode, name string, id gateway.OID) string { return mode + " " + name + "\x00" + bin(id) }

func tree(rows ...string) raw { return raw{"tree", []byte(strings.Join(rows, ""))} }

const ident = "A U Thor <a@example.com> 1700000000 +0000"

func commit(tree raw, parents ...gateway.OID) raw {
	s := "tree " + string(tree.id()) + "\n"
	for _, p := range parents {
		s += "parent " + string(p) + "\n"
	}
	return raw{"commit", []byte(s + "author " + ident + "\ncommitter " + ident + "\n\nchange\n")}
}

var kindNumber = map[string]byte{"commit": 1, "tree": 2, "blob": 3, "tag": 4}

func entryHead(kind byte, size int) []byte {
	c := kind<<4 | byte(size&15)
	var out []byte
	for size >>= 4; size > 0; size >>= 7 {
		out = append(out, c|0x80)
		c = byte(size & 0x7f)
	}
	return append(out, c)
}

func squeeze(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

// pack builds a pack of ready entries.
func pack(entries ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString("PACK\x00\x00\x00\x02")
	binary.Write(&b, binary.BigEndian, uint32(len(entries)))
	for _, e := range entries {
		b.Write(e)
	}
	sum := sha1.Sum(b.Bytes())
	b.Write(sum[:])
	return b.Bytes()
}

func packOf(objects ...raw) []byte {
	var entries [][]byte
	for _, o := range objects {
		entries = append(entries, append(entryHead(kindNumber[o.kind], len(o.data)), squeeze(o.data)...))
	}
	return pack(entries...)
}

func pkt(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }

// request is a receive-pack request of one command.
func request(old, new gateway.OID, ref string, pack []byte) []byte {
	return append([]byte(pkt(fmt.Sprintf("%s %s %s\x00 report-status side-band-64k agent=t", old, new, ref))+"0000"), pack...)
}

// receive pushes raw objects, of which the last is what the ref becomes.
func (w *world) receiveRaw(t testing.TB, lim repository.Limits, objects ...raw) *repository.Push {
	t.Helper()
	head := objects[len(objects)-1]
	return w.receiveBytes(t, lim, request(gateway.ZeroOID, head.id(), agentRef, packOf(objects...)))
}

func (w *world) receiveBytes(t testing.TB, lim repository.Limits, body []byte) *repository.Push {
	t.Helper()
	p, err := w.m.Receive(context.Background(), bytes.NewReader(body), lim)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Discard(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func codes(p *repository.Push) map[string]string {
	out := map[string]string{}
	for _, r := range p.Problems() {
		out[r.Code] += r.Message + "; "
	}
	return out
}

func newZlib(w io.Writer) io.WriteCloser {
	z, err := zlib.NewWriterLevel(w, zlib.BestSpeed)
	if err != nil {
		panic(err)
	}
	return z
}

func asError(err error, e **gateway.Error) bool { return errors.As(err, e) }

// loose writes objects into a repository as git stores them one by one.
func (w *world) loose(repo string, objects ...raw) {
	w.t.Helper()
	for _, o := range objects {
		id := string(o.id())
		path := filepath.Join(repo, "objects", id[:2], id[2:])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		data := squeeze(append(fmt.Appendf(nil, "%s %d\x00", o.kind, len(o.data)), o.data...))
		if err := os.WriteFile(path, data, 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
}
