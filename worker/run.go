package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/trace"

	"leviathan/gateway"
)

// patience bounds how long one step asks a gateway again that does not
// answer. The lease bounds it as well.
const patience = time.Minute

// A run is one attempt under way.
type run struct {
	Config
	root    *os.Root // the workspace
	spool   *os.Root
	secrets secrets
	start   gateway.StartResult
	lease   *lease
	events  *eventSpool
	git     git
	tracer  trace.Tracer
	outcome Outcome
}

// A failure ends the attempt as failed, for the reason that it names.
type failure struct {
	kind    gateway.FailureType
	summary string
}

func (f *failure) Error() string { return string(f.kind) + ": " + f.summary }

func fail(kind gateway.FailureType, format string, args ...any) error {
	return &failure{kind, fmt.Sprintf(format, args...)}
}

// A sandboxError says why a required sandbox could not be built.
type sandboxError struct{ reason string }

func (e *sandboxError) Error() string { return e.reason }

// Run runs one attempt to its end and returns when everything that it started
// has ended. A failed attempt is an Outcome, not an error: an error means that
// the attempt was not started (then the Outcome is empty), or that its end
// could not be reported.
//
// When ctx ends, the agent is killed and the attempt ends as cancelled. Run
// makes the process undumpable and the reaper of orphans, for good: a process
// runs one attempt at a time.
func Run(ctx context.Context, config Config) (Outcome, error) {
	config, err := config.check()
	if err != nil {
		return Outcome{}, err
	}
	if err := errors.Join(Undumpable(), becomeReaper()); err != nil {
		return Outcome{}, err
	}
	r := &run{Config: config, tracer: config.Tracer.Tracer("leviathan/worker", trace.WithInstrumentationVersion(gateway.Version))}
	if err := r.openWorkspace(); err != nil {
		return Outcome{}, err
	}
	defer r.root.Close()
	defer r.spool.Close()

	asked := time.Now()
	r.start, err = r.Client.Start(ctx, r.Attempt, gateway.StartRequest{Instance: rand.Text()})
	if err != nil {
		return Outcome{}, fmt.Errorf("starting attempt %s: %w", r.Attempt, err)
	}
	if !r.start.Decision {
		return Outcome{}, fmt.Errorf("starting attempt %s: %w", r.Attempt, gateway.Errorf(gateway.Forbidden, "the gateway decided against it"))
	}
	ctx, span := r.attemptSpan(ctx, asked)
	defer func() { r.endAttempt(span) }()
	r.prepare()
	held, lease := r.hold(ctx, asked)
	r.lease = lease
	telling := make(chan struct{})
	go func() {
		defer close(telling)
		r.events.keepFlushing(held)
	}()
	err = r.work(held)
	var failed *failure
	if err != nil && !errors.As(err, &failed) {
		if stop := r.askedToStop(held); stop != nil {
			err = stop
		}
	}
	cause := context.Cause(held)
	lease.release()
	<-telling
	r.conclude(err, cause)
	r.Logger.Info("attempt ended", "attempt", r.Attempt, "task", r.start.Task.ID, "outcome", r.outcome.State,
		"failure_type", r.outcome.FailureType, "summary", r.outcome.Summary)
	return r.outcome, r.finish(context.WithoutCancel(ctx))
}

// dir is the absolute path of something in the workspace.
func (r *run) dir(parts ...string) string {
	return filepath.Join(append([]string{r.Workspace}, parts...)...)
}

func (r *run) openWorkspace() error {
	if err := os.MkdirAll(r.Workspace, 0o700); err != nil {
		return fmt.Errorf("making the workspace: %w", err)
	}
	real, err := filepath.EvalSymlinks(r.Workspace)
	if err != nil {
		return fmt.Errorf("resolving the workspace: %w", err)
	}
	inside := r.SpoolDir == filepath.Join(r.Workspace, "spool")
	if r.Workspace = real; inside {
		r.SpoolDir = filepath.Join(real, "spool")
	}
	entries, err := os.ReadDir(r.Workspace)
	if err != nil {
		return fmt.Errorf("reading the workspace: %w", err)
	}
	for _, entry := range entries {
		if filepath.Join(r.Workspace, entry.Name()) != r.SpoolDir {
			return fmt.Errorf("the workspace %s is not empty: it has %s", r.Workspace, entry.Name())
		}
	}
	if r.root, err = os.OpenRoot(r.Workspace); err != nil {
		return fmt.Errorf("opening the workspace: %w", err)
	}
	if err := os.MkdirAll(r.SpoolDir, 0o700); err != nil {
		return errors.Join(fmt.Errorf("making the spool: %w", err), r.root.Close())
	}
	if r.spool, err = os.OpenRoot(r.SpoolDir); err != nil {
		return errors.Join(fmt.Errorf("opening the spool: %w", err), r.root.Close())
	}
	return nil
}

// prepare fills in what follows from the start answer.
func (r *run) prepare() {
	values := []string{r.Token}
	for name, value := range r.Env {
		if !slices.Contains(r.Plain, name) || slices.Contains(r.start.Agent.EnvFrom, name) {
			values = append(values, value)
		}
	}
	r.secrets = newSecrets(values...)
	if r.start.Sandbox.Mode == "" {
		r.start.Sandbox.Mode = gateway.SandboxRequired
	}
	r.events = &eventSpool{client: r.Client, target: r.Target, id: r.Attempt, task: r.start.Task.ID, root: r.spool, now: r.Now, logger: r.Logger}
	r.git = git{binary: r.GitBinary, dir: r.dir("git"), home: r.dir("git-home"), url: r.Client.URL(), token: r.Token, caFile: r.CAFile}
}

// work is the attempt from the clone to the pull request. Its error is a
// *failure, or whatever else went wrong; both end the attempt.
func (r *run) work(ctx context.Context) error {
	var summary string
	var tree gateway.OID
	for _, step := range []struct {
		name string
		take func(context.Context) error
	}{
		{"clone", r.clone},
		{"agent", func(ctx context.Context) (err error) { summary, err = r.runAgent(ctx); return err }},
		{"stage", func(ctx context.Context) (err error) { tree, err = r.stage(ctx); return err }},
		{"verify", func(ctx context.Context) error { return r.verified(ctx, tree) }},
		{"push", func(ctx context.Context) error { return r.push(ctx, tree) }},
		{"pull request", func(ctx context.Context) error { return r.propose(ctx, summary) }},
	} {
		if err := r.traced(ctx, step.name, step.take); err != nil {
			return err
		}
	}
	return nil
}

// verified runs the verifications; one that fails is a failure of the attempt.
func (r *run) verified(ctx context.Context, tree gateway.OID) error {
	failed, err := r.verify(ctx, tree)
	if err == nil && len(failed) > 0 {
		err = fail(gateway.VerifyFailed, "failed: %s", joined(failed))
	}
	return err
}

// clone fetches the base and checks it out.
func (r *run) clone(ctx context.Context) error {
	r.lease.at("cloning")
	url, err := r.Client.Resolve(r.start.CloneURL)
	if err != nil {
		return fail(gateway.Internal, "%v", err)
	}
	if !r.start.BaseCommit.Valid() {
		return fail(gateway.Internal, "the gateway named no base commit")
	}
	if err := r.emptyDirs("git-home", "checkout", "tmp"); err != nil {
		return err
	}
	err = again(ctx, func() error {
		if err := r.emptyDirs("git"); err != nil {
			return backoff.Permanent(err)
		}
		return finally(r.git.clone(ctx, url, r.start.BaseCommit))
	})
	if err != nil {
		return err
	}
	if r.git, err = r.git.checkout(ctx, string(r.start.BaseCommit), r.dir("checkout"), r.dir("git", "base-index")); err != nil {
		return err
	}
	return r.events.add(eventCloned, map[string]any{"base_commit": r.start.BaseCommit})
}

// again repeats try until it succeeds, fails for good (backoff.Permanent), or
// patience or the lease is at its end.
func again(ctx context.Context, try func() error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, try() },
		backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(patience))
	var permanent *backoff.PermanentError
	if errors.As(err, &permanent) {
		return permanent.Unwrap()
	}
	return err
}

// finally marks a git error permanent that says no rather than nothing.
func finally(err error) error {
	var said *gitError
	if errors.As(err, &said) && said.final() {
		return backoff.Permanent(err)
	}
	return err
}
