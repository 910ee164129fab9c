package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// collecting is how garbage is collected: the percent, and the limit.
func collecting() (percent int, limit int64) {
	percent = debug.SetGCPercent(-1)
	debug.SetGCPercent(percent)
	return percent, debug.SetMemoryLimit(-1)
}

func TestAStartCollectsGarbageOnce(t *testing.T) {
	before, bound := collecting()
	t.Cleanup(func() { debug.SetGCPercent(before); debug.SetMemoryLimit(bound) })
	for _, tc := range []struct {
		gogc, limit          string
		percent, afterwards  int
		most, mostAfterwards int64
	}{
		{"", "", -1, 300, startMemory, math.MaxInt64},
		{"150", "", before, before, bound, bound},
		{"", "1GiB", before, 300, bound, bound},
	} {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(bound)
		t.Setenv("GOGC", tc.gogc)
		t.Setenv("GOMEMLIMIT", tc.limit)
		loaded := collectOnce()
		if percent, most := collecting(); percent != tc.percent || most != tc.most {
			t.Errorf("%+v: %d %% and %d bytes while it loads", tc, percent, most)
		}
		loaded()
		if percent, most := collecting(); percent != tc.afterwards || most != tc.mostAfterwards {
			t.Errorf("%+v: %d %% and %d bytes afterwards", tc, percent, most)
		}
	}
}
