package repository_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

func makeFifo(t testing.TB, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedPushIsKeptAsABundle(t *testing.T) {
	w := newWorld(t)
	dir := w.clone("c")
	head := w.commit(dir, "paid work", map[string]string{"docs/guide.md": "changed\n", "docs/x": randomText(9000)})
	var evicted []string
	w.decide = func(p *repository.Push) (bool, string, []string) {
		var err error
		if evicted, err = p.Keep("01J0000000000000000000000A"); err != nil {
			t.Error(err)
		}
		if c := p.Commit(); c.ID != head || c.Message != "paid work\n" || c.Author.Email != "author@example.com" || len(c.Parents) != 1 {
			t.Errorf("commit %+v", c)
		}
		return false, "scope.x", nil
	}
	if out, err := w.try(dir, "push", "origin", "HEAD:"+agentRef); err == nil {
		t.Error(out)
	}
	if len(evicted) != 0 {
		t.Errorf("evicted %v", evicted)
	}
	var bundle bytes.Buffer
	if err := w.m.Bundle(t.Context(), "01J0000000000000000000000A", &bundle); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(w.work, "refused.bundle")
	if err := os.WriteFile(file, bundle.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := w.clone("fresh")
	w.run(fresh, "bundle", "verify", "-q", file)
	w.run(fresh, "fetch", "-q", file, agentRef)
	if got := w.oid(fresh, "FETCH_HEAD"); got != head {
		t.Errorf("the bundle has %s, want %s", got, head)
	}
	w.fsck(fresh)
	// and nobody can fetch it from the mirror
	if out, err := w.try(w.clone("other"), "fetch", "origin", string(head)); err == nil || !strings.Contains(out, "not our ref") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, id := range []string{"unknown", "../x", "", "."} {
		if err := w.m.Bundle(t.Context(), id, &bundle); gateway.KindOf(err) != gateway.NotFound {
			t.Errorf("Bundle of %q: %v", id, err)
		}
	}
}

func TestStoreOfRefusedPushesIsBounded(t *testing.T) {
	w := newWorld(t)
	lim := repository.Limits{StoreBytes: 60_000}
	keep := func(i int) []string {
		b := blob(randomText(20_000) + fmt.Sprint(i))
		tr := tree(row("100644", "f", b.id()))
		p := w.receiveRaw(t, lim, b, tr, commit(tr, w.head()))
		evicted, err := p.Keep(fmt.Sprint("push-", i))
		if err != nil {
			t.Fatal(err)
		}
		// make the order of age sure, whatever the clock's grain
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		if err := os.Chtimes(filepath.Join(w.dir, "refused", fmt.Sprint("push-", i), "push.json"), at, at); err != nil {
			t.Fatal(err)
		}
		return evicted
	}
	var gone []string
	for i := range 8 {
		gone = append(gone, keep(i)...)
	}
	left, err := os.ReadDir(filepath.Join(w.dir, "refused"))
	if err != nil {
		t.Fatal(err)
	}
	if len(gone) == 0 || len(gone)+len(left) != 8 || gone[0] != "push-0" {
		t.Errorf("evicted %v, left %v", gone, left)
	}
	old := time.Now().Add(-31 * 24 * time.Hour)
	if err := os.Chtimes(filepath.Join(w.dir, "refused/push-7/push.json"), old, old); err != nil {
		t.Fatal(err)
	}
	if evicted, err := w.m.Evict(lim); err != nil || len(evicted) != 1 || evicted[0] != "push-7" {
		t.Errorf("Evict: %v %v", evicted, err)
	}
	b := blob(randomText(200_000))
	tr := tree(row("100644", "f", b.id()))
	p := w.receiveRaw(t, lim, b, tr, commit(tr, w.head()))
	if _, err := p.Keep("huge"); gateway.KindOf(err) != gateway.TooLarge {
		t.Errorf("a push larger than the store: %v", err)
	}
	if _, err := w.receiveRaw(t, lim, tree(), commit(tree(), w.head())).Keep("push-6"); gateway.KindOf(err) != gateway.Conflict {
		t.Errorf("an id that is taken: %v", err)
	}
	if _, err := p.Keep("../escape"); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("a bad id: %v", err)
	}
}

func TestCrashLeavesNothingThatHurts(t *testing.T) {
	w := newWorld(t)
	head := w.head()
	if err := w.m.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"quarantine/push-1/raw.pack": "half", "cache/.tmp-1": "half", "objects/pack/.tmp-fetch-1": "half",
		"objects/pack/pack-1111111111111111111111111111111111111111.pack": "no index yet", ".tmp-9": "half a packed-refs",
	} {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open(repository.Upstream{URL: w.upstream})
	if w.head() != head {
		t.Error("the head is another")
	}
	for _, name := range []string{"quarantine/*", "cache/.tmp*", "objects/pack/.tmp*", "objects/pack/pack-1111*", ".tmp*"} {
		if found, _ := filepath.Glob(filepath.Join(w.dir, name)); len(found) > 0 {
			t.Errorf("left: %v", found)
		}
	}
	w.fsck(w.dir)
	w.fsck(w.clone("after"))
	if st, err := os.Stat(filepath.Join(w.dir, "quarantine")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("quarantine: %v %v", st.Mode(), err)
	}
}

func TestFetchPrunesAndPinsKeep(t *testing.T) {
	w := newWorld(t)
	w.run(w.upstream, "update-ref", "refs/heads/agent/a", "main~2")
	w.run(w.upstream, "update-ref", "refs/heads/feature", "main~1")
	w.run(w.upstream, "update-ref", "refs/pull/3/head", "main~3")
	refs := w.fetch()
	if len(refs) != 4 {
		t.Errorf("refs: %v", refs)
	}
	if _, err := w.m.Head("feature"); gateway.KindOf(err) != gateway.NotFound {
		t.Errorf("a branch that is none of ours: %v", err)
	}
	base := w.head()
	if err := w.m.Pin("attempt", base); err != nil {
		t.Fatal(err)
	}
	if err := w.m.Pin("x", gateway.OID(strings.Repeat("ab", 20))); gateway.KindOf(err) != gateway.NotFound {
		t.Errorf("pin of an unknown commit: %v", err)
	}
	if err := w.m.Pin("../x", base); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("pin with a bad name: %v", err)
	}
	early := w.change(t, "early", gateway.ZeroOID)
	// the branch is rewound, and then so many fetches that the mirror compacts
	w.run(w.upstream, "update-ref", "-d", "refs/heads/agent/a")
	tip := w.oid(w.upstream, "main~4")
	for i := range 26 {
		b := blob(fmt.Sprint(i))
		tr := tree(row("100644", "new", b.id()))
		c := commit(tr, tip)
		w.loose(w.upstream, b, tr, c)
		w.run(w.upstream, "update-ref", "refs/heads/main", string(c.id()))
		tip = c.id()
		w.fetch()
	}
	// a push that was checked before the mirror was rewritten is not lost
	if err := early.Forward(t.Context()); err != nil {
		t.Error(err)
	}
	w.fetch()
	if got, err := w.m.Head(strings.TrimPrefix(agentRef, "refs/heads/")); err != nil || got != early.New() {
		t.Errorf("the mirror has %s (%v), want %s", got, err, early.New())
	}
	if _, err := w.m.Head("agent/a"); gateway.KindOf(err) != gateway.NotFound {
		t.Errorf("a branch that is gone: %v", err)
	}
	packs, err := filepath.Glob(filepath.Join(w.dir, "objects/pack/*.pack"))
	if err != nil || len(packs) > 25 {
		t.Errorf("%d packs (%v)", len(packs), err)
	}
	if data, err := w.m.ReadFile(t.Context(), base, "src/6.go", 0); err != nil || !strings.Contains(string(data), "// 6") {
		t.Errorf("the pinned commit: %q %v", data, err)
	}
	w.fsck(w.dir)
	w.fsck(w.clone("c"))
	if err := w.m.Unpin("attempt"); err != nil {
		t.Error(err)
	}
}

func TestReadFile(t *testing.T) {
	w := newWorld(t)
	head := w.head()
	if data, err := w.m.ReadFile(t.Context(), head, "docs/guide.md", 1<<20); err != nil || !strings.HasPrefix(string(data), "guide\n") {
		t.Errorf("%q %v", data, err)
	}
	for path, kind := range map[string]gateway.Kind{
		"docs": gateway.NotFound, "docs/none": gateway.NotFound, "": gateway.NotFound, "docs/guide.md/x": gateway.NotFound, "../README.md": gateway.NotFound,
		"/README.md": gateway.NotFound, "README.md": gateway.TooLarge,
	} {
		if _, err := w.m.ReadFile(t.Context(), head, path, 100); gateway.KindOf(err) != kind {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := w.m.ReadFile(t.Context(), gateway.OID(strings.Repeat("0a", 20)), "x", 0); gateway.KindOf(err) != gateway.NotFound {
		t.Errorf("unknown commit: %v", err)
	}
	if _, err := w.m.ReadFile(t.Context(), "main", "x", 0); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("not an id: %v", err)
	}
}

func TestReadersAndWritersTogether(t *testing.T) {
	w := newWorld(t)
	view, err := w.view()
	if err != nil {
		t.Fatal(err)
	}
	want := []byte(pkt("want "+string(w.head())+" multi_ack_detailed side-band-64k ofs-delta\n") + "0000" + pkt("done\n"))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 5 {
				var out bytes.Buffer
				if _, err := w.m.UploadPack(context.Background(), &out, bytes.NewReader(want), view); err != nil {
					t.Error(err)
				}
				if _, err := w.m.ReadFile(context.Background(), view.Refs["refs/heads/main"], "README.md", 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	old := gateway.ZeroOID
	for i := range 6 {
		p := w.change(t, fmt.Sprint(i), old)
		wg.Go(func() {
			if _, err := w.m.Fetch(context.Background(), "main"); err != nil {
				t.Error(err)
			}
		})
		if err := p.Forward(t.Context()); err != nil {
			t.Error(err)
		}
		old = p.New()
	}
	wg.Wait()
	w.fsck(w.dir)
}

func TestProbeAndMalformedRequests(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{"", "0000"} {
		if p, err := w.m.Receive(t.Context(), strings.NewReader(body), repository.Limits{}); err != repository.ErrProbe || p != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, body := range []string{"zzzz", "0008junk0000", "00", pkt("shallow x") + "0000", pkt("shallow "+strings.Repeat("a", 40)+"\n") + "0000", "ffff"} {
		if p, err := w.m.Receive(t.Context(), strings.NewReader(body), repository.Limits{}); gateway.KindOf(err) != gateway.Invalid || p != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	if err := w.m.AdvertiseRefs(&bytes.Buffer{}, "git-upload-archive", repository.View{}); gateway.KindOf(err) != gateway.Invalid {
		t.Errorf("another service: %v", err)
	}
	view, err := w.view()
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{pkt("want x\n") + "0000", pkt("want "+string(w.head())+"\n") + pkt("deepen -1") + "0000", pkt("want "+string(w.head())+"\n") + pkt("filter blob:none") + "0000"} {
		var out bytes.Buffer
		if _, err := w.m.UploadPack(t.Context(), &out, strings.NewReader(body), view); gateway.KindOf(err) != gateway.Invalid || !strings.Contains(out.String(), "ERR ") {
			t.Errorf("%q: %v, %q", body, err, out.String())
		}
	}
}

func TestEmptyViewIsAnEmptyClone(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	if err := w.m.AdvertiseRefs(&out, "git-receive-pack", repository.View{}); err != nil || !strings.Contains(out.String(), "capabilities^{}\x00") {
		t.Errorf("%q %v", out.String(), err)
	}
}
