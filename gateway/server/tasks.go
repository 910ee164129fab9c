package server

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// listTasks shows the backlog as the next cycle would see it: the plan is
// evaluated, not decided, so nothing is reserved and nothing journalled.
func (s *Server) listTasks(w http.ResponseWriter, r *http.Request, _ principal) error {
	id := gateway.TargetID(fields(r)["target"])
	if !s.knows(id) {
		return gateway.Errorf(gateway.NotFound, "no config names target %q", id)
	}
	limit, err := limitOf(r, 1000, 50_000)
	if err != nil {
		return err
	}
	offset := 0
	if token := r.URL.Query().Get("page_token"); token != "" {
		if offset, err = strconv.Atoi(token); err != nil || offset < 0 {
			return &gateway.Error{Kind: gateway.Invalid, Field: "page_token", Detail: "page_token is not one of this list"}
		}
	}
	items, err := s.tasks(r.Context(), s.lookup(id))
	if err != nil {
		return err
	}
	list := gateway.TaskList{Items: []gateway.TaskItem{}}
	if offset < len(items) {
		list.Items = items[offset:min(offset+limit, len(items))]
	}
	if offset+limit < len(items) {
		list.NextPageToken = strconv.Itoa(offset + limit)
	}
	return writeJSON(w, http.StatusOK, list)
}

// tasks is every task of a target, in the order of its file, and why it is
// not running.
func (s *Server) tasks(ctx context.Context, t *target) ([]gateway.TaskItem, error) {
	s.refresh(ctx, t)
	seen := t.facts()
	if seen.backlogPart.Name == "" {
		return nil, &gateway.Error{Kind: gateway.Unknown, Detail: "the backlog cannot be read: " + seen.mirrorErr}
	}
	state, err := s.journal.State(t.id)
	if err != nil {
		return nil, unrecorded(err)
	}
	q := question{action: gateway.ActionCyclePlan, by: principal{role: gateway.RoleScheduler, id: "tasks"}, target: t.id, dry: true,
		resource: gateway.Entity{Type: "target", ID: string(t.id)}, request: gateway.CycleRequest{}}
	d, err := s.ask(ctx, &q, state, s.journalNow())
	if err != nil {
		return nil, err
	}
	plan, err := planOf(d)
	if err != nil {
		return nil, err
	}
	items := make([]gateway.TaskItem, 0, len(seen.order)+len(seen.invalid))
	for _, id := range seen.order {
		items = append(items, item(seen.tasks[id], state.Tasks[id], plan, d))
	}
	for id, bad := range seen.invalid {
		items = append(items, gateway.TaskItem{TaskID: id, Status: "invalid", Reasons: plan.Skip[id].Reasons, Line: bad.Line})
	}
	slices.SortStableFunc(items, func(a, b gateway.TaskItem) int { return a.Line - b.Line })
	return items, nil
}

func item(task gateway.Task, history *journal.TaskState, plan planObligations, d *decided) gateway.TaskItem {
	it := gateway.TaskItem{TaskID: task.ID, Title: task.Title, Status: "open", Digest: task.Digest, Line: task.Line, Reasons: []gateway.Reason{}}
	if history == nil {
		history = &journal.TaskState{}
	}
	it.Attempts = history.Attempts
	for _, pr := range d.state.PullRequests {
		if history.OpenPR != 0 && pr.TaskID == task.ID {
			shown := pullItem(pr)
			it.PullRequest = &shown
		}
	}
	live := d.state.Attempts[history.Live]
	switch {
	case history.Completed || task.Status == "completed":
		it.Status = "completed"
	case live != nil && live.State == gateway.Proposed, history.OpenPR != 0:
		it.Status = "proposed"
	case live != nil:
		it.Status = "running"
	case history.ClosedDigest == task.Digest:
		it.Status = "closed"
	case (history.Blocked && history.BlockedDigest == task.Digest) || task.Status == "blocked" || slices.Contains(plan.Block, task.ID):
		it.Status = "blocked"
	}
	skip, skipped := plan.Skip[task.ID]
	if skipped {
		it.Reasons, it.NextEligibleAt = skip.Reasons, skip.at()
	}
	it.Eligible = d.Allow && !skipped
	if !d.Allow { // the cycle as a whole is denied: that is why, besides what is wrong with the task
		own := slices.DeleteFunc(slices.Clone(it.Reasons), func(r gateway.Reason) bool { return slices.Contains(d.Reasons, r) })
		it.Reasons = append(slices.Clone(d.Reasons), own...)
	}
	return it
}

// pullItem is a pull request as it was seen last.
func pullItem(pr *journal.PullRequest) gateway.PullRequestItem {
	return gateway.PullRequestItem{Number: pr.Number, URL: pr.URL, AttemptID: pr.AttemptID, TaskID: pr.TaskID, State: pr.State,
		Review: pr.Review, Conflicts: pr.Conflicts, Edited: pr.Edited}
}
