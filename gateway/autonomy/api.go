package autonomy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"leviathan/gateway"
)

var errNotYet = errors.New("autonomy: being written")

// Load reads and parses one config file.
func Load(file string) (*Config, []gateway.Diagnostic, error) { return nil, nil, errNotYet }

// Parse reads a config; nil if it has any error.
func Parse(name string, data []byte) (*Config, []gateway.Diagnostic) {
	return nil, []gateway.Diagnostic{{File: name, Message: errNotYet.Error()}}
}

// A Set is a live view of a config file or a directory of them.
type Set struct{}

// Open makes a Set.
func Open(path string, logger *slog.Logger, now func() time.Time) (*Set, error) {
	return nil, errNotYet
}

// Targets lists every target, sorted.
func (s *Set) Targets() []State { return nil }

// Check is what every decision calls.
func (s *Set) Check(id gateway.TargetID) State { return State{ID: id} }

// Watch calls onChange for each target whose state changed, until ctx ends.
func (s *Set) Watch(ctx context.Context, onChange func(gateway.TargetID)) error { return errNotYet }
