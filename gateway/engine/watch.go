package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// pollInterval is how late a change is seen that no notification told of:
	// network file systems, and links that were swapped above the folder.
	pollInterval = 5 * time.Second
	// pollURL is how late a change behind a URL is seen.
	pollURL = time.Minute
	// settleTime is how long a folder or file must stay the same before it is
	// taken, so that a change in several files is taken whole.
	settleTime = 150 * time.Millisecond
	// A URL that fails is asked again after firstRetry, then twice as long each
	// time, up to the poll's interval or longestRetry, whichever is longer.
	firstRetry   = time.Second
	longestRetry = 2 * time.Minute
)

// SourceEvents hear what becomes of a source. All are called from the goroutine
// of Follow; those that are nil are not.
type SourceEvents struct {
	// Offer has the last word about a candidate that passed the gate: an error
	// refuses it, and nil means that Offer has activated it. That is Offer's, so
	// that nothing comes between its word and the deed. nil activates all.
	Offer func(context.Context, *Snapshot, []StepResult) error
	// Active hears that what the source has is live now.
	Active func(*Snapshot)
	// Refused hears why what the source has is not live, with the steps as far
	// as it came.
	Refused func([]StepResult, error)
	// Problem hears that the source cannot be read, a *SourceError, each problem
	// once; and nil when it can be read again.
	Problem func(error)
}

// Follow keeps the live Snapshot equal to what the source has, until ctx ends;
// then it returns nil. Changes of a folder or file are seen by notification and
// by polling the digest of the content, so swapped symbolic links are seen, too;
// a URL is polled.
//
// A new content takes the gate, then Offer activates it or refuses. If anything
// fails the live Snapshot stays, whatever the source
// does. Each content is tried once, until another one has been seen: a rollback
// by Activate stays until the source changes. When a refused content gives way
// to the live one, Active hears so.
func (e *Engine) Follow(ctx context.Context, source *PolicySource, events SourceEvents) error {
	if events.Offer == nil {
		events.Offer = func(_ context.Context, s *Snapshot, _ []StepResult) error { e.Activate(s); return nil }
	}
	if events.Active == nil {
		events.Active = func(*Snapshot) {}
	}
	if events.Refused == nil {
		events.Refused = func([]StepResult, error) {}
	}
	if events.Problem == nil {
		events.Problem = func(error) {}
	}
	f := &follower{engine: e, source: source, events: events, remote: IsURL(source.name)}
	f.poll = cmp.Or(source.opts.Poll, e.poll)
	if f.remote {
		f.poll = cmp.Or(source.opts.Poll, pollURL)
	}
	if current := e.Current(); current != nil {
		f.seen = current.digest
	}
	return f.run(ctx)
}

// A follower is one run of Follow.
type follower struct {
	engine *Engine
	source *PolicySource
	events SourceEvents
	remote bool
	poll   time.Duration

	notify   *fsnotify.Watcher
	seen     string // the content that was acted on last
	stable   string // the content, or the failure to read one, that was seen twice
	pending  string // another one, waiting to be seen a second time
	problem  string // why the source cannot be read; "" if it can
	failures int    // in a row
}

func (f *follower) run(ctx context.Context) error {
	f.listen()
	defer f.deafen()
	wait, settling := f.engine.after(0), true
	for {
		var events chan fsnotify.Event
		var failures chan error
		if f.notify != nil {
			events, failures = f.notify.Events, f.notify.Errors
		}
		select {
		case <-ctx.Done():
			return nil
		case <-events:
			// However many follow, the content is looked at after this time.
			if !settling {
				wait, settling = f.engine.after(f.engine.settle), true
			}
			continue
		case err := <-failures:
			f.source.opts.logger().Warn("notifications about the policies failed", slog.String("source", f.source.name), slog.Any("error", err))
			continue
		case <-wait:
		}
		next := f.check(ctx)
		wait, settling = f.engine.after(next), next == f.engine.settle
	}
}

// check looks at the source once, acts on what is new, and says when to look
// again.
func (f *follower) check(ctx context.Context) time.Duration {
	found, err := f.source.fetch(ctx)
	if ctx.Err() != nil {
		return f.poll
	}
	var problem *SourceError
	id := found.id
	if errors.As(err, &problem) {
		id = "problem: " + err.Error()
	}
	if !f.remote && !f.settled(id) {
		f.listen() // the change may have brought new folders
		return f.engine.settle
	}
	if problem != nil {
		return f.failed(problem)
	}
	if f.failures = 0; f.problem != "" {
		f.problem = ""
		f.events.Problem(nil)
	}
	if !found.unchanged && id != f.seen {
		f.seen = id
		f.act(ctx, found.content, err)
	}
	if f.remote {
		return f.jitter(f.poll)
	}
	return f.poll
}

// settled reports whether what was read may be acted on: it was seen before.
func (f *follower) settled(id string) bool {
	if id == f.stable || id == f.seen && f.problem == "" || id == f.pending {
		f.stable, f.pending = id, ""
		return true
	}
	f.pending = id
	return false
}

// failed reports a problem, once, and says when to ask again.
func (f *follower) failed(problem *SourceError) time.Duration {
	if text := problem.Error(); text != f.problem {
		f.problem = text
		f.events.Problem(problem)
	}
	if !f.remote {
		return f.poll
	}
	wait, longest := firstRetry, max(f.poll, longestRetry)
	for range min(f.failures, 30) {
		if wait = min(2*wait, longest); wait == longest {
			break
		}
	}
	f.failures++
	return max(f.jitter(wait), problem.RetryAfter)
}

// jitter is a time between three quarters of d and all of it, so that many
// gateways do not ask at once.
func (f *follower) jitter(d time.Duration) time.Duration {
	return d - time.Duration(f.engine.random()*float64(d)/4)
}

// act answers a new content, or a refusal to read one.
func (f *follower) act(ctx context.Context, c content, err error) {
	if current := f.engine.Current(); err == nil && current != nil {
		packed, unpackable := pack(c.files)
		_, unsigned := c.verify(f.source.opts.Options)
		if unpackable == nil && unsigned == nil && digestOf(packed) == current.digest {
			f.events.Active(current)
			return
		}
	}
	candidate, steps, err := f.source.gate(ctx, c, err)
	if err == nil {
		if err = f.events.Offer(ctx, candidate, steps); err != nil {
			err = fmt.Errorf("activate policy bundle %s: %w", candidate.revision, err)
		}
	}
	switch {
	case err == nil:
		f.events.Active(candidate)
	case ctx.Err() == nil:
		f.events.Refused(steps, err)
	}
}

// listen asks to be notified about the folder, all folders in it, and the
// folder that holds it, where its own link would be swapped; about a file, by
// the folder that holds it. Notification is an aid: without it the polls see the
// change a little later.
func (f *follower) listen() {
	f.deafen()
	if f.remote {
		return
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		f.source.opts.logger().Warn("policies are polled only", slog.String("source", f.source.name), slog.Any("error", err))
		return
	}
	f.notify = notify
	add := func(dir string) {
		if err := notify.Add(dir); err != nil {
			f.source.opts.logger().Debug("policies are polled only", slog.String("dir", dir), slog.Any("error", err))
		}
	}
	add(filepath.Dir(filepath.Clean(f.source.name)))
	add(f.source.name)
	entries := 0
	err = filepath.WalkDir(f.source.name, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if entries++; entries > maxFiles {
			return fs.SkipAll
		}
		if name == f.source.name || strings.HasPrefix(entry.Name(), ".") {
			return skipHidden(name == f.source.name, entry)
		}
		if entry.IsDir() {
			add(name)
		} else if info, err := os.Stat(name); err == nil && info.IsDir() {
			add(name)
		}
		return nil
	})
	if err != nil {
		f.source.opts.logger().Debug("policies are polled only", slog.String("source", f.source.name), slog.Any("error", err))
	}
}

// skipHidden leaves out hidden folders, except the root whatever its name.
func skipHidden(isRoot bool, entry fs.DirEntry) error {
	if !isRoot && entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (f *follower) deafen() {
	if f.notify == nil {
		return
	}
	if err := f.notify.Close(); err != nil {
		f.source.opts.logger().Debug("close policy folder notifications", slog.Any("error", err))
	}
	f.notify = nil
}
