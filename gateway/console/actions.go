package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"leviathan/gateway"
)

// A subject is what an action is about, as the form names it.
type subject struct {
	Target  gateway.TargetID
	Task    gateway.TaskID
	Attempt gateway.AttemptID
}

// An action is one of the few things that the console does.
type action struct {
	// Verb is the button's text, Heading the question up to what it is about,
	// Will what happens.
	Verb, Heading string
	Will          []string
	// Calm actions lift something; the others stop something.
	Calm bool
	// Done is said afterwards.
	Done  string
	needs func(subject) bool
	do    func(context.Context, *gateway.Client, subject, string) error
	back  func(subject) string
}

var actions = map[string]action{
	"halt": {Verb: "Halt", Heading: "Halt", Done: "Halted. Nothing is started, pushed or proposed until a resume.",
		Will: []string{"No attempt is reserved or started, and no push or pull request passes, until you resume.",
			"Each running agent is told to stop at its next heartbeat, within 12 seconds; its attempt ends cancelled and counts for nothing.",
			"An effect that was decided before may complete for at most 30 seconds.", "Pull requests that are open stay as they are."},
		needs: func(subject) bool { return true },
		do: func(ctx context.Context, c *gateway.Client, s subject, why string) error {
			return c.Halt(ctx, gateway.ReasonRequest{Target: s.orAll(), Reason: why})
		},
		back: func(subject) string { return "/" }},
	"resume": {Verb: "Resume", Heading: "Lift the halt of", Calm: true, Done: "The halt is lifted. Everything else that holds work back still does.",
		Will: []string{"The halt is lifted; the next cycle may reserve and start attempts again.",
			"The switch, limits, breaker and policy hold as before: this lifts nothing but the halt.", "A halt of all targets and one of a single target are lifted each by itself."},
		needs: func(subject) bool { return true },
		do: func(ctx context.Context, c *gateway.Client, s subject, why string) error {
			return c.Resume(ctx, gateway.ReasonRequest{Target: s.orAll(), Reason: why})
		},
		back: func(subject) string { return "/" }},
	"reset": {Verb: "Reset the breaker", Heading: "Reset the circuit breaker of", Calm: true, Done: "The breaker is closed.",
		Will: []string{"The breaker closes and its count of failures begins anew.", "The next cycle may reserve attempts, up to the limits.",
			"What made the attempts fail is not mended by this: look at the last failures first."},
		needs: func(s subject) bool { return s.Target != "" },
		do: func(ctx context.Context, c *gateway.Client, s subject, why string) error {
			return c.ResetCircuit(ctx, s.Target, why)
		},
		back: func(subject) string { return "/" }},
	"cancel": {Verb: "Cancel the attempt", Heading: "Cancel the attempt", Done: "The attempt is cancelled.",
		Will: []string{"The attempt ends cancelled at once; no push or pull request of it passes any more.",
			"Its agent is told to stop at its next heartbeat, within 12 seconds.", "It counts neither for the task nor for the breaker. A pull request that is open stays open."},
		needs: func(s subject) bool { return s.Attempt != "" },
		do: func(ctx context.Context, c *gateway.Client, s subject, why string) error {
			return c.Cancel(ctx, s.Attempt, why)
		},
		back: func(s subject) string { return path("attempts", s.Attempt) }},
	"retry": {Verb: "Retry the task", Heading: "Retry the task", Calm: true, Done: "The task may be tried again.",
		Will: []string{"The task's count of attempts begins anew, a human's close of its pull request no longer holds it back, and no backoff is waited for.",
			"The next cycle may reserve it, if nothing else keeps it from running."},
		needs: func(s subject) bool { return s.Target != "" && s.Task != "" },
		do: func(ctx context.Context, c *gateway.Client, s subject, why string) error {
			return c.Retry(ctx, s.Target, s.Task, why)
		},
		back: func(s subject) string { return "/tasks?target=" + url.QueryEscape(string(s.Target)) }},
}

// orAll is the target, nil for all.
func (s subject) orAll() *gateway.TargetID {
	if s.Target == "" {
		return nil
	}
	return &s.Target
}

// confirmBody is the body of the page that says what an action will do.
type confirmBody struct {
	Name    string
	Action  action
	Subject subject
	Back    string
	Reason  string
	Problem string
	// Running is how many attempts it would reach; -1 if it is about none or
	// that is not known.
	Running int
}

// confirm says what an action will do and asks for the reason. It changes
// nothing.
func (k *Console) confirm(v *visit) error {
	body, err := k.asked(v, v.r.URL.Query())
	if err != nil {
		return err
	}
	return k.showConfirm(v, http.StatusOK, body)
}

// asked reads which action is meant and about what.
func (k *Console) asked(v *visit, form url.Values) (*confirmBody, error) {
	name := v.r.PathValue("action")
	a, ok := actions[name]
	if !ok {
		return nil, gateway.Errorf(gateway.NotFound, "the console has no action %q", name)
	}
	s := subject{gateway.TargetID(form.Get("target")), gateway.TaskID(form.Get("task")), gateway.AttemptID(form.Get("attempt"))}
	if !a.needs(s) {
		return nil, gateway.Errorf(gateway.Invalid, "%s needs to know what it is about: open it from the page that shows it", a.Verb)
	}
	return &confirmBody{Name: name, Action: a, Subject: s, Back: a.back(s), Running: -1}, nil
}

func (k *Console) showConfirm(v *visit, status int, body *confirmBody) error {
	if !v.session.operator() {
		return gateway.Errorf(gateway.Forbidden, "a reader looks and changes nothing; sign in with the operator's token to do this")
	}
	if body.Name == "halt" {
		if list, err := v.client.Attempts(v.r.Context(), gateway.AttemptQuery{Target: body.Subject.Target, State: "live", Limit: 1000}); err == nil {
			body.Running = len(list.Attempts) // without it the page still says all but the number
		}
	}
	k.write(v.w, status, "confirm", &page{Title: body.Action.Verb, Role: v.session.role, Expires: gateway.At(v.session.expires), Body: *body})
	return nil
}

// act does it, by the API and so by policy, and leads back to where its effect
// is seen.
func (k *Console) act(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, formMax)
	if err := v.r.ParseForm(); err != nil {
		return gateway.Errorf(gateway.Invalid, "the form cannot be read: %v", err)
	}
	body, err := k.asked(v, v.r.PostForm)
	if err != nil {
		return err
	}
	body.Reason = strings.TrimSpace(v.r.PostForm.Get("reason"))
	if body.Reason == "" || len(body.Reason) > 1000 {
		body.Problem = "Say why, in at most 1,000 characters: the reason is journalled with your action."
		return k.showConfirm(v, http.StatusUnprocessableEntity, body)
	}
	if err := body.Action.do(v.r.Context(), v.client, body.Subject, body.Reason); err != nil {
		return err
	}
	v.session.said.Store(&body.Action.Done)
	http.Redirect(v.w, v.r, body.Back, http.StatusSeeOther)
	return nil
}
