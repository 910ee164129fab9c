package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// NotThePolicys is why a decision is not decided again whose recorded answer
// was not the policy's: it ran out of time, or what it was about moved.
const NotThePolicys = "not_the_policys"

// flipsShown is how many flips of each class a report lists.
const flipsShown = 100

// Options select the decisions.
type Options struct {
	// Since leaves out what was decided before it; the zero time nothing.
	Since gateway.Time
	// Target leaves out other targets; "" nothing.
	Target gateway.TargetID
	// Last bounds how many records back from the end of the journal are
	// looked at; 0 means all.
	Last int64
	// Progress is called now and then with how many were decided, from one
	// goroutine; nil for nobody.
	Progress func(done int)
}

// Run decides every retained decision again by candidate and counts what
// flips, on all processors. The journal may be in use meanwhile: decisions made
// after Run began are left out. It fails if the journal cannot be read or ctx
// ends.
func Run(ctx context.Context, j *journal.Journal, candidate *engine.Snapshot, o Options) (gateway.ReplayReport, error) {
	began := time.Now()
	r := &run{candidate: candidate, progress: o.Progress, parts: newPartCache(),
		report: gateway.ReplayReport{Revision: candidate.Revision(), PolicyDigest: candidate.Digest(), NotReplayable: map[string]int{}, Counts: gateway.FlipCounts{}},
		took:   map[string][]time.Duration{}, shown: gateway.FlipCounts{}, groups: [groupings]map[string]gateway.FlipCounts{{}, {}, {}, {}}}
	upTo := j.Seq()
	after := int64(0)
	if o.Last > 0 {
		after = max(0, upTo-o.Last)
	}
	if err := r.all(ctx, j, journal.DecisionRange{Since: o.Since, Target: o.Target, AfterSeq: after, UpToSeq: upTo}); err != nil {
		return gateway.ReplayReport{}, err
	}
	if err := r.findPulls(ctx, j); err != nil {
		return gateway.ReplayReport{}, err
	}
	r.report.ByRule, r.report.ByAction = sorted(r.groups[byRule]), sorted(r.groups[byAction])
	r.report.ByTask, r.report.ByTarget = sorted(r.groups[byTask]), sorted(r.groups[byTarget])
	r.report.Slow = slow(r.took, candidate.Deadline)
	if r.report.Flips == nil {
		r.report.Flips = []gateway.Flip{}
	}
	r.report.Seconds = time.Since(began).Seconds()
	return r.report, nil
}

// A run is one replay under way. Its report is filled by one goroutine, in the
// order of the journal.
type run struct {
	candidate *engine.Snapshot
	progress  func(int)
	parts     *partCache

	report gateway.ReplayReport
	shown  gateway.FlipCounts
	groups [groupings]map[string]gateway.FlipCounts
	stops  stops
	took   map[string][]time.Duration // by action
}

// What flips are grouped by.
const (
	byRule = iota
	byAction
	byTask
	byTarget
	groupings
)

// An outcome is one decision, decided again.
type outcome struct {
	decision *journal.StoredDecision
	flip     gateway.Flip
	differs  bool
	dropped  []gateway.TaskID // tasks that the candidate's plan does not reserve any more
	took     time.Duration
	err      error
}

// chunk is how many decisions one goroutine takes at a time.
const chunk = 64

// all reads on one goroutine, decides on one for each processor, and counts on
// this one. A chunk's place in the order is kept by a channel of its own.
func (r *run) all(ctx context.Context, j *journal.Journal, which journal.DecisionRange) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type job struct {
		in  []journal.StoredDecision
		out chan []outcome
	}
	n := runtime.GOMAXPROCS(0)
	jobs, order := make(chan job), make(chan chan []outcome, 2*n)
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for job := range jobs {
				job.out <- r.decide(ctx, job.in)
			}
		})
	}
	var reading error
	workers.Go(func() {
		defer close(order)
		defer close(jobs)
		in := make([]journal.StoredDecision, 0, chunk)
		hand := func() error {
			out := make(chan []outcome, 1)
			select {
			case order <- out:
			case <-ctx.Done():
				return ctx.Err()
			}
			jobs <- job{in, out}
			in = make([]journal.StoredDecision, 0, chunk)
			return nil
		}
		reading = j.EachDecision(ctx, which, func(d journal.StoredDecision) error {
			if in = append(in, d); len(in) < chunk {
				return nil
			}
			return hand()
		})
		if reading == nil && len(in) > 0 {
			reading = hand()
		}
	})
	var failed error
	for out := range order {
		for _, o := range <-out {
			if failed == nil {
				if failed = r.count(o); failed != nil {
					cancel()
				}
			}
		}
		if r.progress != nil && failed == nil {
			r.progress(r.report.Compared)
		}
	}
	workers.Wait()
	if failed != nil {
		return failed
	}
	return reading
}

func (r *run) decide(ctx context.Context, in []journal.StoredDecision) []outcome {
	out := make([]outcome, len(in))
	for i := range in {
		d := &in[i]
		out[i].decision = d
		if !d.Replayable || notThePolicys(d.Codes) {
			continue
		}
		if _, verdict := categoryOf(*d); verdict {
			continue
		}
		input, err := r.parts.input(d)
		if err != nil {
			out[i].err = fmt.Errorf("read the input of decision %s: %w", d.ID, err)
			continue
		}
		began := time.Now()
		result := r.candidate.Decide(ctx, d.Action, input)
		out[i].took = time.Since(began)
		if len(result.Reasons) == 1 && result.Reasons[0].Code == engine.CodeTimeout {
			result = r.candidate.Decide(ctx, d.Action, input) // a busy machine is no flip
		}
		out[i].flip, out[i].differs, out[i].err = compare(d.Result, result)
		if out[i].differs && d.Action == gateway.ActionCyclePlan {
			out[i].dropped = unreserved(d.Result, result.JSON)
		}
	}
	if ctx.Err() != nil {
		for i := range out {
			out[i].err = ctx.Err()
		}
	}
	return out
}

// count adds one decision to the report.
func (r *run) count(o outcome) error {
	d := o.decision
	_, verdict := categoryOf(*d)
	switch {
	case o.err != nil:
		return o.err
	case !d.Replayable:
		r.report.NotReplayable[d.Why]++
		return nil
	case notThePolicys(d.Codes):
		r.report.NotReplayable[NotThePolicys]++
		return nil
	case verdict:
		r.report.NotReplayable[AVerdict]++
		return nil
	}
	r.report.Compared++
	r.took[d.Action] = append(r.took[d.Action], o.took)
	if !o.differs {
		r.report.Unchanged++
		return nil
	}
	f := o.flip
	f.Decision, f.Seq, f.Action, f.Target, f.Task, f.Attempt, f.DryRun = gateway.DecisionID(d.ID), d.Seq, d.Action, d.Target, d.Task, d.Attempt, d.DryRun
	r.report.Counts[f.Class]++
	if r.shown[f.Class]++; r.shown[f.Class] <= flipsShown {
		r.report.Flips = append(r.report.Flips, f)
	}
	for _, code := range slices.Concat(f.Gone, f.New) {
		add(r.groups[byRule], code, f.Class)
	}
	add(r.groups[byAction], f.Action, f.Class)
	if f.Task != "" {
		add(r.groups[byTask], string(f.Target)+"/"+string(f.Task), f.Class)
	}
	if f.Target != "" {
		add(r.groups[byTarget], string(f.Target), f.Class)
	}
	r.stops.note(f, o.dropped)
	return nil
}

// slowSample is how many evaluations of an action tell how slow it is.
const slowSample = 20

// slow lists the actions of which one evaluation in ten takes more than half of
// its deadline. A few that were slow for another reason do not count.
func slow(took map[string][]time.Duration, deadline func(action string) time.Duration) []gateway.SlowAction {
	out := []gateway.SlowAction{}
	for _, action := range slices.Sorted(maps.Keys(took)) {
		all := slices.Sorted(slices.Values(took[action]))
		if len(all) < slowSample {
			continue
		}
		if most := all[len(all)*9/10]; most > deadline(action)/2 {
			out = append(out, gateway.SlowAction{Action: action, Seconds: most.Seconds(), DeadlineSeconds: deadline(action).Seconds()})
		}
	}
	return out
}

func add(group map[string]gateway.FlipCounts, name string, class gateway.FlipClass) {
	if group[name] == nil {
		group[name] = gateway.FlipCounts{}
	}
	group[name][class]++
}

// sorted lists a group by name.
func sorted(group map[string]gateway.FlipCounts) []gateway.FlipGroup {
	out := make([]gateway.FlipGroup, 0, len(group))
	for _, name := range slices.Sorted(maps.Keys(group)) {
		out = append(out, gateway.FlipGroup{Name: name, Counts: group[name]})
	}
	return out
}

// unreserved are the tasks that one plan reserves and the other does not.
func unreserved(was, now []byte) []gateway.TaskID {
	reserved := func(result []byte) map[gateway.TaskID]bool {
		var plan struct {
			Allow       bool `json:"allow"`
			Obligations struct {
				Reserve []struct {
					Task gateway.TaskID `json:"task_id"`
				} `json:"reserve"`
			} `json:"obligations"`
		}
		tasks := map[gateway.TaskID]bool{}
		if json.Unmarshal(result, &plan) == nil && plan.Allow { // one that is no plan reserves nothing
			for _, t := range plan.Obligations.Reserve {
				tasks[t.Task] = true
			}
		}
		return tasks
	}
	after := reserved(now)
	var gone []gateway.TaskID
	for _, task := range slices.Sorted(maps.Keys(reserved(was))) {
		if !after[task] {
			gone = append(gone, task)
		}
	}
	return gone
}
