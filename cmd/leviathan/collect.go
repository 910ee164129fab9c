package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// collectSeldom trades memory, of which a gateway needs little, for processor
// time. GOGC, when it is set, is the operator's word.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
}

// startMemory is how much the start of a gateway takes before it collects
// garbage, so that the policies of ours are loaded without.
const startMemory = 128 << 20

// collectOnce is for a start, which keeps a quarter of what it allocates: it
// puts off the collecting of garbage until loaded is called, at most for so many
// bytes. That collects, gives the memory back, and goes on as collectSeldom does.
func collectOnce(bytes int64) (loaded func()) {
	restore := collectLate(bytes)
	return func() {
		restore()
		collectSeldom()
		debug.FreeOSMemory()
	}
}

// collectLate lets this process have so many bytes before its garbage is
// collected for the first time; from then on it is collected as usual. A command
// that works once and ends saves most collections by that, whose heap would
// double from nothing to what it needs. The function that it returns has
// everything as it was. Who says in the environment when to collect is obeyed.
func collectLate(bytes int64) (restore func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(bytes)
	restore = sync.OnceFunc(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	if limit == math.MaxInt64 {
		first := new(*int) // is gone with the first collection
		runtime.AddCleanup(first, func(again func()) { again() }, restore)
	}
	return restore
}
