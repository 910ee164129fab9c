package observability_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write grafana/leviathan.json")

const dashboardFile = "grafana/leviathan.json"

// A panel is one picture: what it is called, what it asks, in which unit.
type panel struct {
	title, unit string
	kind        string // stat or timeseries
	queries     []query
}

type query struct{ expr, legend string }

// section is a row of the dashboard.
type section struct {
	title  string
	panels []panel
}

func stat(title, unit, expr, legend string) panel {
	return panel{title: title, unit: unit, kind: "stat", queries: []query{{expr, legend}}}
}

func lines(title, unit string, queries ...query) panel {
	return panel{title: title, unit: unit, kind: "timeseries", queries: queries}
}

// sections are the dashboard, in the order in which an operator asks.
var sections = []section{
	{"Is it on?", []panel{
		stat("Switch", "bool_on_off", `max by (target) (leviathan_autonomy_enabled{target=~"$target"})`, "{{target}}"),
		stat("May plan now", "bool_yes_no", `max by (target) (leviathan_autonomy_effective{target=~"$target"})`, "{{target}}"),
		stat("Halted", "bool_yes_no", `max by (target) (leviathan_halted{target=~"$target"}) or max(leviathan_halted_all)`, "{{target}}"),
		stat("Breaker open", "bool_yes_no", `max by (target) (leviathan_circuit_state{target=~"$target",state="open"})`, "{{target}}"),
		stat("Kill switch proved", "s", `time() - max(leviathan_killswitch_last_proof_timestamp_seconds)`, "ago"),
		stat("Last cycle", "s", `time() - max by (target) (leviathan_last_cycle_timestamp_seconds{target=~"$target"})`, "{{target}} ago"),
	}},
	{"What is running?", []panel{
		lines("Live attempts", "short", query{`sum by (state) (leviathan_live_attempts{target=~"$target"})`, "{{state}}"}),
		lines("Headroom of the limits", "short", query{`min by (target, limit) (leviathan_limit_headroom{target=~"$target"})`, "{{target}} {{limit}}"}),
		lines("Open pull requests", "short", query{`sum by (target) (leviathan_open_pull_requests{target=~"$target"})`, "{{target}}"},
			query{`max by (target) (leviathan_limit{target=~"$target",limit="max_open_prs"})`, "{{target}} limit"}),
		lines("Blocked tasks", "short", query{`sum by (target) (leviathan_blocked_tasks{target=~"$target"})`, "{{target}}"},
			query{`max by (target) (leviathan_task_failures{target=~"$target"})`, "{{target}} most failures of a task"}),
		lines("Attempts that ended", "short", query{`sum by (outcome, failure_type) (increase(leviathan_attempts_ended_total{target=~"$target"}[1h]))`, "{{outcome}} {{failure_type}}"}),
		lines("Duration of attempts", "s", query{`histogram_quantile(0.5, sum by (le, outcome) (rate(leviathan_attempt_duration_seconds_bucket{target=~"$target"}[6h])))`, "{{outcome}} median"},
			query{`histogram_quantile(0.95, sum by (le, outcome) (rate(leviathan_attempt_duration_seconds_bucket{target=~"$target"}[6h])))`, "{{outcome}} 95 %"}),
		lines("Cycles", "short", query{`sum by (target, outcome) (increase(leviathan_cycles_total{target=~"$target"}[1h]))`, "{{target}} {{outcome}}"}),
		lines("Breaker", "short", query{`sum by (target, cause) (increase(leviathan_circuit_opened_total{target=~"$target"}[1d]))`, "{{target}} opened by {{cause}}"}),
	}},
	{"What comes of it?", []panel{
		stat("Accepted", "percentunit", `avg by (target) (leviathan_acceptance_ratio{target=~"$target"})`, "{{target}}"),
		lines("Pull requests", "short", query{`sum by (change) (increase(leviathan_pull_requests_total{target=~"$target"}[1d]))`, "{{change}}"}),
		lines("From ready to pull request", "s", query{`histogram_quantile(0.5, sum by (le) (rate(leviathan_task_ready_to_pull_request_seconds_bucket{target=~"$target"}[1d])))`, "median"}),
		lines("From ready to merge", "s", query{`histogram_quantile(0.5, sum by (le) (rate(leviathan_task_ready_to_merge_seconds_bucket{target=~"$target"}[7d])))`, "median"}),
	}},
	{"What is decided?", []panel{
		lines("Decisions", "ops", query{`sum by (outcome) (rate(leviathan_decisions_total[$__rate_interval]))`, "{{outcome}}"}),
		lines("Denials by action", "short", query{`sum by (action) (increase(leviathan_decisions_total{outcome="deny"}[1h]))`, "{{action}}"}),
		lines("Reasons", "short", query{`topk(10, sum by (code) (increase(leviathan_decision_reasons_total[1h])))`, "{{code}}"}),
		lines("Recorded decisions", "short", query{`sum by (action, outcome) (increase(leviathan_recorded_decisions_total[1h]))`, "{{action}} {{outcome}}"}),
		lines("Recorded reasons", "short", query{`topk(10, sum by (action, code) (increase(leviathan_recorded_decision_reasons_total[1d])))`, "{{action}} {{code}}"}),
		lines("Evaluation", "s", query{`histogram_quantile(0.99, sum by (le) (rate(leviathan_evaluation_seconds_bucket[$__rate_interval])))`, "99 %"}),
		stat("Policy", "none", `max by (revision) (leviathan_policy_info)`, "{{revision}}"),
		stat("Governs since", "s", `time() - max(leviathan_policy_activated_timestamp_seconds)`, "ago"),
		stat("Policy candidate refused", "bool_yes_no", `max(leviathan_policy_candidate_refused)`, "refused"),
		stat("Plan distrusted", "bool_yes_no", `max(leviathan_policy_plan_distrusted)`, "distrusted"),
		stat("Source of policies away", "bool_yes_no", `max(leviathan_policy_source_problem)`, "away"),
		lines("The waiting candidate", "short", query{`sum by (class) (leviathan_policy_shadow_flips)`, "{{class}}"}, query{`sum(leviathan_policy_shadow_compared)`, "compared"},
			query{`sum(leviathan_policy_shadow_dropped)`, "no time for"}),
	}},
	{"The gateway", []panel{
		lines("Requests", "reqps", query{`sum by (class) (rate(leviathan_http_request_seconds_count[$__rate_interval]))`, "{{class}}"}),
		lines("Failed authentication", "short", query{`sum(increase(leviathan_authentication_failures_total[1h]))`, "requests"},
			query{`sum(increase(leviathan_unrecorded_refusals_total[1h]))`, "refused without a record"}),
		lines("Leases", "short", query{`sum(leviathan_leases)`, "live"}, query{`sum by (why) (increase(leviathan_attempts_expired_total[1h]))`, "ran out of time: {{why}}"}),
		lines("Journal", "bytes", query{`max(leviathan_journal_bytes)`, "size"}),
		lines("Transactions", "s", query{`histogram_quantile(0.5, sum by (le) (rate(leviathan_journal_commit_seconds_bucket[$__rate_interval])))`, "median"},
			query{`histogram_quantile(0.99, sum by (le) (rate(leviathan_journal_commit_seconds_bucket[$__rate_interval])))`, "99 %"}),
		lines("Callers of a transaction", "short", query{`sum(rate(leviathan_journal_commit_batch_size_sum[$__rate_interval])) / sum(rate(leviathan_journal_commit_batch_size_count[$__rate_interval]))`, "mean"},
			query{`sum(increase(leviathan_journal_commit_failures_total[1h]))`, "failed"}),
		lines("Records without a checkpoint", "short", query{`max(leviathan_journal_checkpoint_lag_records)`, "records"}, query{`max(leviathan_forward_lag_records)`, "not forwarded"}),
		stat("Checkpoint", "s", `time() - max(leviathan_journal_checkpoint_timestamp_seconds)`, "ago"),
		lines("Requests that the forge allows", "short", query{`min(leviathan_forge_budget_remaining)`, "left"}, query{`max(leviathan_forge_budget_limit)`, "of"}),
		lines("Free on the state's disk", "bytes", query{`min(leviathan_state_free_bytes)`, "free"}),
		lines("Packs", "Bps", query{`sum by (direction) (rate(leviathan_git_pack_bytes_total[$__rate_interval]))`, "{{direction}}"}),
		lines("Memory", "bytes", query{`process_resident_memory_bytes{job=~"leviathan-.*"}`, "{{job}}"}),
	}},
	{"The spider", []panel{
		lines("Events", "short", query{`sum by (event_type) (increase(leviathan_events_total[5m])) > 0`, "{{event_type}}"}),
		stat("Last event", "s", `time() - max(leviathan_spider_last_event_ts)`, "ago"),
		stat("Follows", "bool_yes_no", `max(leviathan_spider_following)`, "follows"),
		lines("What it does not count", "short", query{`sum(increase(leviathan_spider_duplicates_total[1h]))`, "duplicates"},
			query{`sum(increase(leviathan_spider_untracked_total[1h]))`, "untracked"}, query{`sum(increase(leviathan_spider_refused_bundles_total[1h]))`, "refused bundles"},
			query{`sum by (reason) (increase(leviathan_forward_dropped_total[1h]))`, "dropped by the gateway: {{reason}}"}),
	}},
}

// object is a JSON object; its keys are written in order.
type object = map[string]any

// dashboard is the page in Grafana's form.
func dashboard() ([]byte, error) {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	panels := []object{}
	id, y := 0, 0
	next := func() int { id++; return id }
	for _, s := range sections {
		panels = append(panels, object{"id": next(), "type": "row", "title": s.title, "collapsed": false, "gridPos": object{"x": 0, "y": y, "w": 24, "h": 1}, "panels": []any{}})
		y++
		x := 0
		for _, p := range s.panels {
			w, h := 8, 8
			if p.kind == "stat" {
				w, h = 4, 8
			}
			if x+w > 24 {
				x, y = 0, y+8
			}
			targets := []object{}
			for i, q := range p.queries {
				targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source, "expr": q.expr, "legendFormat": q.legend, "instant": p.kind == "stat"})
			}
			panels = append(panels, object{"id": next(), "type": p.kind, "title": p.title, "datasource": source, "targets": targets,
				"gridPos": object{"x": x, "y": y, "w": w, "h": h}, "fieldConfig": object{"defaults": object{"unit": p.unit}, "overrides": []any{}}, "options": object{}})
			x += w
		}
		y += 8
	}
	page := object{"uid": "leviathan", "title": "Leviathan", "tags": []string{"leviathan"}, "schemaVersion": 39, "version": 1, "editable": true,
		"timezone": "utc", "refresh": "30s", "time": object{"from": "now-24h", "to": "now"}, "panels": panels,
		"templating": object{"list": []object{
			{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
			{"name": "target", "type": "query", "datasource": source, "label": "Target", "multi": true, "includeAll": true, "allValue": ".*", "refresh": 2,
				"query": object{"query": "label_values(leviathan_running_attempts, target)", "refId": "targets"}},
		}}}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(page)
	return b.Bytes(), err
}

func TestTheDashboardIsTheGeneratedOne(t *testing.T) {
	want, err := dashboard()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(dashboardFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what its generator writes; run go test ./deploy/observability -update", dashboardFile)
	}
}
