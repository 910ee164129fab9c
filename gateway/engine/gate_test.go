package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

// The policies that are shipped: they load under the engine's rules, which
// hold the codes unique and complete, all their tests pass, and the tests
// evaluate every line.
func TestShippedPoliciesPassTheGate(t *testing.T) {
	if raceEnabled {
		t.Skip("the policies' own tests run without the race detector, which has nothing to find in them")
	}
	s, steps, err := engine.Gate(t.Context(), engine.TestOptions{MinCoverage: 100, Timeout: 3 * time.Minute}, func(ctx context.Context) (*engine.Snapshot, error) {
		return engine.LoadFS(ctx, policies.FS, engine.Options{})
	})
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		t.Fatal("no bundle came out")
	}
	var names []engine.Step
	for _, step := range steps {
		if names = append(names, step.Step); !step.Held || step.Seconds < 0 || len(step.Problems) > 0 {
			t.Errorf("%+v", step)
		}
	}
	if diff := cmp.Diff(engine.Steps(), names); diff != "" {
		t.Error(diff)
	}
}

// Each step refuses, with the steps before it held and none after it.
func TestGateRefuses(t *testing.T) {
	test := string(numbered(1)["m_test.rego"].Data)
	for name, tc := range map[string]struct {
		file, text string
		opts       engine.TestOptions
		step       engine.Step
		at         string // file of the first problem
		line       int
		says       string
	}{
		"no policy's file":     {"data.json", "{", engine.TestOptions{}, engine.StepRead, "data.json", 0, "read data"},
		"a syntax error":       {"b.rego", "package leviathan.b\n\nx := {\n", engine.TestOptions{}, engine.StepParse, "b.rego", 4, "rego_parse_error"},
		"a forbidden builtin":  {"b.rego", "package leviathan.b\n\nx := http.send({})\n", engine.TestOptions{}, engine.StepCompile, "b.rego", 3, "http.send is forbidden"},
		"rules in a circle":    {"b.rego", "package leviathan.b\n\nx if y\n\ny if x\n", engine.TestOptions{}, engine.StepCompile, "b.rego", 3, "recursive"},
		"a rule without text":  {"b.rego", "package leviathan.b\n\ndeny contains 1 if input.action\n", engine.TestOptions{}, engine.StepMetadata, "b.rego", 3, "no METADATA"},
		"no entrypoint":        {"main.rego", "package leviathan.main\n\nx := 1\n", engine.TestOptions{}, engine.StepEntrypoint, "", 0, "does not define data.leviathan.main.decision"},
		"an unknown fact":      {"b.rego", "package leviathan.b\n\nx if input.weather == 1\n", engine.TestOptions{}, engine.StepSchema, "b.rego", 3, "input.weather"},
		"a test that fails":    {"m_test.rego", test + "\ntest_no if 1 == 2\n", engine.TestOptions{}, engine.StepTest, "m_test.rego", 7, "test_no"},
		"no tests":             {"m_test.rego", "package leviathan.m_test\n\nx := 1\n", engine.TestOptions{}, engine.StepTest, "", 0, "no tests"},
		"a test without end":   {"m_test.rego", test + "\ntest_endless if {\n\tn := numbers.range(1, 100000)\n\tcount([1 | some a in n; some b in n; a + b == 0]) == 1\n}\n", engine.TestOptions{Timeout: 50 * time.Millisecond}, engine.StepTest, "m_test.rego", 7, "test_endless"},
		"lines without a test": {"b.rego", "package leviathan.b\n\nx if input.action\n", engine.TestOptions{MinCoverage: 100}, engine.StepCoverage, "", 0, "100.0 % are asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := numbered(1)
			bundle[tc.file] = &fstest.MapFile{Data: []byte(tc.text)}
			s, steps, err := gate(t, bundle, tc.opts)
			e := loadError(t, err)
			if s != nil || e.Step != tc.step {
				t.Fatalf("got %v", err)
			}
			p := e.Problems[0]
			if p.File != tc.at || p.Line != tc.line || !slices.ContainsFunc(e.Problems, func(d gateway.Diagnostic) bool { return strings.Contains(d.Message, tc.says) }) {
				t.Errorf("got %v", err)
			}
			all := engine.Steps()
			until := all[:slices.Index(all, tc.step)+1]
			var names []engine.Step
			for i, step := range steps {
				if names = append(names, step.Step); step.Held != (i < len(steps)-1) {
					t.Errorf("%+v", step)
				}
			}
			if diff := cmp.Diff(until, names); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(e.Problems, steps[len(steps)-1].Problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The first test that does not end ends the run: a bundle full of them must
// not hold the gate for their number times the timeout.
func TestEndlessTestsEndTheRun(t *testing.T) {
	bundle := numbered(1)
	text := "package leviathan.m_test\n"
	for range 64 {
		text += "\ntest_endless if {\n\tn := numbers.range(1, 100000)\n\tcount([1 | some a in n; some b in n; a + b == 0]) == 1\n}\n"
	}
	bundle["m_test.rego"] = &fstest.MapFile{Data: []byte(text)}
	report, err := load(t, bundle).Test(t.Context(), engine.TestOptions{Timeout: 20 * time.Millisecond, NoCoverage: true})
	if loadError(t, err).Step != engine.StepTest {
		t.Error(err)
	}
	if len(report.Tests) == 0 || len(report.Tests) > 32 {
		t.Errorf("%d tests ran their whole time: %+v", len(report.Tests), report.Tests[len(report.Tests)-1])
	}
}

func TestGateSaysWhatWasNotAsked(t *testing.T) {
	s, steps, err := gate(t, numbered(1), engine.TestOptions{})
	if err != nil || s == nil {
		t.Fatal(err)
	}
	last := steps[len(steps)-1]
	if last.Step != engine.StepCoverage || last.Held || len(last.Problems) > 0 || last.Detail == "" {
		t.Errorf("%+v", last)
	}
	if read := steps[0]; !strings.Contains(read.Detail, "not signed") {
		t.Errorf("%+v", read)
	}
}

func TestGatePassesOnWhatIsNoRefusal(t *testing.T) {
	down := errors.New("the source is down")
	_, steps, err := engine.Gate(t.Context(), engine.TestOptions{}, func(context.Context) (*engine.Snapshot, error) { return nil, down })
	if !errors.Is(err, down) || steps != nil {
		t.Errorf("got %v, %v", steps, err)
	}
}
