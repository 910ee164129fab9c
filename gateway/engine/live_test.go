package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"leviathan/gateway/engine"
)

func TestActivate(t *testing.T) {
	first := load(t, smallBundle(t))
	second := load(t, with(t, map[string]string{".manifest": `{"revision": "small-2"}`}))
	e := engine.New(first)
	e.Activate(nil)
	if e.Current() != first || e.Previous() != nil {
		t.Fatal("nil was activated")
	}
	e.Activate(second)
	if e.Current() != second || e.Previous() != first {
		t.Fatal("the second is not live")
	}
	e.Activate(load(t, with(t, map[string]string{".manifest": `{"revision": "small-2"}`})))
	if e.Current() != second || e.Previous() != first {
		t.Fatal("activating the live bundle again lost the previous one")
	}
	e.Activate(e.Previous())
	if e.Current() != first || e.Previous() != second {
		t.Fatal("no rollback")
	}
}

// numbered is a bundle whose every answer carries n in two places.
func numbered(n int) fstest.MapFS {
	return fstest.MapFS{
		".manifest":    {Data: fmt.Appendf(nil, `{"revision": "r%d"}`, n)},
		"data.json":    {Data: fmt.Appendf(nil, `{"leviathan": {"n": %d}}`, n)},
		"a/a.rego":     {Data: fmt.Appendf(nil, "package leviathan.a\n\nn := %d\n", n)},
		"main.rego":    {Data: []byte(patient + "package leviathan.main\n\nimport data.leviathan.a\n\ndecision := {\"allow\": input.action == \"x\", \"reasons\": [], \"obligations\": {\"rule\": a.n, \"data\": data.leviathan.n}}\n")},
		"m_test.rego":  {Data: []byte("package leviathan.m_test\n\nimport data.leviathan.main\n\ntest_it if main.decision.allow with input.action as \"x\"\n")},
		"ignored.text": {Data: []byte("x")},
	}
}

func TestHotSwapNeverMixes(t *testing.T) {
	bundles := []*engine.Snapshot{load(t, numbered(0)), load(t, numbered(1))}
	e := engine.New(bundles[0])
	in := question(t, map[string]any{"action": "x"}) // shared by all
	done := make(chan struct{})
	var deciders sync.WaitGroup
	for range 4 {
		deciders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				s := e.Current()
				r := s.Decide(background, "x", in)
				n := strings.TrimPrefix(s.Revision(), "r")
				if want := `{"data":` + n + `,"rule":` + n + `}`; !r.Allow || string(r.Obligations) != want {
					t.Errorf("revision %s answered %s", s.Revision(), r.JSON)
					return
				}
			}
		})
	}
	for i := range 400 {
		e.Activate(bundles[i%2])
	}
	for range 3 { // with loading and testing going on
		s := load(t, numbered(1))
		if _, err := s.Test(background, engine.TestOptions{}); err != nil {
			t.Error(err)
		}
		e.Activate(s)
		e.Activate(bundles[0])
	}
	close(done)
	deciders.Wait()
}

// watched is a Follow under test.
type watched struct {
	engine  *engine.Engine
	results chan outcome
}

type outcome struct {
	s   *engine.Snapshot
	err error
}

// watch follows a folder; the test ends it and waits for it.
func watch(t *testing.T, e *engine.Engine, dir string, gate func(context.Context, *engine.Snapshot) error) watched {
	t.Helper()
	return follow(t, e, dir, engine.PolicySourceOptions{}, gate)
}

// follow follows any source. The end of a problem is not among the results.
func follow(t *testing.T, e *engine.Engine, name string, opts engine.PolicySourceOptions, gate func(context.Context, *engine.Snapshot) error) watched {
	t.Helper()
	source, err := engine.OpenSource(name, opts)
	if err != nil {
		t.Fatal(err)
	}
	w := watched{engine: e, results: make(chan outcome, 64)}
	events := engine.SourceEvents{
		Active:  func(s *engine.Snapshot) { w.results <- outcome{s, nil} },
		Refused: func(_ []engine.StepResult, err error) { w.results <- outcome{nil, err} },
		Problem: func(err error) {
			if err != nil {
				w.results <- outcome{nil, err}
			}
		},
	}
	if gate != nil {
		events.Offer = func(ctx context.Context, s *engine.Snapshot, _ []engine.StepResult) error {
			if err := gate(ctx, s); err != nil {
				return err
			}
			e.Activate(s)
			return nil
		}
	}
	ctx, cancel := context.WithCancel(background)
	ended := make(chan error, 1)
	go func() { ended <- e.Follow(ctx, source, events) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Follow ended with %v", err)
		}
	})
	return w
}

// activated waits for the revision to be reported as live.
func (w watched) activated(t *testing.T, revision string) {
	t.Helper()
	o := w.next(t)
	if o.err != nil || o.s.Revision() != revision || w.engine.Current().Revision() != revision {
		t.Fatalf("got %+v with %s live, want %s", o, w.engine.Current().Revision(), revision)
	}
}

// refused waits for a refusal that says all of the texts.
func (w watched) refused(t *testing.T, stays string, says ...string) {
	t.Helper()
	o := w.next(t)
	if o.err == nil || o.s != nil {
		t.Fatalf("got %+v, want a refusal", o)
	}
	for _, text := range says {
		if !strings.Contains(o.err.Error(), text) {
			t.Errorf("%q does not say %q", o.err, text)
		}
	}
	if w.engine.Current().Revision() != stays {
		t.Errorf("%s is live, want %s", w.engine.Current().Revision(), stays)
	}
}

func (w watched) next(t *testing.T) outcome {
	t.Helper()
	select {
	case o := <-w.results:
		return o
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was reported")
		return outcome{}
	}
}

// quick is an Engine that settles fast and hardly polls, so that the test sees
// notifications; polling is one that lives on polls alone.
func quick(s *engine.Snapshot) *engine.Engine {
	return engine.WithIntervals(engine.New(s), time.Hour, 20*time.Millisecond)
}

// replace puts a file into the place of another at once, as an editor does.
func replace(t *testing.T, dir, name, text string) {
	t.Helper()
	next := filepath.Join(dir, ".next")
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	write(t, dir, numbered(1))
	first, err := engine.LoadDir(t.Context(), dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var gated []string
	w := watch(t, quick(first), dir, func(_ context.Context, s *engine.Snapshot) error {
		if gated = append(gated, s.Revision()); s.Revision() == "r4" {
			return errors.New("not this one")
		}
		return nil
	})

	replace(t, dir, "a/a.rego", "package leviathan.a\n\nn = := 2\n")
	w.refused(t, "r1", "step parse", "a/a.rego:3")

	replace(t, dir, "a/a.rego", "package leviathan.a\n\nn := 1\n") // the edit is taken back
	w.activated(t, "r1")

	replace(t, dir, ".manifest", `{"revision": "r2"}`)
	w.activated(t, "r2")

	test := string(numbered(1)["m_test.rego"].Data)
	replace(t, dir, "m_test.rego", "package leviathan.m_test\n\ntest_it if 1 == 2\n")
	w.refused(t, "r2", "step test", "m_test.rego:3", "test_it")

	replace(t, dir, "m_test.rego", test)
	w.activated(t, "r2")

	replace(t, dir, "new/deep/b.rego", "package leviathan.b\n\nx := http.send({})\n")
	w.refused(t, "r2", "new/deep/b.rego:3", "http.send is forbidden")

	replace(t, dir, "new/deep/b.rego", "package leviathan.b\n\nx := 1\n")
	w.activated(t, "r2")

	replace(t, dir, ".manifest", `{"revision": "r4"}`)
	w.refused(t, "r2", "r4", "not this one")

	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	w.refused(t, "r2", "read policies from "+dir)
	if got := strings.Join(gated, " "); got != "r2 r2 r4" {
		t.Errorf("the gate was asked about %s", got)
	}
}

func TestFollowActivatesTheFirst(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, numbered(1))
	w := watch(t, quick(nil), dir, nil)
	w.activated(t, "r1")
}

func TestFollowLeavesARollback(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, numbered(1))
	e := engine.WithIntervals(engine.New(load(t, numbered(1))), 5*time.Millisecond, time.Millisecond)
	w := watch(t, e, dir, nil)
	replace(t, dir, ".manifest", `{"revision": "r2"}`)
	w.activated(t, "r2")
	e.Activate(e.Previous())
	replace(t, dir, ".manifest", `{"revision": "r3"}`)
	w.activated(t, "r3") // and nothing about r2 in between
	if e.Previous().Revision() != "r1" {
		t.Errorf("the rollback to r1 was undone: previous is %s", e.Previous().Revision())
	}
}

// A mounted ConfigMap: files are links through ..data, which is swapped.
func TestFollowSeesConfigMaps(t *testing.T) {
	for name, poll := range map[string]time.Duration{"notified": time.Hour, "polled": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			place := func(version string, bundle fstest.MapFS) {
				t.Helper()
				write(t, filepath.Join(dir, version), bundle)
				if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
					t.Fatal(err)
				}
			}
			place("..2026_01", numbered(1))
			for _, entry := range []string{".manifest", "data.json", "a", "main.rego", "m_test.rego"} {
				if err := os.Symlink("..data/"+entry, filepath.Join(dir, entry)); err != nil {
					t.Fatal(err)
				}
			}
			first, err := engine.LoadDir(t.Context(), dir, engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if first.Digest() != load(t, numbered(1)).Digest() {
				t.Fatal("the links were not followed")
			}
			w := watch(t, engine.WithIntervals(engine.New(first), poll, 5*time.Millisecond), dir, nil)
			place("..2026_02", numbered(2))
			w.activated(t, "r2")
		})
	}
}

func TestFollowSeesASwappedFolder(t *testing.T) {
	base := t.TempDir()
	write(t, filepath.Join(base, "v1"), numbered(1))
	write(t, filepath.Join(base, "v2"), numbered(2))
	dir := filepath.Join(base, "current")
	if err := os.Symlink("v1", dir); err != nil {
		t.Fatal(err)
	}
	w := watch(t, quick(load(t, numbered(1))), dir, nil)
	if err := os.Symlink("v2", dir+".tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".tmp", dir); err != nil {
		t.Fatal(err)
	}
	w.activated(t, "r2")
}
