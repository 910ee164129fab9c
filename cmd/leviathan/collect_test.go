package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

// collecting are what says now when to collect; asking changes nothing.
func collecting() (percent int, limit int64) {
	percent = debug.SetGCPercent(-1)
	debug.SetGCPercent(percent)
	return percent, debug.SetMemoryLimit(-1)
}

func TestCollectLateHasEverythingAsItWas(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent, limit := collecting()
	restore := collectLate(1 << 40)
	if p, l := collecting(); p != -1 || l != 1<<40 {
		t.Errorf("while nothing is collected: %d %%, %d bytes", p, l)
	}
	restore()
	if p, l := collecting(); p != percent || l != limit {
		t.Errorf("afterwards: %d %%, %d bytes; before: %d %%, %d bytes", p, l, percent, limit)
	}
	t.Setenv("GOGC", "50")
	defer collectLate(1 << 40)()
	if p, _ := collecting(); p != percent {
		t.Errorf("what the environment says became %d %%", p)
	}
}

// The first collection is the last that waits for a full heap.
func TestCollectLateEndsWithTheFirstCollection(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	if _, limit := collecting(); limit != math.MaxInt64 {
		t.Skip("this process has a limit of its own")
	}
	percent, _ := collecting()
	ended := make(chan struct{})
	restore := collectLate(1 << 40)
	defer restore()
	runtime.GC()
	// A cleanup queued behind that of collectLate tells when it has run: both
	// become due with this collection at the latest.
	mark := new([64]byte)
	runtime.AddCleanup(mark, func(ch chan struct{}) { close(ch) }, ended)
	runtime.GC()
	<-ended
	for p, limit := collecting(); p != percent || limit != math.MaxInt64; p, limit = collecting() {
		runtime.Gosched() // it is due, and runs beside this
	}
}

func TestAStartCollectsGarbageOnce(t *testing.T) {
	const plenty = 1 << 40
	before, bound := collecting()
	t.Cleanup(func() { debug.SetGCPercent(before); debug.SetMemoryLimit(bound) })
	for _, tc := range []struct {
		gogc, limit          string
		percent, afterwards  int
		most, mostAfterwards int64
	}{
		{"", "", -1, 300, plenty, math.MaxInt64},
		{"150", "", before, before, bound, bound},
		{"", "1GiB", before, 300, bound, bound},
	} {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(bound)
		t.Setenv("GOGC", tc.gogc)
		t.Setenv("GOMEMLIMIT", tc.limit)
		loaded := collectOnce(plenty)
		if percent, most := collecting(); percent != tc.percent || most != tc.most {
			t.Errorf("%+v: %d %% and %d bytes while it loads", tc, percent, most)
		}
		loaded()
		if percent, most := collecting(); percent != tc.afterwards || most != tc.mostAfterwards {
			t.Errorf("%+v: %d %% and %d bytes afterwards", tc, percent, most)
		}
	}
}
