//go:build unix

package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// claims04 are events as release 0.4 sent them, of an attempt with an id of
// its making.
const claims04 = `{"target":"demo","bundle_id":"b","artifacts":null,"events":[
 {"event_id":"e1","event_type":"task.created","timestamp":"2026-01-28T10:00:00","actor_id":"worker-a1","payload":{"task_id":"old","target_id":"demo","title":"Old","status":"pending"}},
 {"event_id":"e2","event_type":"attempt.created","timestamp":"2026-01-28T10:00:01","actor_id":null,"payload":{"attempt_id":"a1","task_id":"old","target_id":"demo","attempt_number":1,"status":"pending"}},
 {"event_id":"e3","event_type":"artifact.created","timestamp":"2026-01-28T10:00:02","actor_id":"worker-a1","payload":{"artifact_id":"x1","attempt_id":"a1","sha256":"ab","artifact_type":"log","size_bytes":3,"storage_path":"x"}},
 {"event_id":"e4","event_type":"pr.created","timestamp":"2026-01-28T10:00:03","actor_id":"worker-a1","payload":{"attempt_id":"a1","task_id":"old","target_id":"demo","pr_number":7,"pr_url":"https://forge.invalid/7","branch_name":"agent/a1","commit_sha":"ab"}}]}`

// keysIn are the keys of the objects at a path of an answer, sorted: of the
// answer itself, or of each object of a list, which must have the same.
func keysIn(t *testing.T, answer any, path string) []string {
	t.Helper()
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		answer = answer.(map[string]any)[name]
	}
	list, ok := answer.([]any)
	if !ok {
		list = []any{answer}
	}
	if len(list) == 0 {
		t.Errorf("%s is empty: its shape is not seen", path)
		return nil
	}
	var common map[string]any
	for _, item := range list {
		object, ok := item.(map[string]any)
		if !ok {
			t.Errorf("%s is %v", path, answer)
			return nil
		}
		if common == nil {
			common = maps.Clone(object)
		}
		maps.DeleteFunc(common, func(key string, _ any) bool { _, has := object[key]; return !has })
	}
	return slices.Sorted(maps.Keys(common))
}

// S16: the calls of leviathanctl have the shapes of release 0.4, say what the
// routes of that release say, and have exit codes.
func TestS16TheCallsOfLeviathanctl(t *testing.T) {
	h := makeHome(t)
	g, err := openGateway(t.Context(), gatewayOptions{state: filepath.Join(h.dir, "state"), config: filepath.Join(h.dir, "config.yaml"), listen: "127.0.0.1:0", logLevel: "error"}, io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	ask := func(method, path, body string) any {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, g.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+g.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d, %v %v", method, path, resp.StatusCode, answer, err)
		}
		return answer
	}
	ask("POST", "/v1/events/ingest", claims04)
	id := failOne(t, g)
	op := testOperator(map[string]string{gatewayVariable: g.url, tokenVariable: g.token})
	for _, row := range []struct {
		call  []string
		route string              // that says the same; none for what changes something
		keys  map[string][]string // that objects have, by their place
		has   []string            // that the answer has, without spaces
	}{
		{[]string{"graph-summary"}, "/v1/graph/summary", map[string][]string{"": {"edges_by_type", "nodes_by_type", "recent_events"},
			"recent_events": {"actor_id", "attempt_id", "event_id", "event_type", "origin", "target", "timestamp"}},
			[]string{`"Attempt":2`, `"PullRequest":1`, `"Target":1`, `"PRODUCED":2`, `"event_type":"attempt.failed"`}},
		{[]string{"attempts-list"}, "/v1/attempts", map[string][]string{"": {"attempts", "count"},
			"attempts": {"attempt_id", "pr_number", "pr_url", "status", "target", "task_id", "timestamp"}},
			[]string{`"count":2`, `"status":"failed"`, `"pr_number":7`, `"pr_url":"https://forge.invalid/7"`}},
		{[]string{"attempts-list", "--target", "demo", "--limit", "1"}, "/v1/attempts?target=demo&limit=1", nil, []string{`"count":1`, `"next_page_token":"`}},
		{[]string{"attempts-list", "--target", "other"}, "/v1/attempts?target=other", nil, []string{`"count":0`, `"attempts":[]`}},
		{[]string{"attempts-show", string(id)}, "/v1/attempts/" + string(id), map[string][]string{"": {"artifacts", "attempt_node", "events"},
			"attempt_node": {"created_at", "node_id", "node_type", "properties", "updated_at"}, "events": {"actor_id", "event_id", "event_type", "payload", "timestamp"}},
			[]string{`"node_type":"Attempt"`, `"attempt_number":1`, `"event_type":"attempt.created"`, `"event_type":"attempt.failed"`}},
		{[]string{"attempts-show", strings.ToLower(string(id))}, "/v1/attempts/" + string(id), nil, nil},
		{[]string{"attempts-show", "a1"}, "/v1/attempts/a1", nil, []string{`"attempt_id":"a1"`, `"event_type":"pr.created"`, `"sha256":"ab"`}},
		{[]string{"attempts-show", "unknown"}, "/v1/attempts/unknown", nil, []string{`"attempt_node":null`, `"events":[]`, `"artifacts":[]`}},
		{[]string{"failures-recent"}, "/v1/failures", map[string][]string{"": {"count", "failures"}, "failures": {"attempt_id", "error", "target", "task_id", "timestamp"}},
			[]string{`"count":1`, `"error":"itdidnotwork"`, `"task_id":"sleep"`}},
		{[]string{"failures-recent", "--target", "other", "--limit", "5"}, "/v1/failures?target=other&limit=5", nil, []string{`"count":0`, `"failures":[]`}},
		{[]string{"invalidate", string(id), "--reason", "flaky"}, "", map[string][]string{"": {"attempt_id", "status"}}, []string{`"status":"invalidated"`, string(id)}},
	} {
		for _, got := range []ran{executeOn(t.Context(), newCtl(op), row.call...), execute(t.Context(), op, "", row.call...)} {
			if got.code != exitDone || got.stderr != "" {
				t.Errorf("%v: exit %d, %s%s", row.call, got.code, got.stdout, got.stderr)
				continue
			}
			var answer any
			if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
				t.Errorf("%v: %v in %s", row.call, err, got.stdout)
				continue
			}
			if row.route != "" {
				if diff := cmp.Diff(ask("GET", row.route, ""), answer); diff != "" {
					t.Errorf("%v is not what %s says (-route +call):\n%s", row.call, row.route, diff)
				}
			}
			for place, want := range row.keys {
				have := keysIn(t, answer, place)
				for _, key := range want {
					if !slices.Contains(have, key) {
						t.Errorf("%v: %q has the keys %v and lacks %s", row.call, place, have, key)
					}
				}
			}
			for _, text := range row.has {
				if !strings.Contains(strings.Join(strings.Fields(got.stdout), ""), text) {
					t.Errorf("%v lacks %s: %s", row.call, text, got.stdout)
				}
			}
		}
	}
	if got := ask("GET", "/v1/attempts?target=demo&limit=1", ""); !strings.Contains(string(mustJSON(t, got)), `"invalidated":true`) {
		t.Errorf("it was not invalidated: %v", got)
	}
	for _, row := range []struct {
		call []string
		code int
		says string
	}{
		{[]string{"invalidate", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--reason", "r"}, exitNo, "invalidating the attempt: "},
		{[]string{"invalidate", string(id)}, exitUsage, "say why with --reason TEXT"},
		{[]string{"invalidate", "--reason", "r"}, exitUsage, "ID is missing"},
		{[]string{"attempts-show"}, exitUsage, "ID is missing"},
		{[]string{"attempts-list", "--limit", "0"}, exitUsage, "--limit 0 is not a number from 1 to 1000"},
		{[]string{"failures-recent", "--limit", "1001"}, exitUsage, "--limit 1001 is not"},
		{[]string{"status"}, exitUsage, `unknown command "status" for "leviathanctl"`},
		{[]string{"graph-summary", "--gateway", "http://127.0.0.1:1"}, exitUnreachable, "counting the graph: "},
	} {
		if got := executeOn(t.Context(), newCtl(op), row.call...); got.code != row.code || got.stdout != "" || !strings.Contains(got.stderr, row.says) {
			t.Errorf("%v: exit %d, want %d; %s%s", row.call, got.code, row.code, got.stdout, got.stderr)
		}
	}
}

// failOne has the gateway reserve an attempt, and fails it as its worker does.
func failOne(t *testing.T, g *runningGateway) gateway.AttemptID {
	t.Helper()
	client := func(token string) *gateway.Client {
		c, err := gateway.NewClient(g.url, token, gateway.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	plan, err := client(g.token).Cycle(t.Context(), "demo", gateway.CycleRequest{})
	if err != nil || len(plan.Reserved) != 1 {
		t.Fatalf("planned %+v, %v", plan, err)
	}
	a := plan.Reserved[0]
	worker := client(a.Token)
	if _, err := worker.Start(t.Context(), a.AttemptID, gateway.StartRequest{Instance: "instance-one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Finish(t.Context(), a.AttemptID, gateway.FinishRequest{Outcome: "failed", FailureType: gateway.AgentError, ErrorSummary: "it did not work"}); err != nil {
		t.Fatal(err)
	}
	return a.AttemptID
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The calls are in the help of leviathanctl, and not in that of leviathan.
func TestTheCallsOfRelease04AreHiddenElsewhere(t *testing.T) {
	names := func(cmds []*cobra.Command) (all []string) {
		for _, cmd := range cmds {
			all = append(all, cmd.Name())
		}
		return all
	}
	want := []string{"attempts-list", "attempts-show", "failures-recent", "graph-summary", "invalidate"}
	if got := names(sorted(rootAs(ctlName))); !slices.Equal(got, want) {
		t.Errorf("%s shows %v", ctlName, got)
	}
	all, shown := names(rootAs("leviathan").Commands()), names(sorted(rootAs("leviathan")))
	for _, name := range want {
		if !slices.Contains(all, name) || slices.Contains(shown, name) {
			t.Errorf("%s is not hidden in %v, shown %v", name, all, shown)
		}
	}
}
