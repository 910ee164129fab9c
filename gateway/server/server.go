package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// clockTolerance is how far the clock may lie behind the last record.
const clockTolerance = 2 * time.Second

// Config is what a gateway is made of. Everything but the optional fields is
// required.
type Config struct {
	// StateDir holds mirrors, keys and artifacts; the journal in it is opened
	// by the caller.
	StateDir string
	Journal  *journal.Journal
	Engine   *engine.Engine
	Targets  *autonomy.Set
	// OperatorToken is the operator's credential. The server keeps its hash.
	OperatorToken string
	Logger        *slog.Logger

	// Now is the clock; time.Now if nil. Its times must carry a monotonic
	// reading, or leases follow the wall clock.
	Now func() time.Time
	// OpenMetrics serves /metrics without a token.
	OpenMetrics bool
	// GitBinary is the path of git for upstreams that are paths; "" looks in
	// PATH.
	GitBinary string
	// GitHub is what the forges of all targets on GitHub have in common:
	// Repository, Budget and Now are filled in for each. Its credential is that
	// of git for the same host, and for no other. nil refuses every upstream
	// that is not a path.
	GitHub *forge.GitHubOptions
	// GitHubWebhook reads what GitHub sends; nil answers 404 to it.
	GitHubWebhook *forge.GitHubWebhook
	// OnChange is called, without locks, when a target may have something new
	// to plan: an attempt ended, a halt was lifted. It must not block.
	OnChange func(gateway.TargetID)
	// ReplayLast is how many records back from its end the journal is decided
	// again for a candidate policy; 0 means 20,000.
	ReplayLast int64
	// Writer, if it is not nil, is asked before an effect, shown in the status,
	// and not ready without it. The journal's Fence must ask it as well.
	Writer Writer
	// Reviewer, if it is not nil, is asked whose a token is that is nobody's here.
	Reviewer Reviewer
	// Tracer gets spans of requests that change something, of decisions and of
	// effects; nil traces nothing. Nothing waits for it. Spans have ids, codes
	// and outcomes, and no text that somebody wrote.
	Tracer trace.TracerProvider
	// Warnings are shown in the status: what is risky about how it was started.
	Warnings []string
}

// Server is the gateway. Its Handler is safe for concurrent use.
type Server struct {
	stateDir     string
	journal      *journal.Journal
	engine       *engine.Engine
	targets      *autonomy.Set
	operatorHash string
	log          *slog.Logger
	now          func() time.Time
	started      time.Time
	openMetrics  bool
	gitBinary    string
	github       *forge.GitHubOptions
	webhook      *forge.GitHubWebhook
	onChange     func(gateway.TargetID)
	warnings     []string
	writer       Writer
	reviewer     Reviewer

	keys      *keyring
	limits    limiters
	metrics   *metrics
	tracing   tracing
	artifacts *os.Root
	// evaluations bounds how many questions the policy answers at once.
	evaluations evaluations
	judging     chan struct{} // held by whoever judges a repository
	killSwitch  killSwitch
	background  background // what nobody waits for

	artifactMu sync.Mutex // one writer of artifacts at a time

	mu      sync.Mutex // guards running
	running map[gateway.TargetID]*target

	policy     policyLife
	shadow     *replay.Shadow
	replayLast int64
	explained  atomic.Pointer[engine.Snapshot] // loaded last to explain a decision
}

// New makes a gateway and brings it in line with its journal. It serves
// nothing yet: Handler has the routes and Run the gateway's own clockwork.
func New(ctx context.Context, c Config) (*Server, error) {
	if c.OperatorToken == "" {
		return nil, errors.New("a gateway needs an operator's token")
	}
	s := &Server{stateDir: c.StateDir, journal: c.Journal, engine: c.Engine, targets: c.Targets, operatorHash: hashSecret(c.OperatorToken),
		log: c.Logger, now: c.Now, openMetrics: c.OpenMetrics, gitBinary: c.GitBinary, webhook: c.GitHubWebhook,
		onChange: c.OnChange, warnings: c.Warnings, writer: c.Writer, reviewer: c.Reviewer, metrics: newMetrics(), tracing: newTracing(c.Tracer), evaluations: newEvaluations(), judging: make(chan struct{}, 1),
		shadow: replay.NewShadow(c.Logger), replayLast: cmp.Or(c.ReplayLast, replayLast), running: map[gateway.TargetID]*target{}}
	if s.now == nil {
		s.now = time.Now
	}
	s.started = s.now()
	s.background.begin()
	if err := s.useGitHub(c.GitHub); err != nil {
		return nil, err
	}
	for _, dir := range []string{"mirrors", "keys", "artifacts"} {
		if err := os.MkdirAll(filepath.Join(c.StateDir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("creating the state folder: %w", err)
		}
	}
	s.journal.OnCommit(s.metrics.committed)
	if err := s.metrics.registry.Register(newGauges(s)); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	var err error
	if s.keys, err = openKeyring(filepath.Join(c.StateDir, "keys"), s.now); err != nil {
		return nil, err
	}
	if s.artifacts, err = os.OpenRoot(filepath.Join(c.StateDir, "artifacts")); err != nil {
		return nil, fmt.Errorf("opening the artifact folder: %w", err)
	}
	if err := s.recover(ctx); err != nil {
		return nil, fmt.Errorf("bringing the gateway in line with its journal: %w", err)
	}
	return s, nil
}

// Handler serves the routes of the table.
func (s *Server) Handler() http.Handler { return s.router() }

// Run is the gateway's own clockwork: it expires leases and settles effects
// that were decided and never seen. It ends with ctx.
func (s *Server) Run(ctx context.Context) error {
	var first sync.WaitGroup
	for _, cfg := range s.targets.Targets() {
		if cfg.ID != "" { // looked at once, so that the status shows facts before the first cycle
			first.Go(func() { s.refresh(ctx, s.lookup(cfg.ID)) })
		}
	}
	first.Go(func() {
		if err := s.shadow.Run(ctx); err != nil {
			s.log.Error("asking the candidate policy", "error", err)
		}
	})
	s.tick(ctx)
	first.Wait()
	return ctx.Err()
}

// Close ends what runs by itself, and lets go of the mirrors and the artifact
// folder. The journal is the caller's.
func (s *Server) Close() error {
	s.background.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.artifacts.Close()
	for _, t := range s.running {
		if mirror, _, ok := t.opened(); ok {
			err = errors.Join(err, mirror.Close())
		}
	}
	return err
}

// changed tells whoever plans that a target may have something new.
func (s *Server) changed(id gateway.TargetID) {
	if s.onChange != nil {
		s.onChange(id)
	}
}

// clockBehind is how far the wall clock lies behind the last record.
func (s *Server) clockBehind() time.Duration { return s.journal.Clock() }

// journalNow is the time that a record appended now would have.
func (s *Server) journalNow() gateway.Time { return gateway.At(s.now().Add(s.clockBehind())) }

// refresh observes a target that was never observed, so that the first
// question after a start is not answered with "unknown".
func (s *Server) refresh(ctx context.Context, t *target) {
	if t.seen.Load() == nil {
		s.observe(ctx, t)
	}
}

// sortedKeys are the keys of a set, in order.
func sortedKeys(set map[string]bool) []string {
	return append([]string{}, slices.Sorted(maps.Keys(set))...)
}

// unknownFact reports whether a reason says that a fact could not be had.
func unknownFact(reasons []gateway.Reason) bool {
	return slices.ContainsFunc(reasons, func(r gateway.Reason) bool { return isUnknown(r.Code) })
}
