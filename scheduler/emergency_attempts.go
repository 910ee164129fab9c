package scheduler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"leviathan/gateway"
)

// attemptsSeen is what the gateway's side of a stop saw.
type attemptsSeen struct {
	findings []Finding
	attempts []attemptSeen
}

// An attemptSeen is an attempt that was live when the stop began, or became so
// meanwhile.
type attemptSeen struct {
	gateway.AttemptItem       // as it was seen live
	live                bool  // it is so still
	problem             error // why it is not known how it ended, or could not be cancelled
	cancelled           bool  // the gateway was asked to, and answered
	end                 gateway.AttemptState
	by                  string // who said so, if that is somebody who saw it: its worker, or what launched it
}

// stopAttempts halts and waits for the attempts to end.
func (e *Emergency) stopAttempts(ctx context.Context, deadline time.Time) attemptsSeen {
	if e.Gateway == nil {
		return attemptsSeen{findings: []Finding{{"halt", NotSeen, "no halt was recorded and no attempt was cancelled: " + e.GatewayProblem.Error()}}}
	}
	halt, away := e.halt(ctx)
	w := attemptWatch{Emergency: e, seen: map[gateway.AttemptID]*attemptSeen{}}
	w.grace = time.Now().Add(e.Grace)
	if w.grace.After(deadline) {
		w.grace = deadline
	}
	w.run(ctx, deadline, away)
	found := attemptsSeen{findings: []Finding{halt}}
	switch {
	case w.problem != nil:
		found.findings = append(found.findings, Finding{"attempts", NotSeen, "which attempts are live is not known: " + w.problem.Error()})
	case len(w.seen) == 0:
		found.findings = append(found.findings, Finding{"attempts", Nothing, "the journal has no live attempt of " + e.whom()})
	}
	for _, id := range slices.Sorted(maps.Keys(w.seen)) {
		a := w.seen[id]
		if !a.live {
			a.learnEnd(ctx, e.Gateway)
		}
		found.attempts = append(found.attempts, *a)
	}
	return found
}

// halt records the halt and reads it back. away says that the gateway cannot be
// reached at all.
func (e *Emergency) halt(ctx context.Context) (f Finding, away bool) {
	if err := e.Gateway.Halt(ctx, gateway.ReasonRequest{Target: e.target(), Reason: e.Reason}); err != nil {
		return Finding{"halt", NotSeen, "no halt was recorded: " + err.Error()}, errors.Is(err, gateway.ErrUnknown)
	}
	halt, err := e.readHalt(ctx)
	switch {
	case err != nil:
		return Finding{"halt", NotSeen, "the gateway took the halt on and it could not be read back: " + err.Error()}, false
	case halt == nil:
		return Finding{"halt", NotSeen, "the gateway took the halt on and its status shows none"}, false
	}
	return Finding{"halt", Stopped, fmt.Sprintf("recorded for %s at %s: nothing more is started, pushed or proposed", e.whom(), halt.At)}, false
}

// target is the target as the wire has it: nil for all.
func (e *Emergency) target() *gateway.TargetID {
	if e.Target == "" {
		return nil
	}
	return &e.Target
}

// readHalt is the halt of exactly what this is about; nil if there is none.
func (e *Emergency) readHalt(ctx context.Context) (*gateway.Halt, error) {
	status, err := e.Gateway.Status(ctx)
	if err != nil || e.Target == "" {
		return status.HaltedAll, err
	}
	for _, t := range status.Targets {
		if t.Target == e.Target {
			return t.Halt, nil
		}
	}
	return nil, nil
}

// An attemptWatch looks at the live attempts again and again.
type attemptWatch struct {
	*Emergency
	grace   time.Time // from then on, all that still live are cancelled
	seen    map[gateway.AttemptID]*attemptSeen
	problem error // of the last look
}

// run looks until none is live or the deadline is over, and then once more. A
// gateway that is away is asked once.
func (w *attemptWatch) run(ctx context.Context, deadline time.Time, away bool) {
	for last := false; ; {
		live := w.look(ctx)
		switch {
		case w.problem == nil && live == 0, w.problem != nil && away:
			return
		case w.problem == nil && w.Cancel && w.cancelDue(ctx) > 0:
			continue // what was cancelled is looked at before anything is said of it
		case last:
			return
		}
		if last = !w.pause(ctx, deadline); ctx.Err() != nil {
			return
		}
	}
}

// look lists the live attempts.
func (w *attemptWatch) look(ctx context.Context) (live int) {
	var listed []gateway.AttemptItem
	listed, w.problem = liveAttempts(ctx, w.Gateway, w.Target)
	if w.problem != nil {
		return 0
	}
	for _, a := range w.seen {
		a.live = false
	}
	for _, item := range listed {
		a := w.seen[item.AttemptID]
		if a == nil {
			a = &attemptSeen{}
			w.seen[item.AttemptID] = a
		}
		a.AttemptItem, a.live = item, true
	}
	return len(listed)
}

// liveAttempts reads every page of the live attempts of a target, or of all.
func liveAttempts(ctx context.Context, client *gateway.Client, target gateway.TargetID) ([]gateway.AttemptItem, error) {
	var all []gateway.AttemptItem
	for page := ""; ; {
		list, err := client.Attempts(ctx, gateway.AttemptQuery{State: "live", Target: target, PageToken: page})
		if err != nil {
			return nil, err
		}
		all = append(all, list.Attempts...)
		if page = list.NextPageToken; page == "" {
			return all, nil
		}
	}
}

// cancelDue cancels the live attempts whose time is over, and those that no
// worker has started. It returns how many the gateway has answered for: none is
// asked for twice then.
func (w *attemptWatch) cancelDue(ctx context.Context) (answered int) {
	for id, a := range w.seen {
		if !a.live || a.cancelled || !a.StartedAt.IsZero() && time.Now().Before(w.grace) {
			continue
		}
		if a.problem = w.Gateway.Cancel(ctx, id, w.Reason); a.problem == nil || errors.Is(a.problem, gateway.ErrConflict) { // it may have just ended by itself
			a.cancelled = true
			answered++
		}
	}
	return answered
}

// learnEnd reads how an attempt ended, and who said so: an end by an operator's
// command, or by the gateway's clock, says nothing of the worker.
func (a *attemptSeen) learnEnd(ctx context.Context, client *gateway.Client) {
	detail, err := client.Attempt(ctx, a.AttemptID)
	if err != nil {
		a.problem = err
		return
	}
	for _, ev := range detail.Events {
		if ev.Origin == "external" { // a claim
			continue
		}
		switch ev.EventType {
		case gateway.EventAttemptSucceeded, gateway.EventAttemptFailed, gateway.EventAttemptCancelled, gateway.EventAttemptExpired:
			a.end = gateway.AttemptState(strings.TrimPrefix(ev.EventType, "attempt."))
			a.by = witness(ev, a.AttemptID)
		}
	}
}

// witness is who saw an attempt end. The operator who cancels one and the
// gateway whose clock expires one have not looked at its worker.
func witness(ev gateway.Event, id gateway.AttemptID) string {
	switch ev.ActorID {
	case string(id):
		return "its worker"
	case "operator", "gateway", "":
		return ""
	}
	return "what launched it"
}

// finding says what was seen of the attempt, with what was seen of its Job.
func (a attemptSeen) finding(jobs clusterSeen) Finding {
	f := Finding{What: "attempt/" + string(a.AttemptID), Outcome: NotSeen}
	of := "of task " + string(a.TaskID)
	end := string(cmp.Or(a.end, "ended"))
	switch {
	case a.live && a.problem != nil:
		f.Detail = fmt.Sprintf("%s is still %s, and could not be cancelled: %v", of, a.State, a.problem)
	case a.live:
		f.Detail = fmt.Sprintf("%s is still %s", of, a.State)
	case a.by != "":
		f.Outcome, f.Detail = Stopped, fmt.Sprintf("%s is %s, as %s reported", of, end, a.by)
	case jobs.ended[a.AttemptID]:
		f.Outcome, f.Detail = Stopped, fmt.Sprintf("%s is %s, and its Job was seen to end", of, end)
	case a.problem != nil:
		f.Detail = fmt.Sprintf("%s is not live any more, and how it ended cannot be read: %v", of, a.problem)
	case a.StartedAt.IsZero():
		f.Outcome, f.Detail = Stopped, fmt.Sprintf("%s is %s before a worker started it, and none can any more", of, end)
	default:
		f.Detail = fmt.Sprintf("%s is %s: it can push and propose nothing more. Its worker was not seen to end; it is told to at its next heartbeat", of, end)
	}
	return f
}
