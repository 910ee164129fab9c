package scheduler_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"leviathan/gateway"
	"leviathan/scheduler"
)

func (r *rig) cycle(ctx context.Context) (gateway.CycleResult, error) {
	return scheduler.New(r.config).Cycle(ctx)
}

func TestReservedAttemptsAreLaunchedOnceEach(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle = reserving(first, second) })
		seen := 0
		r.config.OnCycle = func(c gateway.CycleResult) { seen += len(c.Reserved) }
		for range 3 { // a lost reply: the same attempts are listed again
			if _, err := r.cycle(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.launcher.all(); !slices.Equal(got, []gateway.AttemptID{first, second}) {
			t.Errorf("launched %v, want each once", got)
		}
		if seen != 6 {
			t.Errorf("OnCycle saw %d reservations, want 6", seen)
		}
		if len(r.gateway.lost) > 0 {
			t.Errorf("reported lost: %v", r.gateway.lost)
		}
	})
}

func TestALaunchThatFailsIsReported(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle = reserving(first, second) })
		r.launcher.refuse = errors.New("no more processes")
		if _, err := r.cycle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []gateway.AttemptID{first, second} {
			if got := r.gateway.wasLost(id); got != "job_failed" {
				t.Errorf("%s was reported %q, want job_failed", id, got)
			}
		}
	})
}

func TestALauncherThatDrainsLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle = reserving(first, second) })
		r.launcher.refuse = scheduler.ErrClosed
		if _, err := r.cycle(t.Context()); !errors.Is(err, scheduler.ErrClosed) {
			t.Errorf("the cycle's error is %v, want ErrClosed", err)
		}
		if len(r.gateway.lost) > 0 {
			t.Errorf("reported lost: %v", r.gateway.lost)
		}
	})
}

func TestWhatWasNotLaunchedWhenInterruptedStaysReserved(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle = reserving(first, second) })
		ctx, cancel := context.WithCancel(t.Context())
		r.launcher.onLaunch = cancel
		if _, err := r.cycle(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the cycle's error is %v", err)
		}
		if got := r.launcher.all(); !slices.Equal(got, []gateway.AttemptID{first}) {
			t.Errorf("launched %v after the interrupt", got)
		}
		if len(r.gateway.lost) > 0 {
			t.Errorf("reported lost: %v", r.gateway.lost)
		}
	})
}

func TestAWorkerThatEndsIsReportedAndCausesACycle(t *testing.T) {
	for name, code := range map[string]int{"its attempt was live": http.StatusOK, "its attempt had ended": http.StatusConflict} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				var warned counter
				r.config.Logger = warned.logger()
				r.gateway.say(func(w *wire) { w.cycle, w.lostCode = reserving(first), code })
				_, stop := r.start()
				r.gateway.say(func(w *wire) { w.cycle = idleCycle })
				r.launcher.end(first)
				after(time.Second)
				if got := r.gateway.wasLost(first); got != "process_gone" {
					t.Errorf("reported %q, want process_gone", got)
				}
				if got := r.gateway.asked(); got != 2 {
					t.Errorf("%d cycles, want one at start and one at the end of the worker", got)
				}
				if err := stop(); !errors.Is(err, context.Canceled) {
					t.Errorf("Run ended with %v", err)
				}
				if warned.count() > 0 {
					t.Errorf("it warned: %s", warned.text())
				}
			})
		})
	}
}

func TestAReportThatFailsIsLogged(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var warned counter
		r.config.Logger = warned.logger()
		r.gateway.say(func(w *wire) { w.cycle, w.lostCode = reserving(first), http.StatusForbidden })
		r.launcher.refuse = errors.New("no more processes")
		if _, err := r.cycle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if warned.count() != 2 { // that it was not launched, and that nobody could be told
			t.Errorf("it logged %s", warned.text())
		}
	})
}

func TestReconcileReportsWhatNoWorkerRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) {
			w.live = []string{string(third) + " reserved", string(second) + " pushed", string(first) + " running"}
		})
		r.launcher.live = []gateway.AttemptID{second}
		if _, err := r.cycle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.gateway.reported, []string{string(first)}) || r.gateway.wasLost(first) != "process_gone" {
			t.Errorf("reported %v %v, want only the running one without a worker", r.gateway.reported, r.gateway.lost)
		}
	})
}

func TestAWorkerThatEndedIsReportedBeforeItsAttemptIsListedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.launcher.live = []gateway.AttemptID{first}
		r.launcher.end(first)
		told := ""
		r.gateway.say(func(w *wire) { w.onCycle = func(int) { told = w.lost[string(first)] } })
		if _, err := r.cycle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if told != "process_gone" {
			t.Errorf("when the cycle was asked for, the end had been reported as %q", told)
		}
	})
}

func TestSettleWaitsForTheLastWorker(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.launcher.live = []gateway.AttemptID{first, second}
		s := scheduler.New(r.config)
		settled := make(chan error, 1)
		go func() { settled <- s.Settle(t.Context()) }()
		r.launcher.end(first)
		after(time.Hour)
		select {
		case err := <-settled:
			t.Fatalf("it returned %v while a worker ran", err)
		default:
		}
		r.launcher.end(second)
		if err := <-settled; err != nil {
			t.Error(err)
		}
		if r.gateway.wasLost(first) == "" || r.gateway.wasLost(second) == "" {
			t.Errorf("reported %v, want both", r.gateway.lost)
		}

		r.launcher.live = []gateway.AttemptID{third}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted, it returned %v", err)
		}
	})
}

func TestAGatewayThatIsAwayIsAskedAgainWithPatience(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle, w.down = reserving(first), true })
		_, stop := r.start()
		after(10 * time.Minute)
		r.gateway.mu.Lock()
		tries := r.gateway.tries
		r.gateway.mu.Unlock()
		if len(r.launcher.all()) > 0 {
			t.Errorf("launched %v", r.launcher.all())
		}
		if len(tries) < 10 {
			t.Fatalf("only %d tries in ten minutes", len(tries))
		}
		jitter := map[time.Duration]bool{}
		for i := 1; i < len(tries); i++ {
			gap, base := tries[i].Sub(tries[i-1]), time.Second<<min(i-1, 5)
			if gap < base/2 || gap > base*3/2+100*time.Millisecond {
				t.Errorf("pause %d is %v, want about %v", i, gap, base)
			}
			jitter[gap] = true
		}
		if len(jitter) < 3 {
			t.Errorf("the pauses have no jitter: %v", jitter)
		}

		r.gateway.say(func(w *wire) { w.down = false })
		after(time.Minute)
		if got := r.launcher.all(); !slices.Equal(got, []gateway.AttemptID{first}) {
			t.Errorf("when it was back, %v was launched", got)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestPokesInARowShareACycle(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		wake := make(chan struct{})
		r.config.Wake = wake
		_, stop := r.start()
		for range 5 {
			wake <- struct{}{}
		}
		after(time.Second)
		if got := r.gateway.asked(); got != 2 {
			t.Errorf("%d cycles, want one at start and one for five pokes", got)
		}
		wake <- struct{}{}
		after(time.Second)
		if got := r.gateway.asked(); got != 3 {
			t.Errorf("%d cycles, want one more", got)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestTheNextCycleIsWhenTheGatewaySays(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle = `{"outcome":"idle","next_cycle_at":"` + in(90*time.Second) + `"}` })
		_, stop := r.start()
		after(89 * time.Second)
		if got := r.gateway.asked(); got != 1 {
			t.Errorf("%d cycles before the time", got)
		}
		r.gateway.say(func(w *wire) { w.cycle = idleCycle })
		after(2 * time.Second)
		if got := r.gateway.asked(); got != 2 {
			t.Errorf("%d cycles at the time, want 2", got)
		}
		after(4 * time.Minute)
		if got := r.gateway.asked(); got != 2 {
			t.Errorf("%d cycles with nothing to do", got)
		}
		after(2 * time.Minute) // nobody sleeps longer than five minutes
		if got := r.gateway.asked(); got != 3 {
			t.Errorf("%d cycles, want 3", got)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestATimeThatHasPassedIsNotAskedForHotly(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.say(func(w *wire) { w.cycle = `{"outcome":"idle","next_cycle_at":"` + in(-time.Second) + `"}` })
		_, stop := r.start()
		after(10 * time.Second)
		if got := r.gateway.asked(); got < 9 || got > 11 {
			t.Errorf("%d cycles in ten seconds, want about one a second", got)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestAnInterruptEndsRunInEveryPause(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		wake := make(chan struct{})
		r.config.Wake = wake
		_, stop := r.start()
		wake <- struct{}{} // it gathers pokes now
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		synctest.Wait()
		if got := r.gateway.asked(); got != 1 {
			t.Errorf("%d cycles, the last after the interrupt", got)
		}
	})
}
