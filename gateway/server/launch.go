package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// outOfTime is the summary of an attempt whose time is up. Of one that no worker
// started it says what its scheduler said last of the reason.
func (s *Server) outOfTime(ctx context.Context, a *journal.Attempt, why string) string {
	if why == expiredLease {
		return "no heartbeat within the lease"
	}
	const summary = "no worker started it in time"
	claim, err := s.waiting(ctx, a.ID)
	if err != nil { // it ends all the same
		s.log.Error("reading why a worker did not start", "attempt", a.ID, "error", err)
	}
	if claim == nil {
		return summary
	}
	return clip(summary + ": " + claim.Message)
}

// waiting is what a scheduler said last of an attempt whose worker does not
// start; nil if none did. It is a claim: it is shown and decides nothing.
func (s *Server) waiting(ctx context.Context, id gateway.AttemptID) (*gateway.LaunchProblem, error) {
	last, err := s.journal.RecentEvents(ctx, journal.EventFilter{Attempt: id, Type: gateway.EventJobWaiting, Origin: journal.External}, 1)
	if err != nil || len(last) == 0 {
		return nil, err
	}
	var said struct{ Reason, Message string }
	if err := json.Unmarshal(last[0].Payload, &said); err != nil || said.Reason == "" {
		return nil, nil // somebody else's idea of this event
	}
	return &gateway.LaunchProblem{AttemptID: id, TaskID: last[0].TaskID, At: last[0].Timestamp, Message: clip("its Pod waits: " + said.Reason + ": " + said.Message)}, nil
}

// launchesSeen is how many of the last attempts of a target are looked at.
const launchesSeen = 20

// launchProblem is why the last worker of a target that was to start did not;
// nil when another has started since.
func (s *Server) launchProblem(ctx context.Context, target gateway.TargetID) (last *gateway.LaunchProblem, err error) {
	list, err := s.journal.Attempts(ctx, journal.AttemptFilter{Target: target, Page: journal.Page{Limit: launchesSeen}})
	if err != nil {
		return nil, fmt.Errorf("looking for the last launch of target %s: %w", target, err)
	}
	var started gateway.Time
	for _, a := range list.Attempts {
		if a.StartedAt.After(started.Time) {
			started = a.StartedAt
		}
		if a.External || !a.StartedAt.IsZero() || a.State == gateway.Cancelled { // it says nothing about launches
			continue
		}
		problem, err := s.notLaunched(ctx, a)
		if err != nil {
			return nil, err
		}
		if problem != nil && (last == nil || problem.At.After(last.At.Time)) {
			last = problem
		}
	}
	if last != nil && started.After(last.At.Time) {
		return nil, nil
	}
	return last, nil
}

// notLaunched is why the worker of an attempt has not started; nil for one that
// may start any moment.
func (s *Server) notLaunched(ctx context.Context, a gateway.AttemptItem) (*gateway.LaunchProblem, error) {
	claim, err := s.waiting(ctx, a.AttemptID)
	if err != nil || a.State == gateway.Reserved {
		return claim, err
	}
	problem := &gateway.LaunchProblem{AttemptID: a.AttemptID, TaskID: a.TaskID, At: a.EndedAt, Message: a.ErrorSummary}
	if claim != nil && !strings.Contains(problem.Message, claim.Message) {
		problem.Message = clip(problem.Message + "; " + claim.Message)
	}
	return problem, nil
}
