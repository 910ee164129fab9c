package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
)

// What the OpenID AuthZEN Authorization API 1.0 says of evaluation and
// evaluations, case by case, on real HTTP. A request that is not well formed
// is 422 here, as on every route, where the text leaves the 4xx to the server.
func TestAuthZENConformance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.cycle()
	const (
		subject  = `"subject":{"type":"component","id":"operator"}`
		halt     = `"action":{"name":"autonomy.halt"}`
		merge    = `"action":{"name":"pull_request.merge"}`
		resource = `"resource":{"type":"target","id":"demo"}`
	)
	for _, c := range []struct {
		name, path, body string
		status           int
		decisions        string // of an answer: "true", or of a batch "[true false]"
	}{
		{"permitted", "evaluation", `{` + subject + `,` + halt + `,` + resource + `}`, 200, "true"},
		{"denied is 200 as well", "evaluation", `{` + subject + `,` + merge + `,` + resource + `}`, 200, "false"},
		{"context is optional", "evaluation", `{` + subject + `,` + halt + `,` + resource + `,"context":{}}`, 200, "true"},
		{"context is any object", "evaluation", `{` + subject + `,` + halt + `,` + resource + `,"context":{"time":"2024-05-31T15:22-07:00","x":{"y":[1]}}}`, 200, "true"},
		{"properties of every entity", "evaluation", `{"subject":{"type":"component","id":"operator","properties":{"department":"x"}},"action":{"name":"autonomy.halt","properties":{"method":"GET"}},"resource":{"type":"target","id":"demo","properties":{"a":1}}}`, 200, "true"},
		{"members in any order", "evaluation", `{` + resource + `,` + halt + `,` + subject + `}`, 200, "true"},
		{"no subject", "evaluation", `{` + halt + `,` + resource + `}`, 422, ""},
		{"no action", "evaluation", `{` + subject + `,` + resource + `}`, 422, ""},
		{"no resource", "evaluation", `{` + subject + `,` + halt + `}`, 422, ""},
		{"subject without type", "evaluation", `{"subject":{"id":"operator"},` + halt + `,` + resource + `}`, 422, ""},
		{"subject without id", "evaluation", `{"subject":{"type":"component"},` + halt + `,` + resource + `}`, 422, ""},
		{"action without name", "evaluation", `{` + subject + `,"action":{},` + resource + `}`, 422, ""},
		{"resource without type", "evaluation", `{` + subject + `,` + halt + `,"resource":{"id":"demo"}}`, 422, ""},
		{"resource without id", "evaluation", `{` + subject + `,` + halt + `,"resource":{"type":"target"}}`, 422, ""},
		{"no object", "evaluation", `[]`, 422, ""},
		{"no JSON", "evaluation", `subject`, 422, ""},

		{"without evaluations it is one question", "evaluations", `{` + subject + `,` + halt + `,` + resource + `}`, 200, "true"},
		{"with none of them, too", "evaluations", `{` + subject + `,` + halt + `,` + resource + `,"evaluations":[]}`, 200, "true"},
		{"no defaults", "evaluations", `{"evaluations":[{` + subject + `,` + halt + `,` + resource + `},{` + subject + `,` + merge + `,` + resource + `}]}`, 200, "[true false]"},
		{"defaults for all", "evaluations", `{` + subject + `,` + halt + `,` + resource + `,"evaluations":[{},{}]}`, 200, "[true true]"},
		{"an own value goes before the default", "evaluations", `{` + subject + `,` + halt + `,` + resource + `,"evaluations":[{},{` + merge + `}]}`, 200, "[true false]"},
		{"execute_all is the default", "evaluations", `{` + subject + `,` + resource + `,"evaluations":[{` + merge + `},{` + halt + `}]}`, 200, "[false true]"},
		{"execute_all", "evaluations", `{` + subject + `,` + resource + `,"options":{"evaluations_semantic":"execute_all"},"evaluations":[{` + merge + `},{` + halt + `}]}`, 200, "[false true]"},
		{"deny_on_first_deny", "evaluations", `{` + subject + `,` + resource + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{` + halt + `},{` + merge + `},{` + halt + `}]}`, 200, "[true false]"},
		{"permit_on_first_permit", "evaluations", `{` + subject + `,` + resource + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{` + merge + `},{` + halt + `},{` + merge + `}]}`, 200, "[false true]"},
		{"another semantic", "evaluations", `{` + subject + `,` + resource + `,"options":{"evaluations_semantic":"any"},"evaluations":[{` + halt + `}]}`, 422, ""},
		{"an error in one evaluation denies that one", "evaluations", `{` + subject + `,` + resource + `,"evaluations":[{` + halt + `},{},{` + halt + `}]}`, 200, "[true false true]"},
		{"an error is a denial to deny_on_first_deny", "evaluations", `{` + subject + `,` + resource + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{},{` + halt + `}]}`, 200, "[false]"},
	} {
		a := w.ask("POST", "/access/v1/"+c.path, operator, c.body, "Content-Type", "application/json", "X-Request-ID", "bfe9eb29-"+c.path)
		if a.status != c.status || a.header.Get("X-Request-ID") != "bfe9eb29-"+c.path {
			t.Errorf("%s: %d, request id %q: %s", c.name, a.status, a.header.Get("X-Request-ID"), a.body)
			continue
		}
		if c.status != 200 {
			a.problem(t)
			continue
		}
		if kind := a.header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s: the type is %s", c.name, kind)
		}
		if got := decisionsIn(t, a.body); got != c.decisions {
			t.Errorf("%s: %s, want %s: %s", c.name, got, c.decisions, a.body)
		}
	}
	if a := w.ask("POST", "/access/v1/evaluation", "", `{}`); a.status != 401 {
		t.Errorf("without a token: %d", a.status)
	}
	if a := w.ask("POST", "/access/v1/evaluation", operator, `{}`, "X-Request-ID", strings.Repeat("x", 129)); a.header.Get("X-Request-ID") != "" {
		t.Errorf("an endless request id comes back: %q", a.header.Get("X-Request-ID"))
	}
}

// decisionsIn are the decisions of an answer, and sees that each error says
// what is wrong.
func decisionsIn(t *testing.T, body string) string {
	t.Helper()
	var one struct {
		Decision    *bool
		Evaluations []gateway.Evaluation
	}
	if err := json.Unmarshal([]byte(body), &one); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	word := map[bool]string{true: "true", false: "false"}
	if one.Decision != nil {
		return word[*one.Decision]
	}
	var words []string
	for _, e := range one.Evaluations {
		words = append(words, word[e.Decision])
		if wrong := e.Context.Error; (wrong != nil) == (e.Context.ID != "") || wrong != nil && (e.Decision || !slices.Contains([]int{403, 422}, wrong.Status) || wrong.Message == "") {
			t.Errorf("the evaluation is %+v", e)
		}
	}
	return "[" + strings.Join(words, " ") + "]"
}
