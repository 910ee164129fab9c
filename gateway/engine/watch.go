package engine

import (
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
	// settleTime is how long the content must stay the same before it is
	// taken, so that a change in several files is taken whole.
	settleTime = 150 * time.Millisecond
)

// WatchDir keeps the live Snapshot equal to the bundle in dir, until ctx ends;
// then it returns nil. Changes are seen by notification and by polling the
// digest of the content, so swapped symbolic links are seen, too.
//
// A new content is loaded with the options of the live Snapshot, its own tests
// are run, then the gate, which may be nil, is asked; if all pass, it is
// activated. If anything fails the live Snapshot stays. onResult, which may be
// nil, hears each outcome once: the Snapshot that is live now, or nil and why
// the candidate was refused. Each content is tried once, until another one has
// been seen: a rollback by Activate stays until the folder changes. When a
// refused content gives way to the live one, onResult hears the live one again.
//
// Gate and onResult are called from this goroutine.
func (e *Engine) WatchDir(
	ctx context.Context, dir string,
	gate func(context.Context, *Snapshot) error, onResult func(*Snapshot, error),
) error {
	if dir == "" {
		return errors.New("watch policies: no folder is given")
	}
	if gate == nil {
		gate = func(context.Context, *Snapshot) error { return nil }
	}
	if onResult == nil {
		onResult = func(*Snapshot, error) {}
	}
	w := &watch{engine: e, dir: dir, gate: gate, onResult: onResult}
	if current := e.Current(); current != nil {
		w.opts, w.seen = current.opts, current.digest
	}
	return w.run(ctx)
}

// A watch is one run of WatchDir.
type watch struct {
	engine   *Engine
	dir      string
	opts     Options
	gate     func(context.Context, *Snapshot) error
	onResult func(*Snapshot, error)

	notify  *fsnotify.Watcher
	seen    string // the content, or the failure to read it, that was acted on last
	pending string // another one, waiting to be seen a second time
}

func (w *watch) run(ctx context.Context) error {
	w.listen()
	defer w.deafen()
	poll := time.NewTicker(w.engine.poll)
	defer poll.Stop()
	settle := time.NewTimer(0)
	defer settle.Stop()
	for {
		var events chan fsnotify.Event
		var failures chan error
		if w.notify != nil {
			events, failures = w.notify.Events, w.notify.Errors
		}
		select {
		case <-ctx.Done():
			return nil
		case <-events:
			settle.Reset(w.engine.settle)
			continue
		case err := <-failures:
			w.opts.logger().Warn("policy folder notifications failed", slog.String("dir", w.dir), slog.Any("error", err))
		case <-poll.C:
		case <-settle.C:
		}
		if w.check(ctx) {
			settle.Reset(w.engine.settle)
		}
	}
}

// check reads the content and acts on it once it is stable. It reports whether
// it has to be looked at again soon.
func (w *watch) check(ctx context.Context) (again bool) {
	found, err := readDir(ctx, w.dir, w.opts)
	files := found.files
	if ctx.Err() != nil {
		return false
	}
	content := ""
	if err == nil {
		var packed []byte
		if packed, err = pack(files); err == nil {
			content = digestOf(packed)
		}
	}
	if err != nil {
		content = err.Error()
	}
	switch content {
	case w.seen:
		w.pending = ""
		return false
	case w.pending:
		w.pending, w.seen = "", content
		w.act(ctx, files, content, err)
		return false
	default:
		w.pending = content
		w.listen() // the change may have brought new folders
		return true
	}
}

// act answers a stable content, or a lasting failure to read one.
func (w *watch) act(ctx context.Context, files []file, content string, err error) {
	if current := w.engine.Current(); current != nil && content == current.digest {
		w.onResult(current, nil)
		return
	}
	if err == nil {
		err = w.try(ctx, files)
	}
	if err != nil && ctx.Err() == nil {
		w.onResult(nil, err)
	}
}

// try takes a candidate through load, tests and gate, and activates it.
func (w *watch) try(ctx context.Context, files []file) error {
	candidate, _, err := Gate(ctx, TestOptions{}, func(ctx context.Context) (*Snapshot, error) {
		return load(ctx, w.opts, func() (content, error) { return content{files: files}, nil })
	})
	if err != nil {
		return err
	}
	if err := w.gate(ctx, candidate); err != nil {
		return fmt.Errorf("activate policy bundle %s: %w", candidate.revision, err)
	}
	w.engine.Activate(candidate)
	w.onResult(candidate, nil)
	return nil
}

// listen asks to be notified about the folder, all folders in it, and the
// folder that holds it, where its own link would be swapped. Notification is
// an aid: without it the polls see the change a little later.
func (w *watch) listen() {
	w.deafen()
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		w.opts.logger().Warn("policy folder is polled only", slog.String("dir", w.dir), slog.Any("error", err))
		return
	}
	w.notify = notify
	add := func(dir string) {
		if err := notify.Add(dir); err != nil {
			w.opts.logger().Debug("policy folder is polled only", slog.String("dir", dir), slog.Any("error", err))
		}
	}
	add(filepath.Dir(filepath.Clean(w.dir)))
	add(w.dir)
	entries := 0
	err = filepath.WalkDir(w.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if entries++; entries > maxFiles {
			return fs.SkipAll
		}
		if name == w.dir || strings.HasPrefix(entry.Name(), ".") {
			return skipHidden(name == w.dir, entry)
		}
		if entry.IsDir() {
			add(name)
		} else if info, err := os.Stat(name); err == nil && info.IsDir() {
			add(name)
		}
		return nil
	})
	if err != nil {
		w.opts.logger().Debug("policy folder is polled only", slog.String("dir", w.dir), slog.Any("error", err))
	}
}

// skipHidden leaves out hidden folders, except the root whatever its name.
func skipHidden(isRoot bool, entry fs.DirEntry) error {
	if !isRoot && entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (w *watch) deafen() {
	if w.notify == nil {
		return
	}
	if err := w.notify.Close(); err != nil {
		w.opts.logger().Debug("close policy folder notifications", slog.Any("error", err))
	}
	w.notify = nil
}
