package server

import (
	"context"

	"leviathan/gateway"
)

// A Row is what tests may know of a route.
type Row struct {
	Method string
	Path   string
	Open   bool
}

// The ids of examples.
const (
	SampleAttempt  = sampleAttempt
	SampleAttempt2 = sampleAttempt2
	SampleAttempt3 = sampleAttempt3
	SampleDecision = sampleDecision
	SampleToken    = sampleToken
)

// Table is the route table without its handlers.
func Table() []Row {
	rows := []Row{}
	for _, r := range routes() {
		rows = append(rows, Row{Method: r.method, Path: r.path, Open: r.action == open})
	}
	return rows
}

// Expire does once what the gateway's clockwork does each second.
func (s *Server) Expire(ctx context.Context) error { return s.expire(ctx) }

// SettleIntents does once what the gateway's clockwork does each second.
func (s *Server) SettleIntents(ctx context.Context) { s.settleIntents(ctx) }

// Observe looks at the target's upstream and forge now.
func (s *Server) Observe(ctx context.Context, id gateway.TargetID) { s.observe(ctx, s.lookup(id)) }

// Prove does once what the gateway's clockwork does every fifteen seconds.
func (s *Server) Prove(ctx context.Context) { s.prove(ctx) }

// Idle waits for what no request waits for.
func (s *Server) Idle() { s.background.wg.Wait() }

// ClientMethods are, by method and path of each route, the method of
// gateway.Client that asks it, or else why there is none.
func ClientMethods() (methods, without map[string]string, err error) {
	described, err := descriptions()
	methods, without = map[string]string{}, map[string]string{}
	for key, d := range described {
		if d.client != "" {
			methods[key] = d.client
		} else {
			without[key] = d.without
		}
	}
	return methods, without, err
}
