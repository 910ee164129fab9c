package backlog

import (
	"errors"

	"leviathan/gateway"
)

var errNotYet = errors.New("backlog: being written")

// Parse reads a backlog.
func Parse(name string, data []byte) (*File, error) { return nil, errNotYet }

// Digest is what makes a task the task.
func Digest(t gateway.Task, defaultAgent string) string { return "" }

// ParsePolicy reads a target's own policy.
func ParsePolicy(name string, data []byte) (*TargetPolicy, []gateway.Diagnostic, error) {
	return nil, nil, errNotYet
}
