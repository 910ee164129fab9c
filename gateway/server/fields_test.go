package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway/engine"
)

// optionalFields is the policies' own list of the fields that may be missing:
// the bundle, with its answer replaced by the list.
func optionalFields(t *testing.T, in engine.Input) map[string]map[string]string {
	t.Helper()
	policy, err := bundleWith(`"obligations": _obligations,`, `"obligations": {"optional": optional_fields},`, "cycle.plan: 5000\n", "cycle.plan: 60000\n")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Optional map[string]map[string]string `json:"optional"`
	}
	result := policy.Decide(context.Background(), "cycle.plan", in)
	if err := json.Unmarshal(result.Obligations, &answer); err != nil || len(answer.Optional) == 0 {
		t.Fatalf("the list of optional fields: %v %v", result.Reasons, err)
	}
	return answer.Optional
}

// isOptional reports whether a pointer of the list is the path or above it.
func isOptional(list map[string]string, path []string) bool {
	for pointer := range list {
		want := strings.Split(pointer, "/")[1:]
		if len(want) <= len(path) && matches(want, path) {
			return true
		}
	}
	return false
}

func matches(want, path []string) bool {
	for i, part := range want {
		if part != "*" && part != path[i] {
			return false
		}
	}
	return true
}

// unread reports whether this very question does not read the field, for a
// reason that no list of pointers can say.
func unread(action string, in map[string]any, path []string) bool {
	at := func(v any, names ...string) any {
		for _, name := range names {
			object, _ := v.(map[string]any)
			v = object[name]
		}
		return v
	}
	under := func(names ...string) bool { return len(path) > len(names) && slices.Equal(path[:len(names)], names) }
	role := at(in, "subject", "role")
	switch action {
	case "agent.run": // it reads the agent and the verifications of its attempt
		verify, _ := at(in, "attempt", "task", "verify").([]any)
		return under("config", "values", "agents") && path[3] != at(in, "attempt", "agent") ||
			under("config", "values", "verify") && !slices.Contains(verify, any(path[3])) ||
			slices.Equal(path, []string{"config", "values", "verify"}) && len(verify) == 0
	case "event.append": // who is no attempt may claim about any
		return role != "attempt" && under("request", "attempts")
	case "repository.fetch": // a person's look at the target branch needs no fact
		return role != "attempt" && slices.Contains([]string{"config", "halt", "time"}, path[0])
	}
	return false
}

// kinds are one value of each JSON type.
var kinds = []any{true, 7.0, "x", []any{}, map[string]any{}}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// mutate calls try for the value with each field taken away or of another
// type, one at a time. The value is whole again after each.
func mutate(v any, path []string, try func(path []string, what string)) {
	swap := func(name string, old any, set func(any)) {
		at := append(slices.Clone(path), name)
		turn := len(name) + len(path) // each field meets null and two others, and each kind meets many fields
		for _, wrong := range []any{nil, kinds[turn%len(kinds)], kinds[(turn+1)%len(kinds)]} {
			if kindOf(wrong) != kindOf(old) {
				set(wrong)
				try(at, "a "+kindOf(wrong))
				set(old)
			}
		}
		mutate(old, at, try)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			old := v[name]
			delete(v, name)
			try(append(slices.Clone(path), name), "missing")
			v[name] = old
			swap(name, old, func(x any) { v[name] = x })
		}
	case []any:
		for i, old := range v {
			swap(fmt.Sprint(i), old, func(x any) { v[i] = x })
		}
	}
}

// A field that is missing or of another type never leaves a question allowed,
// unless the policies list it as optional, with a reason. Null is a type; the
// list says where null means none.
func TestNoFieldThatIsMissingOrWrongLeavesAQuestionAllowed(t *testing.T) {
	t.Parallel()
	w := busy(t)
	policy, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	type question struct {
		action   string
		recorded json.RawMessage
		input    map[string]any
	}
	questions, seen := []question{}, map[string]bool{}
	var optional map[string]map[string]string
	for _, d := range w.decisions() {
		if d.Action == "cycle.plan" && optional == nil {
			optional = optionalFields(t, inputOf(t, d.Input))
		}
		var in struct {
			Subject struct {
				Role string `json:"role"`
			} `json:"subject"`
		}
		if err := json.Unmarshal(d.Input, &in); err != nil {
			t.Fatal(err)
		}
		if key := d.Action + " " + in.Subject.Role; d.Decision && !seen[key] {
			seen[key] = true
			q := question{action: d.Action, recorded: d.Input}
			if err := json.Unmarshal(d.Input, &q.input); err != nil {
				t.Fatal(err)
			}
			questions = append(questions, q)
		}
	}
	var mu sync.Mutex
	tried, lax := 0, map[string]bool{}
	var group sync.WaitGroup
	for _, q := range questions {
		group.Go(func() {
			n, found, whole := 0, []string{}, inputOf(t, q.recorded)
			mutate(q.input, nil, func(path []string, what string) {
				if isOptional(optional[q.action], path) || unread(q.action, q.input, path) {
					return
				}
				n++
				if policy.Decide(context.Background(), q.action, inputFrom(t, whole, q.input, path[0])).Allow {
					found = append(found, q.action+" is allowed with /"+strings.Join(path, "/")+" "+what)
				}
			})
			mu.Lock()
			defer mu.Unlock()
			tried += n
			for _, f := range found {
				lax[f] = true
			}
		})
	}
	group.Wait()
	for _, text := range slices.Sorted(maps.Keys(lax)) {
		t.Error(text)
	}
	if len(questions) < 20 || tried < 2000 {
		t.Errorf("%d questions, %d mutations: too few", len(questions), tried)
	}
	t.Logf("%d questions, %d mutations", len(questions), tried)
}

// inputFrom is the whole input with the part of the name as the document has
// it now, if it still has one.
func inputFrom(t *testing.T, whole engine.Input, document map[string]any, name string) engine.Input {
	in := slices.DeleteFunc(slices.Clone(whole), func(p engine.Part) bool { return p.Name == name })
	v, ok := document[name]
	if !ok {
		return in
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Error(err)
		return nil
	}
	part, err := engine.NewPart(name, json.RawMessage(raw))
	if err != nil {
		t.Error(err)
		return nil
	}
	return append(in, part)
}
