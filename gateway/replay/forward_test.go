package replay_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// A receiver takes decision logs, and fails when it is told to.
type receiver struct {
	mu     sync.Mutex
	ids    []string
	status []int // of the next answers; 0 kills the connection after taking the batch
	tokens []string
	lost   int // decisions that were taken without an answer
	took   chan struct{}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.took <- struct{}{} }()
	r.tokens = append(r.tokens, req.Header.Get("Authorization"))
	status := http.StatusOK
	if len(r.status) > 0 {
		status, r.status = r.status[0], r.status[1:]
	}
	zip, err := gzip.NewReader(req.Body)
	if err != nil || req.Header.Get("Content-Encoding") != "gzip" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(zip)
	var events []json.RawMessage
	if err = errors.Join(err, json.Unmarshal(body, &events)); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if status/100 == 2 || status == 0 {
		for _, e := range events {
			var id struct {
				ID string `json:"decision_id"`
			}
			if json.Unmarshal(e, &id) == nil {
				r.ids = append(r.ids, id.ID)
			}
		}
	}
	if status == 0 {
		r.lost += len(events)
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

// forward runs a forwarder until stop is called, which returns its error.
func forward(t *testing.T, j *journal.Journal, url string) (f *replay.Forwarder, stop func() error) {
	t.Helper()
	f = &replay.Forwarder{Journal: j, URL: url, Token: func() (string, error) { return "canary", nil }, Client: http.DefaultClient,
		Logger: slog.New(slog.DiscardHandler), Backoff: &backoff.ConstantBackOff{Interval: time.Millisecond}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	return f, sync.OnceValue(func() error { cancel(); return <-done })
}

func TestAnOutageOfTheReceiverLosesNothing(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	q := seed(t, gateway.ActionAttemptHeartbeat)
	for n := range 700 { // more than one batch
		decide(t, j, policy, n, q)
	}
	r := &receiver{took: make(chan struct{}, 100), status: []int{503, 500, 0, 429}}
	server := httptest.NewServer(r)
	defer server.Close()
	_, stop := forward(t, j, server.URL)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	for range 5 { // four that fail, of which the third was taken all the same
		<-r.took
	}
	for n := 700; n < 703; n++ {
		decide(t, j, policy, n, q)
	}
	seen := map[string]bool{}
	for len(seen) < 703 {
		<-r.took
		r.mu.Lock()
		for _, id := range r.ids {
			seen[id] = true
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ids) != 703+r.lost || r.lost == 0 { // the batch whose answer was lost came twice, nothing else did
		t.Errorf("%d decisions arrived", len(r.ids))
	}
	for _, token := range r.tokens {
		if token != "Bearer canary" {
			t.Errorf("the token was %q", token)
		}
	}
}

func TestARestartGoesOnWhereTheReceiverWas(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	q := seed(t, gateway.ActionAttemptHeartbeat)
	r := &receiver{took: make(chan struct{}, 100)}
	server := httptest.NewServer(r)
	defer server.Close()
	for round := range 3 {
		decide(t, j, policy, round, q)
		f, stop := forward(t, j, server.URL)
		<-r.took
		for { // the cursor is stored after the answer
			if seq, err := j.Cursor(t.Context(), "decision_log"); err != nil || seq == j.Seq() {
				if got, failing := f.Cursor(); err != nil || failing {
					t.Errorf("the cursor is %d, failing %v, %v", got, failing, err)
				}
				break
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.ids) != 3 {
		t.Errorf("three decisions arrived as %v", r.ids)
	}
}

func TestAReceiverThatHangsDelaysNobody(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	release := make(chan struct{})
	reached := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
		<-release
	}))
	defer server.Close()
	q := seed(t, gateway.ActionAttemptHeartbeat)
	decide(t, j, policy, 0, q)
	_, stop := forward(t, j, server.URL)
	<-reached
	for n := 1; n < 50; n++ {
		decide(t, j, policy, n, q) // would hang if it waited
	}
	close(release)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestAFailureIsLoggedOnceAndWithoutTheToken(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	decide(t, j, policy, 0, seed(t, gateway.ActionAttemptHeartbeat))
	r := &receiver{took: make(chan struct{}, 100), status: []int{503, 503, 503}}
	server := httptest.NewServer(r)
	defer server.Close()
	var log bytes.Buffer
	f := &replay.Forwarder{Journal: j, URL: server.URL, Token: func() (string, error) { return "canary", nil }, Client: http.DefaultClient,
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Backoff: &backoff.ConstantBackOff{Interval: time.Millisecond}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	for range 4 {
		<-r.took
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "does not take decisions") != 1 || strings.Contains(text, "canary") {
		t.Errorf("the log says %s", text)
	}
}

func TestAReceiverWithLittleRoomGetsEveryDecision(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit func(events []replay.LogEvent) bool // whether this is too large
		whole bool
	}{
		{"few at once", func(events []replay.LogEvent) bool { return len(events) > 7 }, true},
		{"no inputs at all", func(events []replay.LogEvent) bool { return len(events) > 1 || events[0].Input != nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, policy := openJournal(t), shipped(t)
			for n := range 40 {
				decide(t, j, policy, n, seed(t, gateway.ActionAttemptHeartbeat))
			}
			taken := make(chan replay.LogEvent, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				var events []replay.LogEvent
				zip, err := gzip.NewReader(req.Body)
				if err == nil {
					err = json.NewDecoder(zip).Decode(&events)
				}
				switch {
				case err != nil:
					w.WriteHeader(http.StatusBadRequest)
				case c.limit(events):
					w.WriteHeader(http.StatusRequestEntityTooLarge)
				default:
					for _, e := range events {
						taken <- e
					}
				}
			}))
			defer server.Close()
			_, stop := forward(t, j, server.URL)
			var last int64
			for range 40 {
				e := <-taken
				if e.Custom.Seq <= last {
					t.Fatalf("decision %d arrived after %d", e.Custom.Seq, last)
				}
				last = e.Custom.Seq
				if whole := e.Input != nil && e.Custom.Incomplete == ""; whole != c.whole {
					t.Errorf("decision %s: input %d bytes, incomplete %q", e.DecisionID, len(e.Input), e.Custom.Incomplete)
				}
			}
			if last != j.Seq() {
				t.Errorf("the last decision that arrived is record %d of %d", last, j.Seq())
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
