package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leviathan/gateway/cluster"
)

// A holder is one process that wants the Lease, on the bubble's clock.
type holder struct {
	*cluster.Lease
	ahead time.Duration // that its elapsed clock jumped
}

func newHolder(t testing.TB, a *api, name string, logs io.Writer, tune func(*cluster.LeaseConfig)) *holder {
	t.Helper()
	h, began := &holder{}, time.Now()
	cfg := cluster.LeaseConfig{Name: leaseName, Holder: name, Elapsed: func() time.Duration { return time.Since(began) + h.ahead }}
	if tune != nil {
		tune(&cfg)
	}
	var err error
	if h.Lease, err = a.client(t, logs).Lease(cfg); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *holder) acquire(t testing.TB) {
	t.Helper()
	if err := h.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// keep renews until stop, which returns what Keep did.
func (h *holder) keep(t testing.TB) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Keep(ctx) }()
	return func() error { cancel(); return <-ended }
}

func isLost(l *cluster.Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

func TestAnotherIsWaitedForAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		var logs bytes.Buffer
		first, second := newHolder(t, a, "pod-a/1", io.Discard, nil), newHolder(t, a, "pod-b/2", &logs, nil)
		if err := first.Held(); err == nil || !strings.Contains(err.Error(), "never acquired") {
			t.Errorf("held before it was acquired: %v", err)
		}
		first.acquire(t)
		stop := first.keep(t)
		got := make(chan error, 1)
		go func() { got <- second.Acquire(t.Context()) }()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if second.Held() == nil || first.Held() != nil || first.Epoch() != 1 {
			t.Fatalf("first: %v with epoch %d; second: %v", first.Held(), first.Epoch(), second.Held())
		}
		if n := strings.Count(logs.String(), "pod-a/1"); n != 1 {
			t.Errorf("who is waited for is said %d times:\n%s", n, logs.String())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		released := time.Now()
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first.Held() == nil {
			t.Error("held after it was released")
		}
		if err := <-got; err != nil || second.Epoch() != 2 {
			t.Fatalf("second: %v with epoch %d", err, second.Epoch())
		}
		if waited := time.Since(released); waited > 2*time.Second {
			t.Errorf("the next one waited %s for a Lease that was given back", waited)
		}
		if st := second.Status(); st.Lease != "leviathan/"+leaseName || st.Holder != "pod-b/2" || st.Epoch != 2 || st.HeldForSeconds != 12 || st.Problem != "" {
			t.Errorf("status %+v", st)
		}
	})
}

// TestNoTwoHoldAtOnce lets five processes with clocks that differ by days crash,
// pause and come back, on an API that fails at times, and looks every tenth of
// a second who may write.
func TestNoTwoHoldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		requests := 0
		a.setFault(func(*http.Request) fault {
			requests++
			return []fault{none, none, none, lost, none, down, none}[requests%7]
		})
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var all []*holder
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				for life := 0; ctx.Err() == nil; life++ {
					h := newHolder(t, a, fmt.Sprintf("pod-%d/%d", i, life), io.Discard, func(c *cluster.LeaseConfig) {
						c.Now = func() time.Time { return time.Now().AddDate(0, 0, i-2) }
					})
					mu.Lock()
					all = append(all, h)
					mu.Unlock()
					if h.Acquire(ctx) != nil {
						return
					}
					alive, crash := context.WithTimeout(ctx, time.Duration(7*(life+1)+i)*time.Second)
					_ = h.Keep(alive) // ends with a crash, or with the Lease
					crash()
				}
			})
		}
		epochs := map[int64]bool{}
		for range 6000 {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			var held []string
			for _, h := range all {
				if h.Held() == nil {
					held = append(held, h.Status().Holder)
					epochs[h.Epoch()] = true
				}
			}
			mu.Unlock()
			if len(held) > 1 {
				t.Fatalf("%v hold the Lease at once", held)
			}
		}
		cancel()
		wg.Wait()
		seen := map[int64]string{}
		for _, h := range all {
			if e := h.Epoch(); e != 0 {
				if other := seen[e]; other != "" {
					t.Errorf("epoch %d was %s's and %s's", e, other, h.Status().Holder)
				}
				seen[e] = h.Status().Holder
			}
		}
		if len(epochs) < 10 {
			t.Errorf("only %d epochs in ten minutes: the test proves little", len(epochs))
		}
	})
}

func TestAnAPIThatIsAwayIsSurvivedForAWhileAndThenTheLeaseIsLost(t *testing.T) {
	for _, kind := range []fault{down, silent, refused} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI()
			h := newHolder(t, a, "pod-a/1", io.Discard, nil)
			h.acquire(t)
			ended := make(chan error, 1)
			go func() { ended <- h.Keep(t.Context()) }()
			away := func(d time.Duration) {
				a.setFault(func(*http.Request) fault { return kind })
				time.Sleep(d)
				a.setFault(nil)
			}
			time.Sleep(6 * time.Second) // renewed at 5 s
			away(5 * time.Second)       // to 11 s
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if err := h.Held(); err != nil || isLost(h.Lease) {
				t.Fatalf("fault %d: a short outage: %v", kind, err)
			}
			began := time.Now()
			away(17 * time.Second)
			synctest.Wait()
			if h.Held() == nil || !isLost(h.Lease) {
				t.Fatalf("fault %d: held after 17 s without a renewal", kind)
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), "so it may not write") {
				t.Errorf("fault %d: Keep: %v", kind, err)
			}
			if lasted := time.Since(began); lasted > 17*time.Second {
				t.Errorf("fault %d: Keep ended only after %s", kind, lasted)
			}
			if h.Held() == nil {
				t.Errorf("fault %d: held again after it was lost", kind)
			}
		})
	}
}

func TestALostReplyLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		h := newHolder(t, a, "pod-a/1", io.Discard, nil)
		writes := 0
		a.setFault(func(r *http.Request) fault { // every third write is carried out unheard
			if r.Method == http.MethodPut {
				if writes++; writes%3 == 1 {
					return lost
				}
			}
			return none
		})
		h.acquire(t)
		if h.Epoch() != 1 {
			t.Errorf("epoch %d: the Lease was taken twice", h.Epoch())
		}
		stop := h.keep(t)
		for second := range 120 {
			time.Sleep(time.Second)
			synctest.Wait()
			if err := h.Held(); err != nil {
				t.Fatal(err)
			}
			if second%7 == 0 {
				a.editLease() // and somebody labels it
			}
		}
		if err := stop(); err != nil || h.Epoch() != 1 {
			t.Errorf("%v with epoch %d", err, h.Epoch())
		}
		a.setFault(nil)
		if err := h.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := a.spec(); *got.HolderIdentity != "" || *got.LeaseTransitions != 1 {
			t.Errorf("after its release: %+v", got)
		}
	})
}

func TestAHolderThatWasPausedKnowsItWhenItWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		paused, next := newHolder(t, a, "pod-a/1", io.Discard, nil), newHolder(t, a, "pod-b/2", io.Discard, nil)
		paused.acquire(t) // and is stopped before it renews
		began := time.Now()
		next.acquire(t)
		if waited := time.Since(began); waited < 15*time.Second || waited > 17*time.Second {
			t.Errorf("the next one waited %s", waited)
		}
		if paused.Held() == nil {
			t.Error("the paused one may write")
		}
		if err := paused.Keep(t.Context()); err == nil || !isLost(paused.Lease) {
			t.Errorf("the paused one goes on: %v", err)
		}
		if err := paused.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if got := a.spec(); *got.HolderIdentity != "pod-b/2" || *got.LeaseTransitions != 2 {
			t.Errorf("the Lease is %+v", got)
		}

		// A machine that slept: its timers did not run, and no timer of this test.
		next.ahead = time.Hour
		if next.Held() == nil {
			t.Error("held after an hour's sleep")
		}
	})
}

func TestOneThatLosesItToAnotherStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		h := newHolder(t, a, "pod-a/1", io.Discard, nil)
		h.acquire(t)
		ended := make(chan error, 1)
		go func() { ended <- h.Keep(t.Context()) }()
		time.Sleep(time.Second)
		a.makeLease() // deleted, and made anew by the manifests
		other := newHolder(t, a, "pod-b/2", io.Discard, func(c *cluster.LeaseConfig) {
			c.Floor = func(context.Context) (int64, error) { return h.Epoch(), nil }
		})
		other.acquire(t)
		if other.Epoch() != 2 {
			t.Errorf("epoch %d: a Lease that was made anew forgets, the journal does not", other.Epoch())
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !isLost(h.Lease) || h.Held() == nil {
			t.Error("the first one goes on")
		}
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "pod-b/2 has it, with epoch 2") {
			t.Errorf("Keep: %v", err)
		}
	})
}

func TestWhatWaitingDoesNotMendIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		h := newHolder(t, a, "pod-a/1", io.Discard, nil)
		a.lease = nil
		if err := h.Acquire(t.Context()); err == nil || !strings.Contains(err.Error(), "apply the manifests") {
			t.Errorf("no Lease: %v", err)
		}
		a.makeLease()
		a.setFault(func(*http.Request) fault { return refused })
		if err := h.Acquire(t.Context()); err == nil || !strings.Contains(err.Error(), "not for you") {
			t.Errorf("no right: %v", err)
		}
		a.setFault(func(*http.Request) fault { return down })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := h.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an API that is away: %v", err)
		}
		a.setFault(nil)
		unknown := newHolder(t, a, "pod-a/2", io.Discard, func(c *cluster.LeaseConfig) {
			c.Floor = func(context.Context) (int64, error) { return 0, errors.New("the disk is away") }
		})
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := unknown.Acquire(ctx); err == nil || unknown.Held() == nil {
			t.Errorf("acquired without knowing the epoch: %v", err)
		}
	})
	for _, cfg := range []cluster.LeaseConfig{{Holder: "a"}, {Name: "a"}, {Name: "a", Holder: "a", Duration: time.Second},
		{Name: "a", Holder: "a", Duration: 3500 * time.Millisecond}} {
		if _, err := newAPI().client(t, io.Discard).Lease(cfg); err == nil {
			t.Errorf("%+v makes a Lease", cfg)
		}
	}
}
