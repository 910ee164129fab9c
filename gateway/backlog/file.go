package backlog

import (
	"strconv"
	"strings"

	"leviathan/gateway"
)

// The reason codes of tasks that are set aside.
const (
	CodeInvalidTask = "schedule.invalid_task"
	CodeDuplicateID = "schedule.duplicate_id"
	CodeCycle       = "schedule.dependency_cycle"
)

// The limits of a backlog.
const (
	MaxBytes       = 4 << 20 // of the file
	MaxTasks       = 50_000
	MaxStringBytes = 64 << 10 // of any one string
)

// A File is a backlog as it was read.
type File struct {
	// Tasks are the valid ones in file order, ready or not. Their digest is
	// that of Digest with no default agent: callers that know the config fill
	// it in.
	Tasks []gateway.Task
	// Invalid are the entries that were set aside, in file order.
	Invalid []Entry
	// Diagnostics are all problems of the file, those of Invalid included, in
	// order of line.
	Diagnostics []gateway.Diagnostic
	// MaxOpenPRs restricts the config's further; 0 when absent.
	MaxOpenPRs int
	// Version is the file's own, as written; empty when absent.
	Version string
}

// An Entry is a task that was set aside, and why.
type Entry struct {
	// ID is empty when the entry has none that is valid. Entries that share
	// an id are all listed.
	ID      gateway.TaskID   `json:"id"`
	Line    int              `json:"line"`
	Reasons []gateway.Reason `json:"reasons"`
}

// An Error says why a file as a whole cannot be used.
type Error struct {
	// Diagnostics are never empty; those that are not warnings are the cause.
	Diagnostics []gateway.Diagnostic
}

// Error is the first cause, and how many more there are.
func (e *Error) Error() string {
	var causes []string
	for _, d := range e.Diagnostics {
		if !d.Warning {
			causes = append(causes, d.String())
		}
	}
	const shown = 3
	if len(causes) > shown {
		return strings.Join(causes[:shown], "; ") + "; and " + strconv.Itoa(len(causes)-shown) + " more"
	}
	return strings.Join(causes, "; ")
}
