package spider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"leviathan/gateway"
)

// stateVersion is the form of the state file.
const stateVersion = 1

// maxTracked bounds each of the maps of what is under way: live attempts, open
// pull requests, unfinished tasks.
const maxTracked = 20_000

// A state is everything that a spider remembers, as it stands in its file.
// Times are microseconds since 1970.
type state struct {
	Version int `json:"version"`
	// Cursor and CursorID are the last event that was read from the journal.
	Cursor   int64  `json:"cursor"`
	CursorID string `json:"cursor_id"`
	Seen     []byte `json:"seen,omitempty"` // see seen.pack

	Received      uint64            `json:"received"`
	Duplicates    uint64            `json:"duplicates"`
	Claims        uint64            `json:"claims"`
	Untracked     uint64            `json:"untracked"`
	Journals      uint64            `json:"journals"`
	WriteFailures uint64            `json:"write_failures"`
	LastReceived  int64             `json:"last_received"`
	Types         map[string]uint64 `json:"types"`

	// DecisionSeq is the last decision that was counted; Decisions are by action
	// and outcome, Reasons by action and code, and Codes those with a label.
	DecisionSeq int64             `json:"decision_seq,omitempty"`
	Decisions   map[string]uint64 `json:"decisions"`
	Reasons     map[string]uint64 `json:"reasons"`
	Codes       map[string]bool   `json:"codes"`

	HaltedAll bool                           `json:"halted_all"`
	Halts     uint64                         `json:"halts"`
	Targets   map[string]*target             `json:"targets"`
	Attempts  map[gateway.AttemptID]*attempt `json:"attempts"`
	Pulls     map[string]*pull               `json:"pulls"`
	Tasks     map[string]*task               `json:"tasks"`
}

// A target is what is counted under one label.
type target struct {
	Circuit   string                `json:"circuit,omitempty"`
	Opened    map[string]uint64     `json:"opened,omitempty"` // by cause
	Halted    bool                  `json:"halted,omitempty"`
	LastCycle int64                 `json:"last_cycle,omitempty"`
	Cycles    map[string]uint64     `json:"cycles,omitempty"`
	Pulls     map[string]uint64     `json:"pulls,omitempty"` // created, merged, closed
	Accepted  int64                 `json:"accepted,omitempty"`
	Declined  int64                 `json:"declined,omitempty"`
	Unlisted  int                   `json:"unlisted,omitempty"`
	Ended     map[string]uint64     `json:"ended,omitempty"` // outcome/failure type
	Durations map[string]*histogram `json:"durations,omitempty"`
	ToPull    *histogram            `json:"to_pull,omitempty"`
	ToMerge   *histogram            `json:"to_merge,omitempty"`
}

// An attempt is a live one.
type attempt struct {
	Target  string               `json:"target"`
	State   gateway.AttemptState `json:"state"`
	Started int64                `json:"started,omitempty"`
}

// A pull is a pull request that was intended and has not been seen to end.
type pull struct {
	Target string `json:"target"`
	Task   string `json:"task"`
	Number int    `json:"number,omitempty"`
}

// A task is one that is not finished.
type task struct {
	Target   string              `json:"target"`
	Ready    int64               `json:"ready,omitempty"`
	Digest   string              `json:"digest,omitempty"`
	Failed   []gateway.AttemptID `json:"failed,omitempty"` // those that count against its limit
	Blocked  bool                `json:"blocked,omitempty"`
	Proposed bool                `json:"proposed,omitempty"`
	// Declined is the pull request that a human closed; it may yet be merged.
	Declined string `json:"declined,omitempty"`
}

func newState() *state {
	return &state{Version: stateVersion, Types: map[string]uint64{}, Targets: map[string]*target{},
		Attempts: map[gateway.AttemptID]*attempt{}, Pulls: map[string]*pull{}, Tasks: map[string]*task{}}
}

// loadState reads the file; nil if there is none.
func loadState(name string) (*state, error) {
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the spider's state: %w", err)
	}
	st := newState()
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(st); err != nil {
		return nil, fmt.Errorf("the state file %s is damaged (%w): move it away; a follower then counts again from the journal's first event", name, err)
	}
	if st.Version != stateVersion {
		return nil, fmt.Errorf("the state file %s has version %d and this release knows %d: move it away; a follower then counts again from the journal's first event",
			name, st.Version, stateVersion)
	}
	if err := st.check(); err != nil {
		return nil, fmt.Errorf("the state file %s is damaged (%w): move it away; a follower then counts again from the journal's first event", name, err)
	}
	return st, nil
}

// check refuses a file with holes, which no spider has written.
func (st *state) check() error {
	if st.Types == nil || st.Targets == nil || st.Attempts == nil || st.Pulls == nil || st.Tasks == nil || st.Cursor < 0 || st.DecisionSeq < 0 || len(st.Seen)%seenSize != 0 {
		return errors.New("a part is missing")
	}
	if (st.Decisions == nil) != (st.Reasons == nil) || (st.Decisions == nil) != (st.Codes == nil) {
		return errors.New("a part of the decisions is missing")
	}
	for name, t := range st.Targets {
		if t == nil {
			return fmt.Errorf("target %q is empty", name)
		}
		for _, h := range t.histograms() {
			if h != nil && !h.whole() {
				return fmt.Errorf("target %q has a histogram with other buckets", name)
			}
		}
	}
	for _, m := range []bool{hasNil(st.Attempts), hasNil(st.Pulls), hasNil(st.Tasks)} {
		if m {
			return errors.New("an entry is empty")
		}
	}
	return nil
}

func hasNil[K comparable, V any](m map[K]*V) bool {
	for _, v := range m {
		if v == nil {
			return true
		}
	}
	return false
}

// saveState replaces the file as a whole: after a crash there is the old one
// or the new one.
func saveState(name string, st *state) (err error) {
	data, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("encoding the spider's state: %w", err)
	}
	temporary := name + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the spider's state: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("writing the spider's state: %w", err)
	}
	return nil
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
