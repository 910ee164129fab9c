package main

import (
	"math"
	"os"
	"runtime/debug"
)

// collectSeldom trades memory, of which a gateway needs little, for processor
// time. GOGC, when it is set, is the operator's word.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
}

// startMemory is how much a start takes before it collects garbage, so that the
// policies of ours are loaded without.
const startMemory = 128 << 20

// collectOnce puts off the collecting of garbage for a start, which keeps a
// quarter of what it allocates, until loaded is called: that collects once, gives
// the memory back, and goes on as collectSeldom does. GOGC and GOMEMLIMIT, when
// one is set, are the operator's word.
func collectOnce() (loaded func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return collectSeldom
	}
	debug.SetMemoryLimit(startMemory)
	debug.SetGCPercent(-1)
	return func() {
		collectSeldom()
		debug.SetMemoryLimit(math.MaxInt64)
		debug.FreeOSMemory()
	}
}
