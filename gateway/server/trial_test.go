package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"leviathan/gateway"
)

const trialBacklog = `tasks:
  - {id: guide, title: Write a guide, ready: true, allowed_paths: [docs/guide.md]}
  - {id: notes, title: Write notes, ready: true, allowed_paths: [docs/notes/]}
  - {id: index, title: Write an index, ready: true, allowed_paths: [docs/index.md]}
  - {id: later, title: Not yet, ready: false, allowed_paths: [docs/later.md]}
`

// The plan is shown as it is and with another limit, on the same facts; what
// differs is named with its reasons, and nothing changes by the question.
func TestAnotherLimitIsTried(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, trialBacklog, strings.Replace(baseConfig, "max_open_prs: 3", "max_open_prs: 1", 1))
	reader := w.client(w.token(gateway.RoleReader, ""))
	w.server.Observe(ctx, "demo")
	before := w.journal.Seq()
	trial, err := reader.TryLimit(ctx, "demo", "max_open_prs", 2)
	if err != nil {
		t.Fatal(err)
	}
	if trial.Now != 1 || trial.Then != 2 || trial.Key != "max_open_prs" || trial.Target != "demo" || trial.AsOf.IsZero() || trial.PolicyDigest == "" {
		t.Errorf("%+v", trial)
	}
	if !trial.PlanNow.Decision || trial.PlanNow.Reserved != 1 || !trial.PlanThen.Decision || trial.PlanThen.Reserved != 2 || trial.Truncated {
		t.Errorf("now %+v, then %+v", trial.PlanNow, trial.PlanThen)
	}
	if len(trial.Tasks) != 2 || trial.Same != 2 || trial.Tasks[0].TaskID != "guide" || trial.Tasks[0].Differs || !trial.Tasks[0].Now.Reserved || !trial.Tasks[0].Then.Reserved {
		t.Fatalf("%d the same, %+v", trial.Same, trial.Tasks)
	}
	if one := trial.Tasks[1]; one.TaskID != "notes" || one.Title != "Write notes" || !one.Differs || one.Now.Reserved || !one.Then.Reserved ||
		len(one.Now.Reasons) != 1 || one.Now.Reasons[0].Code != "limits.open_prs" || len(one.Then.Reasons) != 0 {
		t.Errorf("%+v", one)
	}
	// A limit that nothing waits for: the plans are the same.
	if trial, err = reader.TryLimit(ctx, "demo", "limits.max_tasks_per_day", 9); err != nil || trial.Same != 3 || len(trial.Tasks) != 1 || trial.Tasks[0].Differs {
		t.Errorf("%+v, %v", trial, err)
	}
	// Nothing came of it: no record, and the next cycle reserves what it would have.
	if after := w.journal.Seq(); after != before {
		t.Errorf("it wrote %d records", after-before)
	}
	if result := w.cycle(); len(result.Reserved) != 1 || result.Reserved[0].TaskID != "guide" {
		t.Errorf("the cycle reserved %+v", result.Reserved)
	}
	// Lower than what there is stops nothing and leaves no room; denied as a whole, both are.
	if err := w.client(operator).Halt(ctx, gateway.ReasonRequest{Reason: "a drill"}); err != nil {
		t.Fatal(err)
	}
	if trial, err = reader.TryLimit(ctx, "demo", "max_running_attempts", 1); err != nil || trial.PlanNow.Decision || trial.PlanThen.Decision || trial.PlanNow.Reserved != 0 ||
		len(trial.PlanThen.Reasons) == 0 || trial.PlanThen.Reasons[0].Code != "guard.halted_all" {
		t.Errorf("halted: %+v, %v", trial, err)
	}
}

func TestWhatCannotBeTriedSaysWhy(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, baseBacklog, baseConfig)
	for path, field := range map[string]string{
		"?key=max_open_prs": "value", "?key=max_open_prs&value=x": "value", "?key=max_open_prs&value=1.5": "value", "?key=max_open_prs&value=0": "value",
		"?key=max_attempts_per_task&value=101": "value", "?value=2": "key", "?key=autonomy_enabled&value=1": "key", "?key=agents&value=1": "key",
	} {
		if p := w.refused(w.ask("GET", "/v1/targets/demo/plan"+path, operator, ""), 422, ""); p.Field != field {
			t.Errorf("%s: field %q, want %q: %s", path, p.Field, field, p.Detail)
		}
	}
	w.refused(w.ask("GET", "/v1/targets/other/plan?key=max_open_prs&value=2", operator, ""), 404, "")
	w.writeConfig(strings.Replace(baseConfig, "max_open_prs: 3", "max_open_prs: none", 1))
	if _, err := w.client(operator).TryLimit(ctx, "demo", "max_open_prs", 2); !errors.Is(err, gateway.ErrConflict) {
		t.Errorf("with a config that does not load: %v", err)
	}
}
