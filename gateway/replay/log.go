package replay

import (
	"encoding/json"
	"fmt"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// logPath is the document that every decision is the value of, but for verdicts
// on repositories: each is its category's.
const (
	logPath     = "leviathan/main/decision"
	logVerdicts = "leviathan/invariants/"
)

// A LogEvent is one decision in the form of OPA's decision log, as its
// receivers read it. Labels and custom say what that form has no place for.
type LogEvent struct {
	Labels      map[string]string    `json:"labels"`
	DecisionID  string               `json:"decision_id"`
	Bundles     map[string]logBundle `json:"bundles"`
	Path        string               `json:"path"`
	Input       json.RawMessage      `json:"input,omitempty"`
	Result      json.RawMessage      `json:"result,omitempty"`
	Erased      []string             `json:"erased,omitempty"`
	RequestedBy string               `json:"requested_by,omitempty"`
	Timestamp   gateway.Time         `json:"timestamp"`
	Custom      logCustom            `json:"custom"`
}

type logBundle struct {
	Revision string `json:"revision"`
}

// A logCustom is where the decision stands in the journal, and what it is
// about.
type logCustom struct {
	Seq          int64             `json:"seq"`
	Action       string            `json:"action"`
	Target       gateway.TargetID  `json:"target,omitempty"`
	Task         gateway.TaskID    `json:"task_id,omitempty"`
	Attempt      gateway.AttemptID `json:"attempt_id,omitempty"`
	DryRun       bool              `json:"dry_run"`
	PolicyDigest string            `json:"policy_digest"`
	InputDigest  string            `json:"input_digest"`
	// Incomplete says why the event is not whole: pruned, masked, or too large
	// for the receiver.
	Incomplete string `json:"incomplete,omitempty"`
}

// NewLogEvent puts a recorded decision in the form of the decision log. A part
// of the input that was pruned is left out.
func NewLogEvent(d journal.StoredDecision) (LogEvent, error) {
	input := map[string]json.RawMessage{}
	for _, p := range d.Parts {
		if p.JSON != nil {
			input[p.Name] = p.JSON
		}
	}
	raw, err := json.Marshal(input)
	if err != nil {
		return LogEvent{}, fmt.Errorf("write the input of decision %s: %w", d.ID, err)
	}
	path := logPath
	if category, verdict := categoryOf(d); verdict {
		path = logVerdicts + category
	}
	return LogEvent{
		Labels:     map[string]string{"app": "leviathan", "version": gateway.Version},
		DecisionID: string(d.ID), Bundles: map[string]logBundle{"leviathan": {Revision: d.Revision}}, Path: path,
		Input: raw, Result: d.Result, Erased: d.Erased, RequestedBy: d.AskedBy, Timestamp: d.At,
		Custom: logCustom{Seq: d.Seq, Action: d.Action, Target: d.Target, Task: d.Task, Attempt: d.Attempt, DryRun: d.DryRun,
			PolicyDigest: d.PolicyDigest, InputDigest: d.InputDigest, Incomplete: d.Why},
	}, nil
}
