package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
)

// LocalConfig is what the local launcher is made of.
type LocalConfig struct {
	// Self is the path of the leviathan binary.
	Self string
	// GatewayURL is where the workers reach the gateway.
	GatewayURL string
	// Workspaces is the folder in which each attempt gets one of its own,
	// removed when its worker has ended.
	Workspaces string
	// Env looks up the values of an agent's env_from names, and of the names of
	// TraceVariables, which the worker itself gets.
	Env func(name string) (string, bool)
	// Grace is how long a worker may take to stop when it is asked to; 15 s
	// if 0. After it the worker is killed.
	Grace  time.Duration
	Logger *slog.Logger
}

// maxWaitDelay bounds how long the output of a worker is read after its end.
const maxWaitDelay = 2 * time.Second

// Local runs each worker as a child process. A child gets its token on an
// inherited pipe, never in its environment or arguments, and of this
// process's environment nothing but what programs need to run and the names
// that the config gives to the agent.
type Local struct {
	LocalConfig
	exits chan Exit

	mu      sync.Mutex
	closed  bool
	running map[gateway.AttemptID]*exec.Cmd
	wg      sync.WaitGroup
}

// NewLocal makes a launcher of child processes. Close ends it.
func NewLocal(c LocalConfig) (*Local, error) {
	if err := os.MkdirAll(c.Workspaces, 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder of workspaces: %w", err)
	}
	if c.Grace == 0 {
		c.Grace = 15 * time.Second
	}
	return &Local{LocalConfig: c, exits: make(chan Exit, 64), running: map[gateway.AttemptID]*exec.Cmd{}}, nil
}

// Exits tells of workers that ended.
func (l *Local) Exits() <-chan Exit { return l.exits }

// Live lists the attempts whose workers run.
func (l *Local) Live() []gateway.AttemptID {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]gateway.AttemptID, 0, len(l.running))
	for id := range l.running {
		ids = append(ids, id)
	}
	return ids
}

// Observe tells of the workers that run, and of each attempt given that none
// of them runs.
func (l *Local) Observe(_ context.Context, attempts []gateway.AttemptID) ([]Worker, error) {
	live := l.Live()
	workers := make([]Worker, 0, len(live))
	for _, id := range live {
		workers = append(workers, Worker{Exit: Exit{Attempt: id}})
	}
	for _, id := range attempts {
		if !slices.Contains(live, id) {
			workers = append(workers, Worker{State: WorkerAbsent, Exit: Exit{Attempt: id, Observed: "process_gone", Detail: "no worker process of this scheduler runs it"}})
		}
	}
	return workers, nil
}

// Launch starts the worker of a reservation; one that runs already is left.
// It refuses with ErrClosed once Close was called.
func (l *Local) Launch(_ context.Context, r gateway.Reservation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.running[r.AttemptID] != nil {
		return nil
	}
	if !r.AttemptID.Valid() { // it names a folder that is removed later
		return fmt.Errorf("the gateway named %q, which is no attempt", r.AttemptID)
	}
	workspace := filepath.Join(l.Workspaces, string(r.AttemptID))
	if err := os.MkdirAll(workspace, 0o700); err != nil {
		return fmt.Errorf("creating a workspace: %w", err)
	}
	cmd := exec.Command(l.Self, "worker", "--gateway", l.GatewayURL, "--attempt", string(r.AttemptID), "--token-file", "-", "--workspace", workspace)
	cmd.Env = l.environment(r.Worker.EnvFrom)
	cmd.Stdin = strings.NewReader(r.Token + "\n")
	tail := &tailWriter{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = io.Discard, tail
	// What a worker leaves behind may hold its end of the pipe open.
	cmd.WaitDelay = min(l.Grace, maxWaitDelay)
	// A worker outside this process's group is not interrupted by the Ctrl-C
	// that interrupts us: we ask it to stop ourselves.
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting a worker: %w", err), os.RemoveAll(workspace))
	}
	l.running[r.AttemptID] = cmd
	l.wg.Go(func() { l.await(r.AttemptID, cmd, workspace, tail) })
	return nil
}

// TraceVariables are the names by which a worker learns where spans go, as
// OpenTelemetry has them. A collector's headers, which are its secrets, are not
// among them: a worker has the token of its attempt and no other.
func TraceVariables() []string {
	return []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
		"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_RESOURCE_ATTRIBUTES"}
}

// environment is what a worker inherits.
func (l *Local) environment(names []string) []string {
	var env []string
	own := append([]string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}, TraceVariables()...)
	for _, name := range append(own, names...) {
		if value, ok := l.Env(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// await waits for one worker, cleans up after it and tells of its end.
func (l *Local) await(id gateway.AttemptID, cmd *exec.Cmd, workspace string, tail *tailWriter) {
	err := cmd.Wait()
	detail := "the worker process ended"
	if err != nil {
		detail = fmt.Sprintf("the worker process ended: %v: %s", err, tail.String())
		l.Logger.Debug("worker", "attempt", id, "error", err, "stderr", tail.String())
	}
	if err := os.RemoveAll(workspace); err != nil {
		l.Logger.Warn("removing a workspace", "attempt", id, "error", err)
	}
	// In one step: who sees the worker gone from Live finds its Exit.
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.running, id)
	select {
	case l.exits <- Exit{Attempt: id, Observed: "process_gone", Detail: detail}:
	default: // nobody listens any more; the next cycle reconciles
	}
}

// Close stops every worker: asks, waits for the grace period, kills. It
// returns when all are gone.
func (l *Local) Close() {
	l.mu.Lock()
	l.closed = true
	for id, cmd := range l.running {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			l.Logger.Warn("stopping a worker", "attempt", id, "error", err)
		}
	}
	l.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(gone)
	}()
	timer := time.NewTimer(l.Grace)
	defer timer.Stop()
	select {
	case <-gone:
		return
	case <-timer.C:
	}
	l.mu.Lock()
	for id, cmd := range l.running {
		l.Logger.Warn("killing a worker that did not stop", "attempt", id, "grace", l.Grace)
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			l.Logger.Error("killing a worker", "attempt", id, "error", err)
		}
	}
	l.mu.Unlock()
	<-gone
}

// A tailWriter keeps the end of what is written to it.
type tailWriter struct {
	mu    sync.Mutex
	limit int
	buf   []byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.buf))
}
