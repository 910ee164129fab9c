package engine_test

import (
	"context"
	"testing"

	"leviathan/gateway/engine"
	"leviathan/policies"
)

// BenchmarkGate takes the policies that we ship through the gate, as far as the
// replay, and says where the time goes.
func BenchmarkGate(b *testing.B) {
	total := map[engine.Step]float64{}
	for b.Loop() {
		_, steps, err := engine.Gate(b.Context(), engine.TestOptions{}, func(ctx context.Context) (*engine.Snapshot, error) {
			return engine.LoadFS(ctx, policies.FS, engine.Options{})
		})
		if err != nil {
			b.Fatal(err)
		}
		for _, step := range steps {
			total[step.Step] += step.Seconds
		}
	}
	for step, seconds := range total {
		if ms := 1000 * seconds / float64(b.N); ms >= 1 {
			b.ReportMetric(ms, "ms-"+string(step))
		}
	}
}
