package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"leviathan/gateway"
)

// BenchmarkEvaluation asks one allowed question by hand, through HTTP, the
// policy and the journal, from as many connections as -cpu says times 32.
func BenchmarkEvaluation(b *testing.B) {
	w := newWorld(b, baseBacklog, baseConfig)
	r := reservation(b, w.cycle(), "guide")
	w.startAttempt(r)
	q := gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: gateway.ActionAttemptHeartbeat},
		Resource: gateway.Entity{Type: "attempt", ID: string(r.AttemptID)}}
	client := w.client(operator)
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			answer, err := client.Evaluate(context.Background(), q)
			if err != nil || !answer.Decision {
				b.Errorf("%v %v", err, answer.Context.Reasons)
				return
			}
		}
	})
}

// BenchmarkCycle plans a backlog of 10,000 ready tasks that is known already.
func BenchmarkCycle(b *testing.B) {
	var backlog strings.Builder
	backlog.WriteString("tasks:\n")
	for i := range 10_000 {
		fmt.Fprintf(&backlog, "  - {id: task-%05d, title: Task number %d, scope: docs, ready: true, allowed_paths: [docs/%05d.md]}\n", i, i, i)
	}
	w := newWorld(b, backlog.String(), baseConfig)
	w.cycle()
	for b.Loop() {
		if result := w.cycle(); len(result.Skipped) < 9_000 {
			b.Fatalf("%d tasks explained: %v", len(result.Skipped), result.Reasons)
		}
	}
}
