package repository_test

import (
	"bytes"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"leviathan/gateway"
)

// bigWorld has an upstream of n files and its mirror.
func bigWorld(b *testing.B, n int) *world {
	w := newWorld(b)
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("pkg%d/mod%d/file%d.go", i%20, i%100, i)] = fmt.Sprintf("package p%d\n", i) + randomText(200+i%4000)
	}
	w.commit(w.seed, "many", files)
	w.run(w.seed, "push", "-q", w.upstream, "main")
	w.run(w.upstream, "repack", "-adq")
	w.fetch()
	return w
}

// backend is git's own server on the same upstream.
func (w *world) backend(b *testing.B) string {
	path := filepath.Join(w.run(w.work, "--exec-path"), "git-http-backend")
	if _, err := os.Stat(path); err != nil {
		b.Skip("git-http-backend is not installed")
	}
	w.run(w.upstream, "config", "http.receivepack", "true")
	s := httptest.NewServer(&cgi.Handler{Path: path, Env: []string{"GIT_PROJECT_ROOT=" + w.work, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + w.home, "REMOTE_USER=x"}, Stderr: os.Stderr})
	w.t.Cleanup(s.Close)
	return s.URL + "/up.git"
}

func BenchmarkClone5000Files(b *testing.B) {
	w := bigWorld(b, 5000)
	clone := func(b *testing.B, url string, flags ...string) {
		for b.Loop() {
			dir := filepath.Join(b.TempDir(), "c")
			w.run(w.work, append(append([]string{"clone", "-q", "--bare"}, flags...), url, dir)...)
		}
	}
	backend := w.backend(b)
	b.Run("git-http-backend", func(b *testing.B) { clone(b, backend) })
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if err := removeAll(filepath.Join(w.dir, "cache/*.pack")); err != nil {
				b.Fatal(err)
			}
			w.run(w.work, "clone", "-q", "--bare", w.url(), filepath.Join(b.TempDir(), "c"))
		}
	})
	b.Run("cached", func(b *testing.B) { clone(b, w.url()) })
	b.Run("depth 1 git-http-backend", func(b *testing.B) { clone(b, backend, "--depth", "1") })
	b.Run("depth 1", func(b *testing.B) { clone(b, w.url(), "--depth", "1") })
}

func removeAll(pattern string) error {
	found, err := filepath.Glob(pattern)
	for _, f := range found {
		if err == nil {
			err = os.Remove(f)
		}
	}
	return err
}

func BenchmarkPushOneFile(b *testing.B) {
	w := bigWorld(b, 5000)
	dir := w.clone("c")
	backend := w.backend(b)
	push := func(b *testing.B, url string) {
		n := 0
		for b.Loop() {
			b.StopTimer()
			n++
			w.run(dir, "reset", "-q", "--hard", "origin/main")
			w.commit(dir, "x", map[string]string{"docs/one.md": fmt.Sprint(b.Name(), n, b.N)})
			w.try(w.upstream, "update-ref", "-d", agentRef)
			b.StartTimer()
			w.run(dir, "push", "-q", url, "HEAD:"+agentRef)
		}
	}
	b.Run("git-http-backend", func(b *testing.B) { push(b, backend) })
	b.Run("with checks and forward", func(b *testing.B) { push(b, w.url()) })
}

// The diff alone, on 5,000 files with one change.
func BenchmarkChanges(b *testing.B) {
	w := bigWorld(b, 5000)
	n := blob("new\n")
	listing := bytes.Split(bytes.TrimSuffix(w.pipe(w.upstream, nil, "ls-tree", "-z", "main"), []byte{0}), []byte{0})
	var rows []string
	for _, l := range listing {
		meta, name, _ := bytes.Cut(l, []byte("\t"))
		f := bytes.Fields(meta)
		mode, id := string(bytes.TrimLeft(f[0], "0")), gateway.OID(f[2])
		if string(name) == "README.md" {
			id = n.id()
		}
		rows = append(rows, row(mode, string(name), id))
	}
	t := tree(rows...)
	c := commit(t, w.head())
	p := w.receiveBytes(b, w.limits, request(gateway.ZeroOID, c.id(), agentRef, packOf(n, t, c)))
	for b.Loop() {
		changes, err := p.Changes(b.Context(), w.head())
		if err != nil || len(changes) != 1 {
			b.Fatal(len(changes), err)
		}
	}
}
