package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
	"leviathan/gateway/repository"
)

// A target is one repository under governance while the gateway runs: its
// mirror, its forge, its leases and what was last seen of it.
type target struct {
	id     gateway.TargetID
	leases leases
	push   sync.Mutex // one push is decided and forwarded at a time
	pull   sync.Mutex // one pull request is decided and opened at a time
	// pushing has the attempts whose push is being received.
	pushing sync.Map

	mu       sync.Mutex // guards the four below
	upstream string     // the URL that mirror and forge were opened for
	mirror   *repository.Mirror
	forge    forge.Forge
	flight   *flight

	seen   atomic.Pointer[facts]
	states atomic.Pointer[stateParts]
	config atomic.Pointer[configCache]
	memos  memos
	// quiet is until when the forge asked not to be asked, in microseconds
	// since 1970.
	quiet  atomic.Int64
	around around
}

// facts is what was observed of a target, at one time; immutable. A failed
// observation keeps what was seen before, with its age and the failure.
type facts struct {
	head          gateway.OID
	configDigest  string // of the config by whose defaults the backlog was read
	tasks         map[gateway.TaskID]gateway.Task
	order         []gateway.TaskID
	invalid       map[gateway.TaskID]invalidTask
	maxOpenPRs    int
	backlogPart   engine.Part
	policyPart    engine.Part
	policyProblem string
	warnings      []string

	mirrorAt  time.Time
	mirrorErr string
	forgeAt   time.Time
	forgeErr  string
	unlisted  []journal.UnlistedPull
}

type invalidTask struct {
	Line    int              `json:"line"`
	Reasons []gateway.Reason `json:"reasons"`
}

// A flight is one observation under way, shared by all who wait for it.
type flight struct {
	done chan struct{}
}

// stateParts is the journal's state of a target as a part, whole, for the
// plan; built once for each facts_seq.
type stateParts struct {
	seq   int64
	today int // attempts reserved on the day of the question
	part  engine.Part
}

// configCache is a valid config as a part.
type configCache struct {
	digest string
	reason string
	part   engine.Part
}

// facts is what was last seen; never nil.
func (t *target) facts() *facts {
	if f := t.seen.Load(); f != nil {
		return f
	}
	return &facts{mirrorErr: "not observed yet", forgeErr: "not observed yet"}
}

// lookup finds or makes the running side of a target. It opens nothing.
func (s *Server) lookup(id gateway.TargetID) *target {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.running[id]
	if t == nil {
		t = &target{id: id}
		s.running[id] = t
	}
	return t
}

// knows reports whether a config names the target or the journal has it.
func (s *Server) knows(id gateway.TargetID) bool {
	if !id.Valid() {
		return false
	}
	if s.targets.Check(id).File != "" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[id] != nil
}

// open returns the target's mirror and forge, opened for the URL that the
// config has now.
func (s *Server) open(ctx context.Context, t *target, cfg *autonomy.Config) (*repository.Mirror, forge.Forge, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mirror != nil && t.upstream == cfg.TargetRepoURL {
		return t.mirror, t.forge, nil
	}
	// Another URL is another repository: its mirror lies in a folder of its own.
	sum := sha256.Sum256([]byte(cfg.TargetRepoURL))
	dir := filepath.Join(s.stateDir, "mirrors", string(t.id)+"-"+hex.EncodeToString(sum[:4])+".git")
	f, up, err := s.openForge(cfg.TargetRepoURL)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the forge: %w", err)
	}
	m, err := repository.Open(ctx, dir, up)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the mirror: %w", err)
	}
	if t.mirror != nil {
		if err := t.mirror.Close(); err != nil {
			s.log.Warn("closing a mirror", "target", t.id, "error", err)
		}
	}
	t.mirror, t.forge, t.upstream = m, f, cfg.TargetRepoURL
	t.quiet.Store(0)
	return m, f, nil
}

// opened returns the mirror if it is open.
func (t *target) opened() (*repository.Mirror, forge.Forge, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mirror, t.forge, t.mirror != nil
}
