package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

func TestSuitePasses(t *testing.T) {
	report, err := load(t, smallBundle(t)).Test(t.Context(), engine.TestOptions{MinCoverage: 100})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range report.Tests {
		if !r.Pass || r.Package == "" || r.File == "" || r.Line == 0 {
			t.Errorf("%+v", r)
		}
		names = append(names, r.Name)
	}
	want := []string{
		"test_denies_when_switched_off", "test_denies_when_full", "test_says_nothing_when_fine",
		"test_allows_what_nothing_speaks_against", "test_denies_an_unknown_action",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if report.Coverage != 100 || len(report.Files) != 2 || report.Lines == 0 {
		t.Errorf("coverage %+v", report)
	}
}

func TestSuiteFails(t *testing.T) {
	extra := func(text string) map[string]string { return map[string]string{"extra/extra_test.rego": text} }
	for name, tc := range map[string]struct {
		files map[string]string
		opts  engine.TestOptions
		where string
		line  int
		says  []string
	}{
		"a test is false": {
			extra("package leviathan.extra_test\n\ntest_sums if {\n\tprint(\"seen\", 1 + 1)\n\t1 + 1 == 3\n}\n"), engine.TestOptions{},
			"extra/extra_test.rego", 3, []string{"test_sums", "it printed: seen 2"},
		},
		"a case is false": {
			extra("package leviathan.extra_test\n\ntest_cases[name] if {\n\tsome name, n in {\"one\": 1, \"two\": 2}\n\tn == 1\n}\n"), engine.TestOptions{},
			"extra/extra_test.rego", 3, []string{"test_cases", "case two"},
		},
		"a builtin fails": {
			extra("package leviathan.extra_test\n\ntest_number if to_number(\"x\") == 1\n"), engine.TestOptions{},
			"extra/extra_test.rego", 3, []string{"test_number", "to_number"},
		},
		"a test is slow": {
			extra("package leviathan.extra_test\n\ntest_slow if {\n\tn := numbers.range(1, 3000)\n\tcount([1 | some a in n; some b in n; some c in n; a + b == c]) == 1\n}\n"),
			engine.TestOptions{Timeout: 50 * time.Millisecond}, "extra/extra_test.rego", 3, []string{"test_slow", "did not end within its time"},
		},
		"a forbidden builtin": {
			extra("package leviathan.extra_test\n\ntest_now if time.now_ns() > 0\n"), engine.TestOptions{},
			"extra/extra_test.rego", 3, []string{"time.now_ns is forbidden"},
		},
		"too little coverage": {
			map[string]string{"extra/extra.rego": "package leviathan.extra\n\nx if input.y\n\nz := 1\n"}, engine.TestOptions{MinCoverage: 100},
			"extra/extra.rego", 3, []string{"no test evaluates this line"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := load(t, with(t, tc.files)).Test(t.Context(), tc.opts)
			e := loadError(t, err)
			want := engine.StepTest
			if tc.opts.MinCoverage > 0 {
				want = engine.StepCoverage
			}
			if e.Step != want {
				t.Errorf("refused at %s", e.Step)
			}
			i := slices.IndexFunc(e.Problems, func(p gateway.Diagnostic) bool { return p.File == tc.where && p.Line == tc.line })
			if i < 0 {
				t.Fatalf("no problem at %s:%d: %v", tc.where, tc.line, err)
			}
			for _, text := range tc.says {
				if !strings.Contains(e.Problems[i].Message, text) {
					t.Errorf("%q does not say %q", e.Problems[i].Message, text)
				}
			}
			if name == "too little coverage" {
				last := report.Files[0]
				if last.File != "extra/extra.rego" || !slices.Equal(last.Uncovered, []int{3, 5}) || last.Coverage != 0 {
					t.Errorf("coverage of the file is %+v", last)
				}
				if !strings.Contains(err.Error(), "100.0 % are asked for") {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestNoTestsIsAFailure(t *testing.T) {
	for name, text := range map[string]string{
		"none":    "",
		"skipped": "package leviathan.main_test\n\ntodo_test_later if false\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, with(t, map[string]string{"main/main_test.rego": text, "guard/guard_test.rego": ""}))
			_, err := s.Test(t.Context(), engine.TestOptions{})
			if loadError(t, err); !strings.Contains(err.Error(), "no tests") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSuiteIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load(t, smallBundle(t)).Test(ctx, engine.TestOptions{}); err == nil {
		t.Error("a cancelled run passed")
	}
}

// What only tests define is not there when a question is decided.
func TestTestsDoNotDecide(t *testing.T) {
	s := load(t, with(t, map[string]string{
		"main/main.rego":      "package leviathan.main\n\ndecision := {\"allow\": allow, \"reasons\": [], \"obligations\": {}}\n\ndefault allow := false\n",
		"main/main_test.rego": "package leviathan.main\n\nallow := true\n\ntest_allow if decision.allow\n",
	}))
	if s.Decide(t.Context(), "x", nil).Allow {
		t.Error("a rule of a test file decided")
	}
	if _, err := s.Test(t.Context(), engine.TestOptions{}); err != nil {
		t.Error(err)
	}
}
