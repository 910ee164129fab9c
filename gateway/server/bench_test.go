package server_test

import (
	"context"
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
