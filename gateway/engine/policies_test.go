package engine_test

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

func TestShippedPoliciesHaveDeadlinesOfTheirOwn(t *testing.T) {
	s := load(t, policies.FS)
	for _, action := range []string{gateway.ActionCyclePlan, gateway.ActionChangePush} {
		if s.Deadline(action) <= s.Deadline(gateway.ActionRouteRead) {
			t.Errorf("%s has no deadline of its own", action)
		}
	}
	if len(s.Codes()) < 100 {
		t.Errorf("%d codes", len(s.Codes()))
	}
}

// Without any fact nothing is allowed, whatever the action.
func TestShippedPoliciesDenyTheEmptyQuestion(t *testing.T) {
	s := load(t, policies.FS)
	for _, action := range []string{"", gateway.ActionCyclePlan, gateway.ActionChangePush, gateway.ActionAgentRun, "pull_request.merge", "backlog.create"} {
		r := s.Decide(t.Context(), action, question(t, map[string]any{"action": action}))
		if r.Allow || len(r.Reasons) == 0 {
			t.Errorf("%q: allow %v, reasons %v", action, r.Allow, r.Reasons)
		}
		for _, reason := range r.Reasons {
			if slices.ContainsFunc(engine.Failures(), func(c engine.Code) bool { return c.Code == reason.Code }) {
				t.Errorf("%q: the engine had to deny: %+v", action, reason)
			}
		}
	}
}

// The policies know the event types that the gateway emits. A main of the
// test's own reads the set out.
func TestShippedPoliciesKnowTheEventTypes(t *testing.T) {
	bundle := fstest.MapFS{"main/main.rego": {Data: []byte(patient + "package leviathan.main\n\n" +
		`decision := {"allow": false, "reasons": [], "obligations": {"types": data.leviathan.access.gateway_events}}` + "\n")}}
	err := fs.WalkDir(policies.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Dir(name) == "main" {
			return err
		}
		data, err := fs.ReadFile(policies.FS, name)
		bundle[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var obligations struct {
		Types []string `json:"types"`
	}
	if err := json.Unmarshal(load(t, bundle).Decide(t.Context(), "x", nil).Obligations, &obligations); err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(gateway.EventTypes()))
	if diff := cmp.Diff(want, obligations.Types); diff != "" {
		t.Error(diff)
	}
}
