package server_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// Facts of which the category tree says one thing, and a category that has
// nothing to look at in them.
const brokenTree = `{"problems":[{"file":"A.yaml","line":3,"column":5,"code":"yaml_syntax","message":"broken"}],"files":{"A.yaml":{},"a.yaml":{}}}`

// judged asks for verdicts as CI does.
func (w *world) judged(body string, categories ...string) gateway.InvariantVerdicts {
	w.t.Helper()
	v, err := w.client(w.token("reader", "")).CheckInvariants(context.Background(), "", categories, json.RawMessage(body))
	if err != nil || len(v.Items) != len(categories) {
		w.t.Fatalf("%d verdicts on %v: %v", len(v.Items), categories, err)
	}
	return v
}

// verdictRecords are the verdicts in the journal.
func (w *world) verdictRecords() (out []journal.StoredDecision) {
	w.t.Helper()
	err := w.journal.EachDecision(context.Background(), journal.DecisionRange{Action: gateway.ActionInvariantsCheck}, func(d journal.StoredDecision) error {
		for _, p := range d.Parts {
			if p.Name == "category" {
				out = append(out, d)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestAVerdictIsRecordedBeforeItIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	said := w.judged(brokenTree, "tree", "docs_structure")
	violated, unknown := said.Items[0], said.Items[1]
	var obligations struct{ Violations []gateway.Violation }
	if err := json.Unmarshal(violated.Obligations, &obligations); err != nil {
		t.Fatal(err)
	}
	if violated.Decision || len(obligations.Violations) != 1 || obligations.Violations[0].Line != 3 || obligations.Violations[0].File != "A.yaml" {
		t.Errorf("a problem of the tree: %+v", violated)
	}
	if unknown.Decision || string(unknown.Obligations) != "{}" || len(unknown.Reasons) != 1 || unknown.Reasons[0].Code != "unknown.no_facts" {
		t.Errorf("a category that has nothing to look at: %+v", unknown)
	}
	if held := w.judged(`{"problems":[]}`, "tree").Items[0]; !held.Decision {
		t.Errorf("a sound tree: %+v", held)
	}
	records := w.verdictRecords()
	if len(records) != 3 {
		t.Fatalf("%d verdicts are in the journal", len(records))
	}
	for i, item := range said.Items {
		d := records[i]
		if d.ID != item.DecisionID || d.InputDigest != item.InputDigest || d.Allow || d.AskedBy == "" || d.PolicyDigest != said.PolicyDigest || !d.Replayable {
			t.Errorf("the record of %s is %+v", item.Category, d)
		}
	}
	if asked, ok, err := w.journal.Decision(context.Background(), said.DecisionID); err != nil || !ok || !asked.Decision {
		t.Errorf("that it may be asked: %+v %v %v", asked, ok, err)
	}
}

// A verdict can be explained and exported as what it is, and a candidate policy
// is not held to it.
func TestAVerdictIsNoLiveQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	id := string(w.judged(brokenTree, "tree").Items[0].DecisionID)
	why := w.ask("GET", "/v1/decisions/"+id+"/why", operator, "")
	if why.status != 200 || !strings.Contains(why.body, `"allow":false`) || !strings.Contains(why.body, "tree.") {
		t.Errorf("why: %d %s", why.status, why.body)
	}
	lines := w.ask("GET", "/v1/decisions?action=invariants.check", operator, "", "Accept", "application/x-ndjson")
	if lines.status != 200 || strings.Count(lines.body, `"path":"leviathan/invariants/tree"`) != 1 || strings.Count(lines.body, `"path":"leviathan/main/decision"`) != 1 {
		t.Errorf("the decision log: %d %s", lines.status, lines.body)
	}
	report, err := replay.Run(context.Background(), w.journal, w.engine.Current(), replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.NotReplayable[replay.AVerdict] != 1 || len(report.Flips) != 0 || report.Compared == 0 {
		t.Errorf("the replay: %+v", report)
	}
}

func TestFactsAreOneObjectOfAnAskersOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	const check = "/v1/invariants/check?category=tree"
	for body, field := range map[string]string{
		"":                           "",
		"{}":                         "",
		"[]":                         "",
		"null":                       "",
		`{"problems":`:               "",
		`{"problems":[]} {}`:         "",
		`{"problems":[],"Bad":1}`:    "Bad",
		`{"problems":[],"action":1}`: "action",
		`{"problems":[],"category":"docs_structure"}`:                "category",
		`{"problems":[],"problems":[]}`:                              "problems",
		`{"problems":` + strings.Repeat("[", 20_000) + `1`:           "",
		`{"problems":[],"waivers":` + strings.Repeat("9", 400) + `}`: "waivers",
	} {
		if p := w.refused(w.ask("POST", check, operator, body), 422, ""); p.Field != field {
			t.Errorf("%.60q names %q, want %q: %s", body, p.Field, field, p.Detail)
		}
	}
	for query, status := range map[string]int{"": 422, "?category=": 422, "?category=nobody": 422, "?category=tree&category=tree": 422,
		"?category=tree&policy_digest=sha256:00": 409} {
		w.refused(w.ask("POST", "/v1/invariants/check"+query, operator, brokenTree), status, "")
	}
	w.refused(w.ask("POST", check, operator, `{"problems":"`+strings.Repeat("x", gateway.MaxFactsBytes)+`"}`), 413, "")
	if n := len(w.verdictRecords()); n != 0 {
		t.Errorf("%d verdicts on what was refused", n)
	}
}

// A mask is for verdicts as for every decision.
func TestAMaskIsForVerdictsToo(t *testing.T) {
	t.Parallel()
	w := newUpstream(t, baseBacklog, baseConfig)
	w.policy = masking(t, `mask contains "/input/problems/0/message" if input.path == "leviathan/invariants/tree"`)
	w.start()
	w.judged(strings.Replace(brokenTree, "broken", "canary-7f3a", 1), "tree")
	records := w.verdictRecords()
	if len(records) != 1 || records[0].Replayable || len(records[0].Erased) != 1 {
		t.Fatalf("the record is %+v", records)
	}
	for _, p := range records[0].Parts {
		if strings.Contains(string(p.JSON), "canary-7f3a") {
			t.Errorf("%s has what the mask took out: %s", p.Name, p.JSON)
		}
	}
}
