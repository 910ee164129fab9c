package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/mod/sumdb/note"

	"leviathan/gateway"
)

// DatabaseFile is the name of the journal's file in its folder.
const DatabaseFile = "leviathan.db"

// Config says where the journal is and how it works. Dir is required.
type Config struct {
	// Dir is the state folder: leviathan.db, lock and keys/ are made in it. It
	// must be on a local file system.
	Dir string
	// Logger gets what happens outside any caller's request; default: none.
	Logger *slog.Logger
	// Now is the wall clock; default time.Now.
	Now func() time.Time
	// MaxBatch is how many callers of Commit share one transaction at most;
	// default 256.
	MaxBatch int
	// Readers is how many read-only connections there are; default 4.
	Readers int
	// CheckpointEvery is after how many records a signed checkpoint is stored;
	// default 4096. One is stored at Close as well.
	CheckpointEvery int64
	// CheckpointInterval is after how long one is stored when there are new
	// records; default 60 s.
	CheckpointInterval time.Duration
	// Warm makes room for the log of the database's next changes at Open, some 16
	// MB, for a process that commits much: without it the first thousand commits
	// each wait for the file system to enlarge a file.
	Warm bool
	// Fence is for a journal that several processes could open; the zero Fence
	// leaves it to the lock on the folder.
	Fence Fence

	pragmas []string // for tests
}

func (c *Config) fill() error {
	if c.Dir == "" {
		return errors.New("open journal: Config.Dir is empty")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBatch <= 0 {
		c.MaxBatch = 256
	}
	if c.Readers <= 0 {
		c.Readers = 4
	}
	if c.CheckpointEvery <= 0 {
		c.CheckpointEvery = 4096
	}
	if c.CheckpointInterval <= 0 {
		c.CheckpointInterval = time.Minute
	}
	return nil
}

// A Journal is the open log. All methods are safe for concurrent use.
type Journal struct {
	cfg     Config
	lock    *flock.Flock
	codec   *codec
	readers *pool
	signer  note.Signer
	check   note.Verifier
	file    *checkpointFile

	// Whoever has the turn is the one writer, and alone uses these.
	turn    chan struct{}
	w       *conn
	known   *known
	head    head
	buffers struct{ body, leaf, blob []byte }
	covered int64 // records under the last stored checkpoint
	epoch   int64 // this writer's; 0 on a journal that never had one
	dead    error // set when memory and disk may differ: nothing is written any more

	requests chan *request
	inHand   atomic.Int32 // callers out of requests that wait for the turn
	alone    chan *request
	closing  chan struct{}
	closed   chan struct{}
	once     sync.Once
	closeErr error
	onCommit atomic.Pointer[func(Committed)]

	mu      sync.RWMutex
	seq     int64
	floor   int64 // microseconds; no record before clock.accepted is earlier
	size    tree
	facts   map[gateway.TargetID]int64
	states  map[gateway.TargetID]*cached
	changed chan struct{} // closed at the next commit
}

// Open locks Dir, brings the database to this release's schema, checks the
// tail of the log against its hashes and starts the writer. It fails when
// another process has Dir, naming its process id.
func Open(ctx context.Context, cfg Config) (_ *Journal, err error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: make state folder: %w", err)
	}
	j := &Journal{
		cfg: cfg, known: newKnown(), turn: make(chan struct{}, 1), requests: make(chan *request, cfg.MaxBatch), alone: make(chan *request),
		closing: make(chan struct{}), closed: make(chan struct{}),
		facts: map[gateway.TargetID]int64{}, states: map[gateway.TargetID]*cached{}, changed: make(chan struct{}),
	}
	if j.lock, err = lockDir(cfg.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.release())
		}
	}()
	if j.codec, err = newCodec(); err != nil {
		return nil, err
	}
	if j.signer, j.check, err = loadKey(filepath.Join(cfg.Dir, "keys")); err != nil {
		return nil, err
	}
	if err := j.openDatabase(ctx); err != nil {
		return nil, err
	}
	j.file = &checkpointFile{
		path: filepath.Join(cfg.Dir, CheckpointsFile), logger: cfg.Logger, after: j.storedCheckpoints, end: j.Seq,
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	j.turn <- struct{}{}
	go j.file.run()
	go j.write()
	return j, nil
}

// openDatabase opens the connections and loads what the writer keeps in
// memory.
func (j *Journal) openDatabase(ctx context.Context) (err error) {
	path := filepath.Join(j.cfg.Dir, DatabaseFile)
	pragmas := append([]string{
		"busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=1", "temp_store=memory",
		"cache_size=-65536", fmt.Sprint("wal_autocheckpoint=", logFrames),
	}, j.cfg.pragmas...)
	if j.w, err = dial(path, "", pragmas...); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if err := j.admit(ctx); err != nil {
		return err
	}
	stale, err := migrate(ctx, j.w)
	if err != nil {
		return err
	}
	if j.head, err = loadHead(ctx, j.w); err != nil {
		return err
	}
	if err := checkTail(ctx, j.w, &j.head, j.check); err != nil {
		return err
	}
	if err := j.takeEpoch(ctx); err != nil {
		return err
	}
	if stale {
		if err := rebuild(ctx, j.w, j.codec); err != nil {
			return err
		}
	}
	if err := j.loadFacts(ctx); err != nil {
		return err
	}
	if r, _, err := j.w.one(ctx, `SELECT coalesce(max(size), 0) FROM checkpoint`); err != nil {
		return fmt.Errorf("read checkpoints: %w", err)
	} else {
		j.covered = r.int64(0)
	}
	if j.cfg.Warm {
		if err := j.warm(path); err != nil {
			j.cfg.Logger.Warn("the first commits will take longer", "error", err) // it is only slower: a full disk is for the commits to tell
		}
	}
	j.seq, j.floor, j.size = j.head.seq, j.head.floor, j.head.tree.clone()
	j.readers, err = newPool(path, j.cfg.Readers)
	return err
}

// loadFacts reads every target's facts_seq.
func (j *Journal) loadFacts(ctx context.Context) error {
	return j.w.query(ctx, `SELECT target, seq FROM fact`, nil, func(r row) error {
		j.facts[gateway.TargetID(r.str(0))] = r.int64(1)
		return nil
	})
}

// Close refuses new commits, ends those that run, stores a signed checkpoint
// and gives Dir free. It waits up to ten seconds for readers.
func (j *Journal) Close() error {
	j.once.Do(func() {
		close(j.closing)
		<-j.closed
		close(j.file.stop)
		<-j.file.done
		j.closeErr = j.release()
	})
	return j.closeErr
}

// release closes what Open opened; the lock goes last.
func (j *Journal) release() error {
	var errs []error
	if j.readers != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		errs = append(errs, j.readers.close(ctx))
	}
	if j.w != nil {
		errs = append(errs, j.w.close())
	}
	if j.codec != nil {
		errs = append(errs, j.codec.close())
	}
	return errors.Join(append(errs, j.lock.Unlock())...)
}

// Dir is the state folder.
func (j *Journal) Dir() string { return j.cfg.Dir }

// FactsSeq is the last committed record that can change what a policy knows
// about the target: its own, or one about all. 0 for none.
func (j *Journal) FactsSeq(target gateway.TargetID) int64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return max(j.facts[target], j.facts[""])
}

// State is what the journal knows about the target as of the last commit. It
// costs a look in memory, but for the first call about a target, which passes
// the writer.
func (j *Journal) State(target gateway.TargetID) (*State, error) {
	j.mu.RLock()
	c := j.states[target]
	j.mu.RUnlock()
	if c != nil {
		return c.state, nil
	}
	var s *State
	err := j.Commit(context.Background(), func(tx *Tx) (err error) {
		s, err = tx.State(target)
		return err
	})
	return s, err
}

// Clock is how far the wall clock lies behind the last record's time; 0 when
// it does not. See ClockAccepted.
func (j *Journal) Clock() time.Duration {
	j.mu.RLock()
	floor := j.floor
	j.mu.RUnlock()
	return max(0, time.UnixMicro(floor).Sub(j.cfg.Now()))
}

// Seq is the last committed record, 0 for none.
func (j *Journal) Seq() int64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.seq
}

// Wait returns the last committed record's seq as soon as it is greater than
// after, or ctx's error.
func (j *Journal) Wait(ctx context.Context, after int64) (int64, error) {
	for {
		j.mu.RLock()
		seq, changed := j.seq, j.changed
		j.mu.RUnlock()
		if seq > after {
			return seq, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return seq, ctx.Err()
		case <-j.closed:
			return seq, errClosed()
		}
	}
}
