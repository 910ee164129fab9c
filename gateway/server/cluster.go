package server

import (
	"context"

	"leviathan/gateway"
)

// A Writer knows whether this process is the one that may write, where several
// could: in a cluster, it holds the Lease. Its methods are safe for concurrent
// use and wait for nothing. The journal asks the same before every COMMIT.
type Writer interface {
	// Held is nil while it may, and otherwise says why not.
	Held() error
	// Lost is closed once it may not, for good.
	Lost() <-chan struct{}
	// Status is what the status route shows.
	Status() gateway.WriterStatus
}

// A Reviewer knows whose a token is that the gateway did not make: in a
// cluster, a service account's. The error is gateway.Unauthenticated for
// nobody's, and gateway.Unknown when it cannot be known; it never has the token
// in it. It is safe for concurrent use.
type Reviewer interface {
	Review(ctx context.Context, token string) (id string, role gateway.Role, target gateway.TargetID, err error)
}

// identifyAccount finds whose a token is that is neither the operator's nor
// one of this gateway.
func (s *Server) identifyAccount(ctx context.Context, token string) (principal, error) {
	id, role, target, err := s.reviewer.Review(ctx, token)
	if err != nil {
		return principal{}, err
	}
	return principal{role: role, id: id, target: target}, nil
}

// effect is the time that an effect has which was decided: effectLimit, and no
// longer than this process may write. Between the
// COMMIT and here it may have been paused, and another may be the writer: then
// nothing is done, and what was intended is observed by the other.
func (s *Server) effect(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(ctx, effectLimit)
	if s.writer == nil {
		return ctx, cancel, nil
	}
	if err := s.writer.Held(); err != nil {
		cancel()
		return ctx, cancel, &gateway.Error{Kind: gateway.Unknown, Code: "unknown.writer", Detail: err.Error()}
	}
	go func() {
		select {
		case <-s.writer.Lost():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel, nil
}
