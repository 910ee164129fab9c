package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// largeBacklog is one that is stored as a part of its own, which can be pruned.
func largeBacklog() string {
	var b strings.Builder
	b.WriteString("tasks:\n")
	for i := range 40 {
		fmt.Fprintf(&b, "  - {id: task-%02d, title: Task number %d, scope: docs, ready: true, allowed_paths: [docs/%02d.md]}\n", i, i, i)
	}
	return b.String()
}

func TestADecisionSaysWhy(t *testing.T) {
	w := haltedWith(t, largeBacklog())
	list, err := w.journal.Decisions(context.Background(), journal.DecisionFilter{Action: gateway.ActionCyclePlan, Outcome: "deny"})
	if err != nil || len(list.Items) != 1 {
		t.Fatal(list, err)
	}
	id := list.Items[0].ID
	// By the policy that decided it, though another one governs now.
	if err := w.server.OfferPolicy(context.Background(), "policies", neutral(t), nil); err != nil {
		t.Fatal(err)
	}
	w.engine.Activate(looser(t))
	why, err := w.client(w.token(gateway.RoleReader, "")).WhyDecision(context.Background(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	if why.Allow || len(why.Reasons) != 1 || why.Reasons[0].Code != "guard.halted_all" {
		t.Errorf("decided again it is %v %v", why.Allow, why.Reasons)
	}
	for _, want := range []string{"guard.halted_all", "guard/halt.rego", "is_object(input.halt.all)", "fire"} {
		if !strings.Contains(why.Text, want) {
			t.Errorf("the text does not say %q:\n%s", want, why.Text)
		}
	}
	if strings.Contains(why.Text, "guard.switched_off") {
		t.Errorf("the text speaks of rules that denied nothing:\n%s", why.Text)
	}
	if whole, err := w.client(operator).WhyDecision(context.Background(), id, true); err != nil || !strings.Contains(whole.Text, "guard.switched_off") {
		t.Errorf("the whole text lacks rules that denied nothing: %v", err)
	}
	if a := w.ask("GET", "/v1/decisions/01AAAAAAAAAAAAAAAAAAAAAAAA/why", operator, ""); a.status != 404 {
		t.Errorf("an unknown decision is answered %d", a.status)
	}
	// What was pruned cannot be decided again, and the answer says so.
	w.clock.add(1)
	if _, err := w.journal.Prune(context.Background(), gateway.At(w.now().AddDate(1, 0, 0))); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("GET", "/v1/decisions/"+string(id)+"/why", operator, ""); a.status != 409 || !strings.Contains(a.body, "pruned") {
		t.Errorf("a pruned decision is answered %d %s", a.status, a.body)
	}
}

func TestTheDecisionLogIsStreamed(t *testing.T) {
	w := halted(t)
	body, err := w.client(operator).DecisionLog(context.Background(), gateway.DecisionLogQuery{Action: gateway.ActionCyclePlan})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var event struct {
			Path   string `json:"path"`
			Result struct {
				Allow bool `json:"allow"`
			} `json:"result"`
			Custom struct {
				Action string `json:"action"`
			} `json:"custom"`
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil || event.Path != "leviathan/main/decision" || event.Custom.Action != gateway.ActionCyclePlan || event.Result.Allow {
			t.Errorf("%s: %v", lines.Bytes(), err)
		}
	}
	if n != 1 || lines.Err() != nil {
		t.Errorf("%d lines, %v", n, lines.Err())
	}
	follow, err := w.client(operator).DecisionLog(context.Background(), gateway.DecisionLogQuery{After: w.journal.Seq(), Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer follow.Close()
	w.cycle()
	if line, err := bufio.NewReader(follow).ReadString('\n'); err != nil || !strings.Contains(line, `"action":"cycle.plan"`) {
		t.Errorf("following, the next is %s %v", line, err)
	}
}

func TestProofsAndBackupsByTheAPI(t *testing.T) {
	w := haltedWith(t, largeBacklog())
	client, size := w.client(operator), w.journal.Seq()
	if p, err := client.InclusionProof(context.Background(), 1, size); err != nil || p.Seq != 1 || len(p.Hashes) == 0 {
		t.Errorf("inclusion: %+v %v", p, err)
	}
	if p, err := client.ConsistencyProof(context.Background(), 1, size); err != nil || p.OldSize != 1 {
		t.Errorf("consistency: %+v %v", p, err)
	}
	for _, path := range []string{"/v1/journal/inclusion?seq=0&size=1", "/v1/journal/inclusion?seq=1&size=1000000", "/v1/journal/consistency?old_size=x&size=2"} {
		if a := w.ask("GET", path, operator, ""); a.status != 422 {
			t.Errorf("%s is answered %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/journal/backup", "/v1/journal/export"} {
		if a := w.ask("GET", path, w.token(gateway.RoleReader, ""), ""); a.status != 403 {
			t.Errorf("a reader gets %s: %d", path, a.status)
		}
		if a := w.ask("GET", path, operator, ""); a.status != 200 || len(a.body) < 1000 {
			t.Errorf("%s is answered %d with %d bytes", path, a.status, len(a.body))
		}
	}
	if a := w.ask("POST", "/v1/journal/prune", operator, `{"reason":"old"}`); a.status != 422 {
		t.Errorf("a prune without a time is answered %d", a.status)
	}
	if a := w.ask("POST", "/v1/journal/prune", w.token(gateway.RoleReader, ""), `{"before":"2030-01-01T00:00:00Z","reason":"old"}`); a.status != 403 {
		t.Errorf("a reader prunes: %d", a.status)
	}
	result, err := client.PruneJournal(context.Background(), gateway.PruneRequest{Before: gateway.At(w.now().AddDate(1, 0, 0)), Reason: "old"})
	if err != nil || result.Removed == 0 || result.DecisionID == "" {
		t.Errorf("a prune removes %+v, %v", result, err)
	}
}
