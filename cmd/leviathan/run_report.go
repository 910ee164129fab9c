package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

// progressTypes are the events that a person who watches wants to see.
var progressTypes = map[string]string{
	gateway.EventAttemptCreated:    "reserved",
	gateway.EventAttemptStarted:    "running",
	gateway.EventPushRefused:       "push refused",
	gateway.EventAttemptPushed:     "pushed",
	gateway.EventPullCreated:       "pull request open",
	gateway.EventAttemptSucceeded:  "succeeded",
	gateway.EventAttemptFailed:     "failed",
	gateway.EventAttemptCancelled:  "cancelled",
	gateway.EventAttemptExpired:    "expired",
	gateway.EventTaskBlocked:       "blocked",
	gateway.EventTaskCompleted:     "completed",
	gateway.EventPullMerged:        "merged",
	gateway.EventPullClosed:        "closed",
	gateway.EventCircuitOpened:     "breaker open",
	gateway.EventCircuitHalfOpened: "breaker half open",
	gateway.EventCircuitClosed:     "breaker closed",
	gateway.EventAutonomyHalted:    "halted",
	gateway.EventAutonomyResumed:   "resumed",
	gateway.EventBundleRejected:    "policy refused",
}

// progress prints what happens, an event a line, until ctx ends.
func (u *up) progress(ctx context.Context, out io.Writer) {
	for e, err := range u.client.Events(ctx, gateway.EventQuery{After: u.gateway.journal.Seq(), Follow: true}) {
		if err != nil {
			return // the gateway is closing, or ctx is over
		}
		word, ok := progressTypes[e.EventType]
		if !ok {
			continue
		}
		var detail struct {
			AttemptNumber int      `json:"attempt_number"`
			FailureType   string   `json:"failure_type"`
			ErrorSummary  string   `json:"error_summary"`
			PRURL         string   `json:"pr_url"`
			Reason        string   `json:"reason"`
			Codes         []string `json:"codes"`
		}
		if err := json.Unmarshal(e.Payload, &detail); err != nil {
			continue // a payload of another shape is shown without its detail
		}
		text := strings.Join(detail.Codes, ", ")
		switch {
		case detail.FailureType != "":
			text = detail.FailureType + ": " + firstLine(detail.ErrorSummary)
		case detail.ErrorSummary != "":
			text = firstLine(detail.ErrorSummary)
		case detail.AttemptNumber > 0:
			text = fmt.Sprintf("attempt %d", detail.AttemptNumber)
		case detail.PRURL != "":
			text = detail.PRURL
		case detail.Reason != "":
			text = firstLine(detail.Reason)
		}
		fmt.Fprintf(out, "%s  %-24s %-18s %s\n", e.Timestamp.Format("15:04:05"), printable(string(e.TaskID)), word, printable(text))
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	if len(line) > 160 {
		line = line[:157] + "…"
	}
	return line
}

// A taskRow is a task's outcome and why, for the table at the end.
type taskRow struct {
	target gateway.TargetID
	task   gateway.TaskItem
	last   *gateway.AttemptItem // the newest attempt, if there was one
	pull   *gateway.AttemptItem // the attempt whose pull request is open
}

// outcome is the row's one word.
func (r taskRow) outcome() string { return r.task.Status }

// why is the row's one sentence: the first reason against running, or what the
// last attempt ended of.
func (r taskRow) why() string {
	switch {
	case r.pull != nil && r.pull.PRURL != nil:
		return "pull request " + *r.pull.PRURL
	case r.last != nil && r.last.FailureType != "":
		return string(r.last.FailureType) + ": " + firstLine(r.last.ErrorSummary)
	case len(r.task.Reasons) > 0:
		return r.task.Reasons[0].Code + ": " + r.task.Reasons[0].Message
	}
	return "eligible"
}

// rows reads every task of every target with its attempts. A target whose
// config is not valid has no backlog to read.
func (u *up) rows(ctx context.Context) ([]taskRow, error) {
	var rows []taskRow
	for _, t := range u.gateway.targets.Targets() {
		if !t.Valid {
			continue
		}
		attempts := map[gateway.TaskID][]gateway.AttemptItem{}
		for page := ""; ; {
			list, err := u.client.Attempts(ctx, gateway.AttemptQuery{Target: t.ID, PageToken: page})
			if err != nil {
				return nil, err
			}
			for _, a := range list.Attempts {
				attempts[a.TaskID] = append(attempts[a.TaskID], a)
			}
			if page = list.NextPageToken; page == "" {
				break
			}
		}
		for page := ""; ; {
			list, err := u.client.Tasks(ctx, t.ID, page)
			if err != nil {
				return nil, err
			}
			for _, task := range list.Items {
				row := taskRow{target: t.ID, task: task}
				for i, a := range attempts[task.TaskID] {
					if i == 0 {
						row.last = &a
					}
					if a.PRNumber != nil && row.pull == nil {
						row.pull = &a
					}
				}
				rows = append(rows, row)
			}
			if page = list.NextPageToken; page == "" {
				break
			}
		}
	}
	return rows, nil
}

// report prints which targets are off, the table of every task, and the pull
// requests with the commands to look at, merge and close each.
func (u *up) report(ctx context.Context, out io.Writer) ([]taskRow, error) {
	rows, err := u.rows(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(out)
	targets := u.gateway.targets.Targets()
	if len(targets) == 0 {
		fmt.Fprintln(out, "no config names a target")
	}
	for _, t := range targets {
		if !t.Enabled {
			fmt.Fprintf(out, "%s is off: %s\n", cmp.Or(string(t.ID), t.File), printable(t.Reason))
		}
	}
	if len(rows) == 0 {
		return rows, nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TASK\tOUTCOME\tATTEMPTS\tWHY")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", printable(string(r.task.TaskID)), r.outcome(), r.task.Attempts, printable(r.why()))
	}
	if err := table.Flush(); err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.pull == nil || r.task.Status != "proposed" {
			continue
		}
		state := u.gateway.targets.Check(r.target)
		if state.Config == nil {
			continue
		}
		c, ok := forge.ByHand(forge.PullRequest{Number: *r.pull.PRNumber, URL: *r.pull.PRURL, Base: state.Config.TargetBranch})
		if !ok {
			continue
		}
		fmt.Fprintf(out, "\npull request %d  %s\n  look   %s\n  merge  %s\n  close  %s\n", *r.pull.PRNumber, printable(r.task.Title), c.Look, c.Merge, c.Close)
	}
	return rows, nil
}
