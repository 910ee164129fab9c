package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// A counter counts what is logged at warning or above.
type counter struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(p)
}

func (c *counter) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (c *counter) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

func (c *counter) count() int { return bytes.Count([]byte(c.text()), []byte("\n")) }

// skipping is a cycle that skips one task for the reason, until the time.
func skipping(outcome, of, code, until string) string {
	reasons := ""
	if of != "" {
		reasons = `{"code":"` + of + `","message":"m"}`
	}
	next := "null"
	if until != "" {
		next = `"` + until + `"`
	}
	return `{"outcome":"` + outcome + `","reasons":[` + reasons + `],"skipped":[
		{"task_id":"human","reasons":[{"code":"schedule.not_ready","message":"m"}],"next_eligible_at":null},
		{"task_id":"task","reasons":[{"code":"` + code + `","message":"m"}],"next_eligible_at":` + next + `}]}`
}

// ends reports whether Run ends by itself before d is over.
func ends(t *testing.T, ended <-chan error, stop func() error, d time.Duration) bool {
	t.Helper()
	after(d)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("idle, Run ended with %v", err)
		}
		return true
	default:
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
	return false
}

func TestUntilIdleEndsWhenOnlyAHumanCanGoOn(t *testing.T) {
	for name, cycle := range map[string]func() string{
		"an empty backlog":          func() string { return idleCycle },
		"a task that is not ready":  func() string { return skipping("idle", "", "schedule.not_ready", "") },
		"a long backoff":            func() string { return skipping("idle", "", "limits.backoff", in(121*time.Second)) },
		"the switch":                func() string { return skipping("denied", "guard.switched_off", "guard.switched_off", "") },
		"the switch, and a backoff": func() string { return skipping("denied", "guard.switched_off", "limits.backoff", in(time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.config.UntilIdle = true
				r.gateway.say(func(w *wire) { w.cycle = cycle() })
				ended, stop := r.start()
				if !ends(t, ended, stop, 0) {
					t.Error("it goes on")
				}
				if got := r.gateway.asked(); got != 1 {
					t.Errorf("%d cycles, want 1", got)
				}
			})
		})
	}
}

func TestUntilIdleDoesNotWaitForABrokenConfig(t *testing.T) {
	unknown := `{"outcome":"unknown","reasons":[{"code":"unknown.backlog","message":"m"}]}`
	bubble(t, func(t *testing.T, r *rig) {
		r.config.UntilIdle = true
		r.gateway.say(func(w *wire) { w.cycle, w.config = unknown, "invalid" })
		ended, stop := r.start()
		if !ends(t, ended, stop, 0) {
			t.Error("it goes on")
		}
	})
	bubble(t, func(t *testing.T, r *rig) { // but for what was started before it broke
		r.config.UntilIdle = true
		r.gateway.say(func(w *wire) { w.cycle, w.config, w.live = unknown, "invalid", []string{string(first) + " reserved"} })
		ended, stop := r.start()
		if ends(t, ended, stop, time.Hour) {
			t.Error("it ended")
		}
	})
}

func TestWithoutUntilIdleRunGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ended, stop := r.start()
		if ends(t, ended, stop, time.Hour) {
			t.Error("it ended")
		}
	})
}

func TestUntilIdleWaitsForABackoff(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.config.UntilIdle = true
		r.gateway.say(func(w *wire) { w.cycle = skipping("idle", "", "limits.backoff", in(119*time.Second)) })
		ended, stop := r.start()
		after(118 * time.Second)
		r.gateway.say(func(w *wire) { w.cycle = reserving(first) })
		after(2 * time.Second)
		if got := r.launcher.all(); len(got) != 1 {
			t.Fatalf("launched %v when the backoff was over", got)
		}
		after(time.Hour) // its worker runs
		r.gateway.say(func(w *wire) { w.cycle = idleCycle })
		r.launcher.end(first)
		if !ends(t, ended, stop, time.Second) {
			t.Error("it goes on when the worker has ended")
		}
	})
}

func TestUntilIdleWaitsForTheBreaker(t *testing.T) {
	for name, c := range map[string]struct {
		until time.Duration
		code  string
		waits bool
	}{
		"that closes soon":                        {time.Minute, "limits.circuit_open", true},
		"that closes late":                        {time.Hour, "limits.circuit_open", false},
		"behind which nothing but a human waits":  {time.Minute, "schedule.not_ready", false},
		"behind which a backoff ends, but sooner": {time.Minute, "limits.backoff", true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.config.UntilIdle = true
				backoff := ""
				if c.code == "limits.backoff" {
					backoff = in(time.Second)
				}
				r.gateway.say(func(w *wire) {
					w.cycle, w.breaker = skipping("denied", "limits.circuit_open", c.code, backoff), in(c.until)
				})
				ended, stop := r.start()
				after(59 * time.Second)
				if got := r.gateway.asked(); got != 1 {
					t.Errorf("%d cycles while it was open", got)
				}
				r.gateway.say(func(w *wire) { w.cycle = reserving(first) })
				if ended := ends(t, ended, stop, 2*time.Second); ended == c.waits {
					t.Errorf("it ended: %v", ended)
				}
				if launched := len(r.launcher.all()) == 1; launched != c.waits {
					t.Errorf("it launched: %v", launched)
				}
			})
		})
	}
}

func TestUntilIdleDoesNotEndOnWhatIsLiveOrUnknown(t *testing.T) {
	for name, prepare := range map[string]func(w *wire, l *recorder){
		"an attempt that the journal has": func(w *wire, _ *recorder) { w.live = []string{string(first) + " reserved"} },
		"a worker of ours":                func(_ *wire, l *recorder) { l.live = append(l.live, second) },
		"a fact that is unknown": func(w *wire, _ *recorder) {
			w.cycle = `{"outcome":"unknown","reasons":[{"code":"unknown.forge","message":"m"}]}`
		},
		"a gateway that is away": func(w *wire, _ *recorder) { w.down = true },
		"a reservation":          func(w *wire, _ *recorder) { w.cycle = reserving(third) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.config.UntilIdle = true
				r.gateway.say(func(w *wire) { prepare(w, r.launcher) })
				ended, stop := r.start()
				if ends(t, ended, stop, time.Hour) {
					t.Error("it ended")
				}
			})
		})
	}
}
