package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

func tested(t testing.TB, bundle fstest.MapFS) *engine.Snapshot {
	t.Helper()
	s, err := engine.LoadFS(t.Context(), bundle, engine.Options{Tested: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATestedBundleIsTheWholeOne(t *testing.T) {
	whole := load(t, policies.FS)
	s, err := engine.LoadFS(t.Context(), policies.FS, engine.Options{Tested: true})
	if err != nil {
		t.Fatal(err)
	}
	if s.Digest() != whole.Digest() || s.Revision() != whole.Revision() {
		t.Errorf("%s %s, and whole %s %s", s.Revision(), s.Digest(), whole.Revision(), whole.Digest())
	}
	for _, action := range gateway.Actions() {
		if s.Deadline(action) != whole.Deadline(action) {
			t.Errorf("%s has the deadline %s, and whole %s", action, s.Deadline(action), whole.Deadline(action))
		}
	}
	// Many at once, the first of which reads what was left alone.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if diff := cmp.Diff(whole.Codes(), s.Codes()); diff != "" {
				t.Error(diff)
			}
		})
	}
	all.Wait()
	for _, c := range append(whole.Codes(), engine.Failures()...) {
		if !s.Documents(c.Code) || !whole.Documents(c.Code) {
			t.Errorf("%s is not documented", c.Code)
		}
	}
	if s.Documents("no.such_code") || whole.Documents("no.such_code") {
		t.Error("a code that no rule has is documented")
	}
	in := question(t, map[string]any{"action": gateway.ActionCyclePlan})
	got, err := s.Explain(t.Context(), gateway.ActionCyclePlan, in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole.Explain(t.Context(), gateway.ActionCyclePlan, in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Rules) < 100 {
		t.Error(len(got.Rules), diff)
	}
	checks, err := s.Checks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known, err := whole.Checks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(known.List(), checks.List()); diff != "" || len(checks.List()) < 10 {
		t.Error(len(checks.List()), diff)
	}
	if diff := cmp.Diff(known.Codes(), checks.Codes()); diff != "" {
		t.Error(diff)
	}
}

// TestATestedBundleReachesWhatItReads is of every way by which one module has a
// part in the answer of another.
func TestATestedBundleReachesWhatItReads(t *testing.T) {
	const answer = "\n\ndecision := {\"allow\": true, \"reasons\": [], \"obligations\": {\"v\": v}}\n\n"
	for name, files := range map[string]struct{ imports, body, other string }{
		"by import":               {"import data.leviathan.other", "v := other.x", "package leviathan.other\n\nx := 1"},
		"by import of a rule":     {"import data.leviathan.other.x as y", "v := y", "package leviathan.other\n\nx := 1"},
		"written out":             {"", "v := data.leviathan.other.x", "package leviathan.other\n\nx := 1"},
		"by a name that is found": {"", "v := [x | some name; x := data.leviathan[name].x]", "package leviathan.other\n\nx := 1"},
		"inside of another":       {"", "m := {\"x\": 1}\n\nv := data.leviathan.main.m[data.leviathan.other.name]", "package leviathan.other\n\nname := \"x\""},
		"as a function":           {"", "v := data.leviathan.other.f(1)", "package leviathan.other\n\nf(x) := x + 1"},
		"as a mock":               {"", "one := 1\n\nm := one\n\nv := x if x := m with data.leviathan.main.one as data.leviathan.other.x", "package leviathan.other\n\nx := 2"},
		"by any root":             {"", "v := [x | some name; x := data[name].other.x]", "package leviathan.other\n\nx := 7"},
		"the same package":        {"", "v := _x", "package leviathan.main\n\n_x := 1"},
		"a package above":         {"", "v := data.leviathan.main.deep.x", "package leviathan\n\nmain.deep.x := 1"},
		"a package below":         {"", "v := object.keys(data.leviathan.main.deep)", "package leviathan.main.deep\n\nx := 1"},
		"by way of a third":       {"import data.leviathan.third", "v := third.x", "package leviathan.other\n\nx := 1"},
		"a package in brackets":   {"", "v := data.leviathan[\"other one\"].x", "package leviathan[\"other one\"]\n\nx := 1"},
		"a package after a space": {"", "v := data.leviathan.other.x", "# first\n  package   leviathan.other # this\n\nx := 1"},
		"a package after returns": {"", "v := data.leviathan.other.x", "# first\r\n\r\npackage leviathan.other\r\n\r\nx := 1\r\n"},
		"of other data":           {"", "v := data.leviathan.other.x + data.leviathan.plain", "package leviathan.other\n\nx := 1"},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := fstest.MapFS{
				"main/main.rego":   {Data: []byte(patient + "package leviathan.main\n\nimport rego.v1\n\n" + files.imports + answer + files.body + "\n")},
				"other/other.rego": {Data: []byte(files.other + "\n")},
				"third/third.rego": {Data: []byte("package leviathan.third\n\nimport data.leviathan.other\n\nx := other.x\n")},
				"data.json":        {Data: []byte(`{"leviathan": {"plain": 1}}`)},
			}
			if !strings.Contains(files.imports, "third") {
				delete(bundle, "third/third.rego")
			}
			got, want := tested(t, bundle).Decide(t.Context(), "a", nil), load(t, bundle).Decide(t.Context(), "a", nil)
			if !bytes.Equal(got.JSON, want.JSON) || !want.Allow {
				t.Errorf("answers %s, and whole %s", got.JSON, want.JSON)
			}
			var v struct{ V any }
			if err := json.Unmarshal(got.Obligations, &v); err != nil || v.V == nil {
				t.Errorf("obligations %s: %v", got.Obligations, err)
			}
		})
	}
}

func TestATestedBundleMasks(t *testing.T) {
	bundle := with(t, map[string]string{
		".manifest":            `{"revision": "masking"}`,
		"system/log/mask.rego": "package system.log\n\nmask contains path if some path in data.leviathan.masked.paths\n",
		"masked/masked.rego":   "package leviathan.masked\n\npaths := [\"/input/request\"]\n",
	})
	for _, s := range []*engine.Snapshot{load(t, bundle), tested(t, bundle)} {
		rules, err := s.Mask(t.Context(), map[string]any{"input": map[string]any{"request": 1}})
		if err != nil || len(rules) != 1 || rules[0].Pointer() != "/input/request" {
			t.Errorf("masks %v: %v", rules, err)
		}
	}
}

// TestATestedBundleLeavesTheRestAlone says what becomes of a rest that cannot be
// read any more: the decisions go on, and whoever asks for more hears of it.
func TestATestedBundleLeavesTheRestAlone(t *testing.T) {
	bundle := with(t, map[string]string{"beside/beside.rego": "package leviathan.beside\n\ndeny contains\n", "beside/beside_test.rego": "package leviathan.beside_test\n\ntest_x if\n"})
	if _, err := engine.LoadFS(t.Context(), bundle, engine.Options{}); err == nil {
		t.Fatal("the whole of it loads")
	}
	var heard strings.Builder
	s, err := engine.LoadFS(t.Context(), bundle, engine.Options{Tested: true, Logger: slog.New(slog.NewTextHandler(&heard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Decide(t.Context(), "cycle.plan", fine(t)); !r.Allow {
		t.Errorf("%s", r.JSON)
	}
	if heard.Len() > 0 {
		t.Errorf("read what nobody asked for: %s", heard.String())
	}
	codes := s.Codes()
	if len(codes) == 0 || !strings.Contains(heard.String(), "beside/beside.rego:") {
		t.Errorf("%d codes, heard %q", len(codes), heard.String())
	}
	for name, ask := range map[string]func() error{
		"checks":   func() error { _, err := s.Checks(t.Context()); return err },
		"tests":    func() error { _, err := s.Test(t.Context(), engine.TestOptions{}); return err },
		"coverage": func() error { _, err := s.Cover(t.Context(), func(func(string, engine.Input) bool) {}); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "beside/beside") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATestedBundleIsTestedAgain(t *testing.T) {
	want, err := load(t, smallBundle(t)).Test(t.Context(), engine.TestOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole, s := load(t, smallBundle(t)), tested(t, smallBundle(t))
	for range 2 { // the second time the tests are parsed anew
		for _, s := range []*engine.Snapshot{whole, s} {
			got, err := s.Test(t.Context(), engine.TestOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got.Tests) == 0 {
				t.Error(diff)
			}
		}
	}
}

func TestTheGateTakesNoTestedBundle(t *testing.T) {
	s, _, err := engine.Gate(t.Context(), engine.TestOptions{}, func(ctx context.Context) (*engine.Snapshot, error) {
		return engine.LoadFS(ctx, smallBundle(t), engine.Options{Tested: true})
	})
	if s != nil || err == nil {
		t.Errorf("%v: %v", s, err)
	}
}
