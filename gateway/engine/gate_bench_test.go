package engine_test

import (
	"testing"
	"time"

	"leviathan/gateway/engine"
	"leviathan/policies"
)

// BenchmarkGate is the way of the policies that we ship to where the replay
// would begin: read, compiled, and tested.
func BenchmarkGate(b *testing.B) {
	for b.Loop() {
		began := time.Now()
		s, err := engine.LoadFS(b.Context(), policies.FS, engine.Options{})
		if err != nil {
			b.Fatal(err)
		}
		loaded := time.Now()
		report, err := s.Test(b.Context(), engine.TestOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(loaded.Sub(began).Milliseconds()), "ms-load")
		b.ReportMetric(float64(time.Since(loaded).Milliseconds()), "ms-test")
		b.ReportMetric(float64(len(report.Tests)), "tests")
	}
}
