//go:build !linux

package cluster

import "time"

var began = time.Now()

// elapsed is a clock that nobody sets.
func elapsed() time.Duration { return time.Since(began) }
