package console

import (
	"cmp"
	"slices"

	"leviathan/gateway"
)

// overviewBody is the body of the first page.
type overviewBody struct {
	Status  gateway.Status
	Targets []targetView
	Live    []gateway.AttemptItem
	// Denied are the newest denials that were not dry runs.
	Denied []gateway.DecisionItem
	// Problems say which part of the page could not be read.
	Problems []string
}

// A targetView is a target with what its state comes to.
type targetView struct {
	gateway.TargetStatus
	State tone
	Bars  []bar
	// Rest are the limits that are no bars.
	Rest []limit
}

// A tone is a state as a word and a tone: never by colour alone.
type tone struct{ Text, Tone string }

// A bar is how much of a limit is used.
type bar struct {
	Name       string
	Used, Most int
}

// Full reports whether nothing is left.
func (b bar) Full() bool { return b.Used >= b.Most }

type limit struct {
	Name  string
	Value int
}

func (k *Console) overview(v *visit) error {
	status, err := v.client.Status(v.r.Context())
	if err != nil {
		return err
	}
	body := overviewBody{Status: status}
	for _, t := range status.Targets {
		body.Targets = append(body.Targets, viewOf(t, status.HaltedAll))
	}
	live, err := v.client.Attempts(v.r.Context(), gateway.AttemptQuery{State: "live", Limit: 20})
	body.Live = live.Attempts
	body.note("running attempts", err)
	denied, err := v.client.Decisions(v.r.Context(), gateway.DecisionQuery{Outcome: "deny", Limit: 30})
	body.note("refusals", err)
	for _, d := range denied.Items {
		if !d.DryRun && len(body.Denied) < 5 {
			body.Denied = append(body.Denied, d)
		}
	}
	return k.show(v, "overview", &page{Title: "Overview", Section: "overview", Live: true, Body: body})
}

// note keeps why a part of the page is missing; the rest is shown.
func (b *overviewBody) note(what string, err error) {
	if err != nil {
		b.Problems = append(b.Problems, "The "+what+" could not be read: "+err.Error())
	}
}

// viewOf sums a target up. The most restrictive word comes first.
func viewOf(t gateway.TargetStatus, all *gateway.Halt) targetView {
	v := targetView{TargetStatus: t}
	switch {
	case all != nil || t.Halt != nil:
		v.State = tone{"halted", "bad"}
	case t.ConfigState != "valid":
		v.State = tone{"config invalid", "bad"}
	case !t.AutonomyEnabled:
		v.State = tone{"off", "idle"}
	case t.Circuit.State == gateway.CircuitOpen:
		v.State = tone{"breaker open", "bad"}
	case !t.Effective:
		v.State = tone{"on, held back", "warn"}
	default:
		v.State = tone{"on", "good"}
	}
	used := map[string]int{"max_open_prs": t.OpenPRs, "max_running_attempts": t.RunningAttempts, "circuit_breaker_failures": t.Circuit.ConsecutiveFailures}
	names := map[string]string{"max_open_prs": "open pull requests", "max_running_attempts": "running attempts", "circuit_breaker_failures": "failures in a row"}
	for name, most := range t.Limits {
		if n, ok := used[name]; ok {
			v.Bars = append(v.Bars, bar{names[name], n, most})
		} else {
			v.Rest = append(v.Rest, limit{name, most})
		}
	}
	slices.SortFunc(v.Bars, func(a, b bar) int { return cmp.Compare(b.Name, a.Name) })
	slices.SortFunc(v.Rest, func(a, b limit) int { return cmp.Compare(a.Name, b.Name) })
	return v
}

// label is a state's word with its tone.
func label(state any) tone {
	text := words(state)
	switch text {
	case "succeeded", "completed", "merged", "allow", "held", "closed breaker", "proposed":
		return tone{text, "good"}
	case "failed", "denied", "deny", "refused", "blocked", "invalid", "expired":
		return tone{text, "bad"}
	case "running", "pushed", "reserved":
		return tone{text, "busy"}
	}
	return tone{text, "idle"}
}

// tasksBody is the body of the page of one target's backlog.
type tasksBody struct {
	Target  gateway.TargetID
	Targets []gateway.TargetID
	Reasons []gateway.Reason // that hold for the whole target
	Items   []gateway.TaskItem
	Next    string
	Counts  []limit
	// Problem says why there is no list.
	Problem string
}

func (k *Console) tasks(v *visit) error {
	status, err := v.client.Status(v.r.Context())
	if err != nil {
		return err
	}
	body := tasksBody{Target: v.target(status)}
	for _, t := range status.Targets {
		body.Targets = append(body.Targets, t.Target)
		if t.Target == body.Target {
			body.Reasons = t.Reasons
		}
	}
	if body.Target == "" {
		body.Problem = "No config names a target, so there is no backlog."
		return k.show(v, "tasks", &page{Title: "Tasks", Section: "tasks", Live: true, Body: body})
	}
	list, err := v.client.Tasks(v.r.Context(), body.Target, v.r.URL.Query().Get("page_token"))
	switch gateway.KindOf(err) {
	case gateway.Unknown:
		body.Problem = err.Error()
	default:
		if err != nil {
			return err
		}
	}
	body.Items, body.Next = list.Items, list.NextPageToken
	counts := map[string]int{}
	for _, it := range list.Items {
		counts[it.Status]++
	}
	for name, n := range counts {
		body.Counts = append(body.Counts, limit{name, n})
	}
	slices.SortFunc(body.Counts, func(a, b limit) int { return cmp.Or(b.Value-a.Value, cmp.Compare(a.Name, b.Name)) })
	return k.show(v, "tasks", &page{Title: "Tasks of " + string(body.Target), Section: "tasks", Live: true, Body: body})
}
