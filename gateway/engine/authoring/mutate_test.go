package authoring_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"leviathan/gateway/engine"
	"leviathan/gateway/engine/authoring"
)

const policy = `package leviathan.main

import rego.v1

default _open := false

_open if {
	input.n < 3
	input.kind in {"a", "b"}
}

_named if input.name == "x"

_named if input.alias == "x"

decision := {"allow": _open, "reasons": _why, "obligations": {}}

_why := {{"code": "main.named", "message": "named"} | _named}
`

const tests = `package leviathan.main_test

import rego.v1

import data.leviathan.main

test_small_is_open if {
	main.decision.allow with input as {"n": 2, "kind": "a"}
	not main.decision.allow with input as {"n": 4, "kind": "a"}
	not main.decision.allow with input as {"n": 2, "kind": "c"}
}

test_a_name_is_told if count(main.decision.reasons) == 1 with input as {"name": "x"}

test_no_name_is_not if count(main.decision.reasons) == 0 with input as {}
`

func load(t *testing.T, policy, tests string) *engine.Snapshot {
	t.Helper()
	s, err := engine.LoadFS(t.Context(), fstest.MapFS{
		"main/main.rego":      {Data: []byte(policy)},
		"main/main_test.rego": {Data: []byte(tests)},
	}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mutate(t *testing.T, s *engine.Snapshot, opts authoring.MutateOptions) authoring.MutationReport {
	t.Helper()
	report, err := authoring.Mutate(t.Context(), s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// fateOf is the fate of the one mutant of a line with this change.
func fateOf(t *testing.T, r authoring.MutationReport, line int, kind authoring.Mutation, to string) authoring.Outcome {
	t.Helper()
	var found []authoring.Outcome
	for _, o := range r.Mutants {
		if o.Line == line && o.Mutation == kind && (to == "*" || o.To == to) {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("line %d, %s to %q: %d mutants, want 1; all: %+v", line, kind, to, len(found), r.Mutants)
	}
	return found[0]
}

func TestKnownMutantsHaveTheirKnownFate(t *testing.T) {
	report := mutate(t, load(t, policy, tests), authoring.MutateOptions{})
	for _, want := range []struct {
		line int
		kind authoring.Mutation
		to   string
		fate authoring.Fate
	}{
		{5, authoring.RemoveDefault, "", authoring.Killed},
		{5, authoring.ChangeConstant, "true", authoring.Killed},
		{7, authoring.RemoveRule, "", authoring.Killed},
		{8, authoring.DropCondition, "", authoring.Killed},
		{8, authoring.FlipComparison, "gte(input.n, 3)", authoring.Killed},
		{8, authoring.FlipComparison, "lte(input.n, 3)", authoring.Survived}, // no test asks with 3
		{8, authoring.ChangeConstant, "2", authoring.Killed},
		{8, authoring.ChangeConstant, "4", authoring.Survived},
		{9, authoring.SwapLogic, "or", authoring.Killed},
		{9, authoring.Negate, "*", authoring.Killed},
		{9, authoring.DropMember, `{"a"}`, authoring.Survived}, // no test has kind b
		{9, authoring.DropMember, `{"b"}`, authoring.Killed},
		{12, authoring.RemoveRule, "", authoring.Killed},
		{14, authoring.RemoveRule, "", authoring.Survived}, // no test has an alias
		{14, authoring.SwapLogic, "and", authoring.Killed},
		{18, authoring.DropCondition, "", authoring.Killed},
	} {
		if got := fateOf(t, report, want.line, want.kind, want.to); got.Fate != want.fate {
			t.Errorf("line %d, %s to %q: %s by %q, want %s", want.line, want.kind, want.to, got.Fate, got.Test, want.fate)
		}
	}
	if report.Killed+report.Survived+report.Invalid != len(report.Mutants) || report.Survived == 0 || report.Score <= 0 || report.Score >= 100 {
		t.Errorf("the counts are wrong: %d killed, %d survived, %d invalid of %d; score %v",
			report.Killed, report.Survived, report.Invalid, len(report.Mutants), report.Score)
	}
}

func TestTheReportDoesNotDependOnTheWorkers(t *testing.T) {
	s := load(t, policy, tests)
	one, many := mutate(t, s, authoring.MutateOptions{Workers: 1}), mutate(t, s, authoring.MutateOptions{Workers: 5})
	same := slices.EqualFunc(one.Mutants, many.Mutants, func(a, b authoring.Outcome) bool {
		return a.Line == b.Line && a.Mutation == b.Mutation && a.To == b.To && a.Fate == b.Fate
	})
	if !same || one.Score != many.Score {
		t.Errorf("one worker: %+v\nfive: %+v", one, many)
	}
}

func TestEveryBecomesSomeAndAMutantThatDoesNotCompileIsCountedApart(t *testing.T) {
	lists := strings.Replace(policy, `input.kind in {"a", "b"}`, `xs := input.kinds
	every k in xs { k == "a" }`, 1)
	asks := strings.NewReplacer(`"kind": "a"`, `"kinds": ["a"]`, `"kind": "c"`, `"kinds": ["a", "c"]`).Replace(tests)
	report := mutate(t, load(t, lists, asks), authoring.MutateOptions{})
	if got := fateOf(t, report, 10, authoring.SwapLogic, "some"); got.Fate != authoring.Killed {
		t.Errorf("some for every: %s", got.Fate)
	}

	unsafe := strings.Replace(policy, "input.n < 3", "f(input.n)", 1) + "\nf(x) if x < 3\n"
	report = mutate(t, load(t, unsafe, tests), authoring.MutateOptions{})
	if got := fateOf(t, report, 20, authoring.RemoveRule, ""); got.Fate != authoring.Invalid || report.Invalid == 0 {
		t.Errorf("without the function: %s, %d invalid", got.Fate, report.Invalid)
	}
}

func TestMutateRefuses(t *testing.T) {
	failing := strings.Replace(tests, "count(main.decision.reasons) == 0", "count(main.decision.reasons) == 9", 1)
	if _, err := authoring.Mutate(t.Context(), load(t, policy, failing), authoring.MutateOptions{}); err == nil || !strings.Contains(err.Error(), "test_no_name_is_not") {
		t.Errorf("a failing test: %v", err)
	}
	if _, err := authoring.Mutate(t.Context(), load(t, policy, "package leviathan.main_test\n"), authoring.MutateOptions{}); err == nil {
		t.Error("a bundle without tests has a score")
	}
	if _, err := authoring.Mutate(t.Context(), load(t, policy, tests), authoring.MutateOptions{Package: "leviathan.nothing"}); err == nil {
		t.Error("a package that is not there has a score")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := authoring.Mutate(ended, load(t, policy, tests), authoring.MutateOptions{}); !errors.Is(err, context.Canceled) && err == nil {
		t.Errorf("a cancelled run: %v", err)
	}
}

func TestSurvivorsHaveReasonsAndStaleReasonsAreProblems(t *testing.T) {
	report := mutate(t, load(t, policy, tests), authoring.MutateOptions{})
	list, diags := authoring.ParseSurvivors("mutation.yaml", []byte(`- file: main/main.rego
  from: input.n < 3
  rule: _open
  mutation: flip-comparison
  reason: never so
- file: main/main.rego
  rule: _named
  mutation: remove-rule
  reason: an alias is a name
`))
	if len(diags) > 0 || len(list) != 2 {
		t.Fatalf("%v, %v", list, diags)
	}
	stale := report.Explain("mutation.yaml", list)
	if len(stale) != 1 || stale[0].Line != 1 || stale[0].File != "mutation.yaml" {
		t.Errorf("stale: %v", stale)
	}
	if got := fateOf(t, report, 14, authoring.RemoveRule, ""); got.Reason != "an alias is a name" {
		t.Errorf("reason %q", got.Reason)
	}
	for _, bad := range []string{"a: b\n", "- file: x\n", "- {file: x, mutation: negate, reason: y}\n", "- {file: x, rule: r, mutation: negate, reason: y, more: 1}\n"} {
		if _, diags := authoring.ParseSurvivors("m.yaml", []byte(bad)); len(diags) == 0 {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestARuleThatNoAnswerDependsOnIsNotTried(t *testing.T) {
	r := mutate(t, load(t, policy+"\n_notes := {\"a\": 1}\n", tests), authoring.MutateOptions{})
	if r.Unasked == 0 {
		t.Error("the rule that nothing reads counts")
	}
	for _, o := range r.Mutants {
		if o.Rule == "_notes" {
			t.Errorf("%s of %s was tried", o.Mutation, o.Rule)
		}
	}
	if all := mutate(t, load(t, policy, tests), authoring.MutateOptions{}); len(r.Mutants) != len(all.Mutants) || all.Unasked != 0 {
		t.Errorf("%d mutants with the rule, %d and %d unasked without it", len(r.Mutants), len(all.Mutants), all.Unasked)
	}
}
