package replay

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
)

func TestAnActionIsSlowWhenOneInTenTakesMoreThanHalfOfItsTime(t *testing.T) {
	deadline := func(action string) time.Duration {
		if action == "cycle.plan" {
			return 5 * time.Second
		}
		return 250 * time.Millisecond
	}
	// times are n evaluations, of which the given number are late.
	times := func(n, late int, usual, long time.Duration) []time.Duration {
		var all []time.Duration
		for i := range n {
			if i < late {
				all = append(all, long)
			} else {
				all = append(all, usual)
			}
		}
		return all
	}
	const half = 125 * time.Millisecond
	got := slow(map[string][]time.Duration{
		"a.usual":       times(20, 0, time.Millisecond, 0),
		"b.one_late":    times(20, 1, time.Millisecond, time.Second),
		"c.late":        times(20, 2, time.Millisecond, 200*time.Millisecond),
		"d.just_half":   times(20, 20, 0, half),
		"e.over_half":   times(20, 20, 0, half+1),
		"f.too_few":     times(19, 19, 0, time.Second),
		"cycle.plan":    times(40, 40, 0, time.Second),
		"g.none_at_all": nil,
	}, deadline)
	want := []gateway.SlowAction{
		{Action: "c.late", Seconds: 0.2, DeadlineSeconds: 0.25},
		{Action: "e.over_half", Seconds: (half + 1).Seconds(), DeadlineSeconds: 0.25},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
