package engine

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
)

// TestAPlanThatIsWrongOnceIsNotAskedAgain spoils the constants of a plan, as a
// defect of the machine would, and sees the interpreter take over for good.
func TestAPlanThatIsWrongOnceIsNotAskedAgain(t *testing.T) {
	var log bytes.Buffer
	policy := fstest.MapFS{"main/main.rego": {Data: []byte("# METADATA\n# title: t\n# description: d\npackage leviathan.main\n\nimport rego.v1\n\n" +
		"# METADATA\n# title: t\n# description: d\n# entrypoint: true\n" +
		`decision := {"allow": input.action == "cycle.plan", "reasons": [], "obligations": {}}` + "\n")}}
	s, err := LoadFS(t.Context(), policy, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if s.machine == nil {
		t.Fatal("the policy has no plan")
	}
	ask := func() bool {
		t.Helper()
		return s.Decide(t.Context(), "cycle.plan", nil).Allow
	}
	for range 2*doubtEvery + 1 { // the last one was looked at
		if ask() || s.Distrusted() {
			t.Fatal("an action that the question does not have is allowed, or the plan is not trusted")
		}
	}
	spoil(s.machine)
	wrong := 0
	for range doubtEvery {
		if ask() {
			wrong++
		}
	}
	if wrong == 0 || wrong >= doubtEvery || !s.Distrusted() {
		t.Errorf("%d of %d answers are wrong, distrusted: %t", wrong, doubtEvery, s.Distrusted())
	}
	if ask() || strings.Count(log.String(), "answered differently") != 1 {
		t.Errorf("the plan is asked again, or it is not said once: %s", log.String())
	}
}

// spoil makes a machine answer that everything is allowed.
func spoil(m *machine) {
	allowed := ast.MustParseTerm(`{"` + resultVar + `": {"allow": true, "reasons": [], "obligations": {}}}`)
	m.plan = []block{{{op: opResult, a: operand{term: allowed}}}}
}
