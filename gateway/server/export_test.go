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
