package worker

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"leviathan/gateway"
)

// Config is all that a worker knows. Everything else it learns from Start.
type Config struct {
	// Client asks the gateway with the attempt's token. Required.
	Client *gateway.Client
	// Target is the attempt's target, as the reservation named it; it marks
	// the worker's events.
	Target gateway.TargetID
	// Attempt is the attempt to run. Required.
	Attempt gateway.AttemptID
	// Token is the attempt's token, for git. Required. It is handed to git in
	// the environment of that process alone.
	Token string
	// CAFile is a PEM file of the authorities that git trusts for the
	// gateway; empty means git's own.
	CAFile string
	// Workspace is the absolute path of a folder that the worker makes and
	// has for itself; it must be empty or missing. Required.
	Workspace string
	// GitBinary is the absolute path of git, 2.31 or later. Required.
	GitBinary string
	// Self is the absolute path of a program that calls SandboxMain when its
	// first argument is SandboxCommand: this one. Required.
	Self string
	// Env has the values that the launcher supplies for the agent's env_from
	// names. Names that the agent does not list are not handed to it; all
	// values are redacted wherever they appear.
	Env map[string]string
	// Plain are names in Env that are the worker's own and no secret. One that
	// the agent lists is the agent's, and like all of those.
	Plain []string
	// SpoolDir keeps output and events that are not yet with the gateway;
	// empty means WORKSPACE/spool.
	SpoolDir string
	// FinishTimeout bounds how long the end of the attempt is reported to a
	// gateway that does not answer; 0 means 30 s.
	FinishTimeout time.Duration
	// Logger gets what the worker does; nil means nobody.
	Logger *slog.Logger
	// Tracer gets spans of the attempt and its steps; nil traces nothing. The
	// Client must carry the context's trace to the gateway.
	Tracer trace.TracerProvider
	// Now is the time of the commit; nil means time.Now. Leases and timeouts
	// count in monotonic time whatever it says.
	Now func() time.Time
}

// An Outcome is how the attempt ended, as the worker sees it.
type Outcome struct {
	// State is succeeded, failed or cancelled; empty when the attempt was
	// never started.
	State       gateway.AttemptState
	FailureType gateway.FailureType
	// Summary says why, redacted, at most 4,000 bytes.
	Summary     string
	Tree        gateway.OID
	Commit      gateway.OID
	PullRequest *gateway.PullRequestResult
}

// check fills in defaults and says what is missing.
func (c Config) check() (Config, error) {
	for _, field := range []struct {
		name  string
		value string
	}{{"Workspace", c.Workspace}, {"GitBinary", c.GitBinary}, {"Self", c.Self}} {
		if !filepath.IsAbs(field.value) {
			return c, fmt.Errorf("worker config: %s %q is not an absolute path", field.name, field.value)
		}
	}
	switch {
	case c.Client == nil:
		return c, fmt.Errorf("worker config: no Client")
	case !c.Attempt.Valid():
		return c, fmt.Errorf("worker config: attempt %q is not a ULID", c.Attempt)
	case c.Token == "":
		return c, fmt.Errorf("worker config: no Token")
	}
	if c.SpoolDir == "" {
		c.SpoolDir = filepath.Join(c.Workspace, "spool")
	}
	if c.FinishTimeout <= 0 {
		c.FinishTimeout = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
