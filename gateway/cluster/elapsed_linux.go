package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// elapsed is a clock that nobody sets, and that goes on while the machine is
// suspended: Go's own monotonic clock stands still then, and a Lease would
// seem to be held longer than it is.
func elapsed() time.Duration {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &at); err != nil {
		return time.Since(began)
	}
	return time.Duration(at.Nano())
}

// began stands in where the system has no such clock.
var began = time.Now()
