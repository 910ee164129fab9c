package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// A clock is a wall clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func open(t testing.TB, dir string, c *clock) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: dir, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() }) // tests that care close it themselves
	return j
}

func commit(t testing.TB, j *journal.Journal, fn func(*journal.Tx) error) {
	t.Helper()
	if err := j.Commit(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func appendAll(t testing.TB, j *journal.Journal, payloads ...journal.Payload) {
	t.Helper()
	commit(t, j, func(tx *journal.Tx) error {
		for _, p := range payloads {
			if _, err := tx.Append(journal.NewEvent("test", p)); err != nil {
				return err
			}
		}
		return nil
	})
}

// decision is r as a decision over the parts.
func decision(t testing.TB, r journal.Record, parts map[string]string) journal.Record {
	t.Helper()
	body := journal.DecisionBody{
		Decision: journal.DecisionHead{InputDigest: "sha256:00"},
		Inline:   map[string]json.RawMessage{"subject": json.RawMessage(`{"id":"w","type":"component"}`), "action": json.RawMessage(`"x"`)},
		Parts:    map[string]string{}, Result: json.RawMessage(`{"allow":true}`),
	}
	for name, text := range parts {
		p, err := journal.NewPart(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		body.Parts[name] = p.Digest
		r.Parts = append(r.Parts, p)
	}
	r.Kind, r.Origin, r.Body = journal.Decision, journal.Gateway, body
	if r.Decision == nil {
		r.Decision = &journal.DecisionIndex{Allow: true, Revision: "r1", PolicyDigest: "sha256:11", AskedBy: "tok"}
	}
	return r
}

// decide appends a decision and returns its id.
func decide(t testing.TB, j *journal.Journal, r journal.Record, parts map[string]string) string {
	t.Helper()
	var id string
	commit(t, j, func(tx *journal.Tx) error {
		a, err := tx.Append(decision(t, r, parts))
		id = a.ID
		return err
	})
	return id
}

func TestSecondOpenNamesTheOwner(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, newClock())
	_, err := journal.Open(t.Context(), journal.Config{Dir: dir})
	want := fmt.Sprintf("another gateway already runs on %s (pid %d)", dir, os.Getpid())
	if err == nil || err.Error() != want {
		t.Fatalf("second open: %v, want %s", err, want)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, newClock())
	for name, want := range map[string]os.FileMode{"leviathan.db": 0o600, "lock": 0o600, "keys/journal.key": 0o600, "keys/journal.pub": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
}

func TestReopenContinues(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	for range 600 {
		decide(t, j, journal.Record{Type: "route.read"}, nil)
	}
	appendAll(t, j, registered("demo"))
	before, err := j.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	facts := j.FactsSeq("demo")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(t.Context(), func(*journal.Tx) error { return nil }); !isNotRecorded(err) {
		t.Fatalf("commit after close: %v", err)
	}
	j = open(t, dir, c)
	after, err := j.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Fatalf("checkpoint moved over a restart:\n%s\n%s", before, after)
	}
	if j.Seq() != 601 || j.FactsSeq("demo") != facts || facts != 601 {
		t.Fatalf("seq %d, facts %d, want 601 and %d", j.Seq(), j.FactsSeq("demo"), facts)
	}
	s, err := j.State("demo")
	if err != nil || s.Registered == nil || s.Registered.RepoURL != "/srv/demo.git" {
		t.Fatalf("state after restart: %+v, %v", s, err)
	}
}

func TestTimesNeverGoBackButAfterClockAccepted(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	at := func() gateway.Time {
		var got gateway.Time
		commit(t, j, func(tx *journal.Tx) error {
			a, err := tx.Append(journal.NewEvent("test", journal.GatewayStarted{}))
			if !a.At.Equal(tx.Now().Time) {
				t.Errorf("record at %s in a turn at %s", a.At, tx.Now())
			}
			got = a.At
			return err
		})
		return got
	}
	first := at()
	c.add(-time.Hour)
	if got := j.Clock(); got != time.Hour {
		t.Fatalf("clock is behind by %s, want 1h", got)
	}
	if second := at(); !second.Equal(first.Time) {
		t.Fatalf("record at %s after one at %s", second, first)
	}
	appendAll(t, j, journal.ClockAccepted{By: "operator", BehindSeconds: 3600})
	if got := j.Clock(); got != 0 {
		t.Fatalf("clock is behind by %s after it was accepted", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, c) // a restart keeps what was accepted
	if third := at(); !third.Equal(first.Add(-time.Hour)) {
		t.Fatalf("record at %s after clock.accepted, want %s", third, first.Add(-time.Hour))
	}
	verifyDir(t, j, dir)
}

func TestClockAcceptedInsideATurn(t *testing.T) {
	c := newClock()
	j := open(t, t.TempDir(), c)
	appendAll(t, j, journal.GatewayStarted{})
	c.add(-time.Minute)
	commit(t, j, func(tx *journal.Tx) error {
		before := tx.Now()
		if _, err := tx.Append(journal.NewEvent("op", journal.ClockAccepted{})); err != nil {
			return err
		}
		if d := before.Sub(tx.Now().Time); d != time.Minute {
			t.Errorf("after clock.accepted the turn is %s earlier, want 1m", d)
		}
		return nil
	})
}

func TestPartsAreStoredOnceAndLoadedBack(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	long := `"` + strings.Repeat("backlog ", 4000) + `"`
	var id string
	for range 50 {
		id = decide(t, j, journal.Record{Type: "cycle.plan", Target: "demo"}, map[string]string{"backlog": long, "config": `{"a":1}`})
	}
	d, found, err := j.Decision(t.Context(), gateway.DecisionID(id))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if want := `{"action":"x","backlog":` + long + `,"config":{"a":1},"subject":{"id":"w","type":"component"}}`; string(d.Input) != want {
		t.Fatalf("input is %.80s…, want %.80s…", d.Input, want)
	}
	if d.Action != "cycle.plan" || string(d.Result) != `{"allow":true}` || !d.Decision || d.Revision != "r1" || d.AskedBy != "tok" || d.Target != "demo" {
		t.Fatalf("decision reads back as %+v", d)
	}
	stats, err := j.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Records != 50 || stats.Projected["decision"]+stats.Projected["decision_fresh"] != 50 {
		t.Fatalf("stats: %+v", stats)
	}
	if _, found, err := j.Decision(t.Context(), "01JZZZZZZZZZZZZZZZZZZZZZZZ"); found || err != nil {
		t.Fatalf("unknown decision: found %v, %v", found, err)
	}
}

func TestPartMustBeWhatItsDigestSays(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	p, err := journal.NewPart(map[string]int{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	p.Bytes = []byte(`{"a":2}`)
	err = j.Commit(t.Context(), func(tx *journal.Tx) error {
		_, err := tx.Append(journal.Record{Kind: journal.Decision, Origin: journal.Gateway, Type: "x.y", Parts: []journal.Part{p}, Decision: &journal.DecisionIndex{}})
		return err
	})
	if gateway.KindOf(err) != gateway.Invalid {
		t.Fatalf("a forged part: %v", err)
	}
	if j.Seq() != 0 {
		t.Fatalf("seq %d after a refused record", j.Seq())
	}
}

func TestRepeatedEventIsToldFromConflict(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	r := journal.Record{
		Kind: journal.Event, Origin: journal.External, ID: "e1", Type: "attempt.created", Actor: "w",
		Body: []byte(`{"b":1.0, "a":"é"}`),
	}
	commit(t, j, func(tx *journal.Tx) error { _, err := tx.Append(r); return err })
	same := r
	same.Body = []byte(`{"a":"é","b":1}`)
	other := r
	other.Body = []byte(`{"a":"é","b":2}`)
	commit(t, j, func(tx *journal.Tx) error {
		stored, found, err := tx.HasEvent("e1")
		if err != nil || !found {
			t.Errorf("e1: found %v, %v", found, err)
		}
		if got, err := same.BodyDigest(); err != nil || got != stored {
			t.Errorf("the same body has digest %s, stored %s, %v", got, stored, err)
		}
		if got, _ := other.BodyDigest(); got == stored {
			t.Error("another body has the stored digest")
		}
		_, found, err = tx.HasEvent("e2")
		if found || err != nil {
			t.Errorf("e2: found %v, %v", found, err)
		}
		return nil
	})
	err := j.Commit(t.Context(), func(tx *journal.Tx) error { _, err := tx.Append(other); return err })
	if gateway.KindOf(err) != gateway.Conflict {
		t.Fatalf("a taken id: %v", err)
	}
}

func TestRecordsThatAreNotWellFormed(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	good := journal.Record{Kind: journal.Event, Origin: journal.Gateway, Type: "x.y"}
	for name, edit := range map[string]func(*journal.Record){
		"kind":           func(r *journal.Record) { r.Kind = "note" },
		"origin":         func(r *journal.Record) { r.Origin = "elsewhere" },
		"type":           func(r *journal.Record) { r.Type = "" },
		"type control":   func(r *journal.Record) { r.Type = "a\nb" },
		"id":             func(r *journal.Record) { r.ID = "not-a-ulid" },
		"target":         func(r *journal.Record) { r.Target = "UPPER" },
		"attempt":        func(r *journal.Record) { r.Attempt = "a1" },
		"index missing":  func(r *journal.Record) { r.Kind = journal.Decision },
		"index on event": func(r *journal.Record) { r.Decision = &journal.DecisionIndex{} },
		"claimed decision": func(r *journal.Record) {
			r.Kind, r.Origin, r.Decision = journal.Decision, journal.External, &journal.DecisionIndex{}
		},
		"body":     func(r *journal.Record) { r.Body = []byte(`{`) },
		"raw body": func(r *journal.Record) { r.Body = json.RawMessage(`{`) },
		"schema":   func(r *journal.Record) { r.SchemaVersion = 2 },
		"utf-8":    func(r *journal.Record) { r.Task = "\xff" },
		"actor":    func(r *journal.Record) { r.Actor = "\xff" },
	} {
		r := good
		edit(&r)
		err := j.Commit(t.Context(), func(tx *journal.Tx) error { _, err := tx.Append(r); return err })
		if gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	if j.Seq() != 0 {
		t.Fatalf("seq %d, want 0", j.Seq())
	}
}

func TestWait(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	got := make(chan int64)
	go func() {
		seq, err := j.Wait(t.Context(), 0)
		if err != nil {
			t.Error(err)
		}
		got <- seq
	}()
	appendAll(t, j, journal.GatewayStarted{})
	if seq := <-got; seq != 1 {
		t.Fatalf("waited for record %d, want 1", seq)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Wait(ctx, 1); err != context.Canceled {
		t.Fatalf("wait with an ended context: %v", err)
	}
}

func TestAReaderOfAClosedJournalIsToldSo(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := j.Attempt(context.Background(), "01JAZ0000000000000000000AA")
	if !errors.Is(err, gateway.ErrUnknown) || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a read after Close ends with %v", err)
	}
}
