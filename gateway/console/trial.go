package console

import (
	"strconv"

	"leviathan/gateway"
)

// limitForm is the form that asks what another limit would change. It is sent
// with GET and changes nothing: whoever may read may ask.
type limitForm struct {
	Target gateway.TargetID
	// Keys are the limits to choose from; Key is the chosen one.
	Keys  []string
	Key   string
	Value string
}

// formOf is the form of a target, with what was chosen in it, if anything was.
// A limit that only the address names can be chosen as well.
func formOf(target gateway.TargetID, key, value string) limitForm {
	f := limitForm{Target: target, Keys: gateway.PlanLimits(), Key: key, Value: value}
	for _, known := range f.Keys {
		if known == key {
			return f
		}
	}
	if key != "" {
		f.Keys = append(f.Keys, key)
	}
	return f
}

// trialBody is the body of the page of another limit.
type trialBody struct {
	Form limitForm
	// Trial has both plans; nil before a value was given, and when Problem says
	// why there are none.
	Trial   *gateway.PlanTrial
	Problem string
}

// Differ is how many tasks the plans treat otherwise.
func (b trialBody) Differ() (n int) {
	for _, task := range b.Trial.Tasks {
		if task.Differs {
			n++
		}
	}
	return n
}

// Whole reports whether the plans differ as a whole: one of them is denied, or
// for other reasons.
func (b trialBody) Whole() bool { return !b.Trial.PlanNow.Decision || !b.Trial.PlanThen.Decision }

// limits shows the next plan as it is and with another value of one limit.
func (k *Console) limits(v *visit) error {
	asked := v.r.URL.Query()
	target := gateway.TargetID(asked.Get("target"))
	if target == "" {
		status, err := v.client.Status(v.r.Context())
		if err != nil {
			return err
		}
		target = v.target(status)
	}
	body := trialBody{Form: formOf(target, asked.Get("key"), asked.Get("value"))}
	p := &page{Title: "Another limit of " + string(target), Section: "overview"}
	if target == "" {
		body.Problem, p.Title = "No config names a target, so there is no limit.", "Another limit"
	} else if body.Form.Key != "" && body.Form.Value != "" {
		if err := body.try(v, target); err != nil {
			return err
		}
	}
	p.Body = body
	return k.show(v, "limits", p)
}

// try asks for both plans. What is wrong with the question, or keeps it from an
// answer, is a part of the page, beside the form that can mend it.
func (b *trialBody) try(v *visit, target gateway.TargetID) error {
	value, err := strconv.Atoi(b.Form.Value)
	if err != nil {
		b.Problem = "The value is a whole number, such as 2."
		return nil
	}
	trial, err := v.client.TryLimit(v.r.Context(), target, b.Form.Key, value)
	switch gateway.KindOf(err) {
	case gateway.Invalid, gateway.Conflict, gateway.Unknown, gateway.RateLimited:
		b.Problem = err.Error()
		return nil
	}
	b.Trial = &trial
	return err
}
