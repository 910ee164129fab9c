package autonomy

import (
	"time"

	"leviathan/gateway"
)

// A State is what the config of one target says now.
type State struct {
	// ID is the target; empty for a file whose target_id could not be read.
	ID gateway.TargetID
	// File is the config's path as it was given or found; empty if no file
	// names the target.
	File string
	// Config is the last valid one, nil if there never was one. It is for
	// messages and for attempts that run: only Enabled allows anything.
	Config *Config
	// Valid says that the file as it stands now is wholly valid.
	Valid bool
	// Enabled is Valid and autonomy_enabled: true.
	Enabled bool
	// Reason says why the target is not enabled, with file, line and column
	// where there are any; empty when Enabled.
	Reason      string
	Diagnostics []gateway.Diagnostic
	// Digest is Config's; empty when Config is nil.
	Digest string
	// ObservedAt is when the file was last seen to be so.
	ObservedAt time.Time
	// InvalidSince is when the file was first seen invalid; zero when Valid.
	InvalidSince time.Time
}

// same reports whether two states differ in nothing but when they were seen.
func (s State) same(o State) bool {
	return s.ID == o.ID && s.File == o.File && s.Valid == o.Valid && s.Enabled == o.Enabled && s.Reason == o.Reason && s.Digest == o.Digest
}
