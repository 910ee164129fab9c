package autonomy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

// A Set is a live view of one config file, or of a directory of them. All
// methods may be called at once by many goroutines.
type Set struct {
	path string
	dir  bool
	log  *slog.Logger
	now  func() time.Time

	mu      sync.Mutex
	entries []*entry // in order of file
	byID    map[gateway.TargetID]*entry
	listing stamp  // of the directory when it was last listed
	listed  string // why it could not be; empty if it could
	second  *second
}

// Open makes a Set of a file, or of a directory's *.yaml and *.yml files whose
// names do not begin with a dot. It fails only if path itself cannot be read;
// a file in it with errors is a target that is off. The clock now must be that
// of the file system; logger gets one line for each change of a state.
func Open(path string, logger *slog.Logger, now func() time.Time) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening the autonomy config: %w", err)
	}
	s := &Set{path: path, dir: info.IsDir(), log: logger, now: now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.dir {
		if _, err := os.ReadDir(path); err != nil {
			return nil, fmt.Errorf("opening the autonomy config: %w", err)
		}
	} else {
		if _, err := readFile(path); err != nil {
			return nil, err
		}
		s.entries = []*entry{{file: path}}
	}
	s.Targets()
	return s, nil
}

// Targets is the state of every target, in order of id and file. It is
// complete: a file that cannot be read is listed with the target_id that it
// had last, or with none.
func (s *Set) Targets() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.refresh(now, func(*entry) bool { return true })
	states := make([]State, 0, len(s.entries))
	for _, e := range s.entries {
		states = append(states, s.restrict(e, now))
	}
	slices.SortStableFunc(states, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.File, b.File))
	})
	return states
}

// Check is the state of one target as its file stands now. Every decision
// calls it: it stats the files and reads again what changed, or may have.
// It answers with an empty File for a target that no file names.
func (s *Set) Check(id gateway.TargetID) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.refresh(now, func(e *entry) bool { return e.id == id })
	if e := s.byID[id]; e != nil && id != "" {
		return s.restrict(e, now)
	}
	reason := fmt.Sprintf("no file of %s names the target %s", s.path, strictyaml.Show(string(id)))
	if s.listed != "" {
		reason += "; " + s.listed
	}
	return State{ID: id, Reason: reason, ObservedAt: now, InvalidSince: now}
}

// refresh brings every entry up to date, and looks closely at those that
// closely picks. All entries count for each decision, because two files may
// contradict each other. Callers hold mu.
func (s *Set) refresh(now time.Time, closely func(*entry) bool) {
	changed := s.dir && s.list(now)
	for _, e := range s.entries {
		changed = e.refresh(now, closely(e)) || changed
	}
	if changed || s.byID == nil {
		s.resolve(now)
	}
}

// list finds new files when the directory changed, or may have.
func (s *Set) list(now time.Time) (changed bool) {
	at, err := dirStamp(s.path)
	if err == nil && at == s.listing && at.settled(now) {
		return false
	}
	var found []os.DirEntry
	if err == nil {
		found, err = os.ReadDir(s.path)
	}
	if err != nil {
		// Each file's own stat says what became of it.
		s.listing, s.listed = stamp{}, fmt.Sprintf("the folder cannot be listed: %v", err)
		return false
	}
	s.listing, s.listed = at, ""
	for _, f := range found {
		name := f.Name()
		if !configName(name) {
			continue
		}
		file := filepath.Join(s.path, name)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			continue
		}
		i, known := slices.BinarySearchFunc(s.entries, file, func(e *entry, file string) int { return cmp.Compare(e.file, file) })
		if !known {
			s.entries = slices.Insert(s.entries, i, &entry{file: file})
			changed = true
		}
	}
	return changed
}

// dirStamp is the stamp of a directory.
func dirStamp(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if !info.IsDir() {
		return stamp{}, errors.New("it is no longer a folder")
	}
	s := stamp{modified: info.ModTime().UnixNano(), mode: info.Mode()}
	s.identify(info)
	return s, nil
}

// resolve gives each entry its target, drops what is gone for good, and turns
// off the entries that contradict each other.
func (s *Set) resolve(now time.Time) {
	living := map[gateway.TargetID]bool{}
	for _, e := range s.entries {
		if !e.gone() {
			living[e.id] = true
		}
	}
	// A file that is gone is remembered by its target, until another has it.
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
		return s.dir && e.gone() && (e.id == "" || living[e.id])
	})
	byID := map[gateway.TargetID][]*entry{}
	byUpstream := map[string][]*entry{}
	for _, e := range s.entries {
		if e.id != "" {
			byID[e.id] = append(byID[e.id], e)
		}
		if e.config != nil && !e.gone() {
			key := e.config.upstreamKey()
			byUpstream[key] = append(byUpstream[key], e)
		}
	}
	s.byID = make(map[gateway.TargetID]*entry, len(byID))
	for id, entries := range byID {
		s.byID[id] = entries[0]
	}
	for _, e := range s.entries {
		conflict := clash(e, byID[e.id], "target_id "+strictyaml.Show(string(e.id)))
		if conflict == "" && e.config != nil {
			conflict = clash(e, byUpstream[e.config.upstreamKey()], "upstream and branch")
		}
		e.settle(conflict, now, s.log)
	}
}

// clash names another entry of the group, if there is one.
func clash(e *entry, group []*entry, what string) string {
	for _, other := range group {
		if other != e {
			return "the same " + what + " as in " + other.file + "; both targets are off"
		}
	}
	return ""
}
