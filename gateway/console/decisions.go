package console

import (
	"context"
	"net/url"
	"time"

	"leviathan/gateway"
)

// whyTime is how long a page waits for a decision to be explained.
const whyTime = 8 * time.Second

type decisionsBody struct {
	List    gateway.DecisionList
	Form    map[string]string
	Actions []string
	// More is the address of the next page.
	More string
}

// filters are the fields by which decisions are filtered, as the API names
// them.
var filters = []string{"action", "outcome", "code", "target", "task", "attempt", "revision", "since", "until"}

func (k *Console) decisions(v *visit) error {
	asked := v.r.URL.Query()
	body := decisionsBody{Form: map[string]string{}, Actions: gateway.Actions()}
	kept := url.Values{}
	for _, name := range filters {
		if value := asked.Get(name); value != "" {
			body.Form[name] = value
			kept.Set(name, value)
		}
	}
	q := gateway.DecisionQuery{Action: body.Form["action"], Outcome: body.Form["outcome"], Code: body.Form["code"], Target: gateway.TargetID(body.Form["target"]),
		Task: gateway.TaskID(body.Form["task"]), Attempt: gateway.AttemptID(body.Form["attempt"]), Revision: body.Form["revision"], Limit: 50, PageToken: asked.Get("page_token")}
	var err error
	if q.Since, err = timeOf(body.Form["since"], "since"); err != nil {
		return err
	}
	if q.Until, err = timeOf(body.Form["until"], "until"); err != nil {
		return err
	}
	if body.List, err = v.client.Decisions(v.r.Context(), q); err != nil {
		return err
	}
	if body.List.NextPageToken != "" {
		kept.Set("page_token", body.List.NextPageToken)
		body.More = "/decisions?" + kept.Encode()
	}
	return k.show(v, "decisions", &page{Title: "Decisions", Section: "decisions", Live: q.PageToken == "", Body: body})
}

// timeOf reads a time of a form; empty means none.
func timeOf(text, field string) (gateway.Time, error) {
	if text == "" {
		return gateway.Time{}, nil
	}
	t, err := gateway.ParseTime(text)
	if err != nil {
		return t, &gateway.Error{Kind: gateway.Invalid, Field: field, Detail: field + " is a time such as 2026-01-28T10:00:00Z"}
	}
	return t, nil
}

type decisionBody struct {
	gateway.DecisionItem
	// Why explains it, step by step; WhyProblem says why it cannot.
	Why        string
	WhyProblem string
}

func (k *Console) decision(v *visit) error {
	id := gateway.DecisionID(v.r.PathValue("decision"))
	item, err := v.client.Decision(v.r.Context(), id)
	if err != nil {
		return err
	}
	body := decisionBody{DecisionItem: item}
	ctx, cancel := context.WithTimeout(v.r.Context(), whyTime)
	defer cancel()
	why, err := v.client.WhyDecision(ctx, id, false)
	switch gateway.KindOf(err) {
	case gateway.Unauthenticated:
		return err
	default:
		if body.Why = why.Text; err != nil {
			body.WhyProblem = err.Error()
		}
	}
	return k.show(v, "decision", &page{Title: "Decision " + short(id), Section: "decisions", Body: body})
}

type policyBody struct {
	gateway.PolicyStatus
	History []gateway.PolicyVersion
	// HistoryProblem says why the history is not shown.
	HistoryProblem string
	Classes        []gateway.FlipClass
}

func (k *Console) policy(v *visit) error {
	body := policyBody{Classes: gateway.FlipClasses()}
	var err error
	if body.PolicyStatus, err = v.client.Policy(v.r.Context()); err != nil {
		return err
	}
	history, err := v.client.PolicyHistory(v.r.Context(), 20)
	if body.History = history.Items; err != nil {
		body.HistoryProblem = err.Error()
	}
	return k.show(v, "policy", &page{Title: "Policy", Section: "policy", Live: true, Body: body})
}

type journalBody struct {
	Checkpoint string
	Events     []moment
}

func (k *Console) journal(v *visit) error {
	var body journalBody
	var err error
	if body.Checkpoint, err = v.client.Checkpoint(v.r.Context()); err != nil {
		return err
	}
	recent, err := v.client.RecentEvents(v.r.Context(), 50)
	if err != nil {
		return err
	}
	for _, e := range recent {
		m, _ := momentOf(e.Event)
		m.Attempt = e.AttemptID
		body.Events = append(body.Events, m)
	}
	return k.show(v, "journal", &page{Title: "Journal", Section: "journal", Live: true, Body: body})
}
