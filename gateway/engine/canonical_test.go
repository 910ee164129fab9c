package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

func TestPart(t *testing.T) {
	for name, tc := range map[string]struct {
		value any
		want  string
	}{
		"keys":     {map[string]any{"b": 1, "a": []any{true, nil}, "": "x"}, `{"":"x","a":[true,null],"b":1}`},
		"numbers":  {json.RawMessage(`[1.0, 1e2, -0, 0.1, 1e21, 9007199254740993, 1763999999123456]`), `[1,100,0,0.1,1e+21,9007199254740992,1763999999123456]`},
		"strings":  {"<&>\u2028\"\\\n\x01é", `"<&>` + "\u2028" + `\"\\\n\u0001é"`},
		"utf-16":   {map[string]int{"\ue000": 1, "\U0001F600": 2, "a": 3}, "{\"a\":3,\"\U0001F600\":2,\"\ue000\":1}"},
		"a struct": {gateway.Entity{Type: "task", ID: "t"}, `{"id":"t","type":"task"}`},
		"null":     {nil, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := engine.NewPart("part", tc.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(p.JSON) != tc.want {
				t.Errorf("got %s, want %s", p.JSON, tc.want)
			}
			if !strings.HasPrefix(p.Digest, "sha256:") || len(p.Digest) != len("sha256:")+64 {
				t.Errorf("digest is %s", p.Digest)
			}
		})
	}
}

func TestPartRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		part  string
		value any
	}{
		"name":     {"Not OK", 1},
		"no name":  {"", 1},
		"channel":  {"a", make(chan int)},
		"number":   {"a", json.RawMessage(`1e400`)},
		"syntax":   {"a", json.RawMessage(`{`)},
		"trailing": {"a", json.RawMessage(`1 2`)},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := engine.NewPart(tc.part, tc.value); err == nil {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// anyJSON draws any JSON value.
func anyJSON() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.Float64().AsAny(), rapid.Int64().AsAny())
	return rapid.Deferred(func() *rapid.Generator[any] {
		return rapid.OneOf(scalar, scalar,
			rapid.SliceOfN(anyJSON(), 0, 4).AsAny(), rapid.MapOfN(rapid.String(), anyJSON(), 0, 4).AsAny())
	})
}

// The canonical form is RFC 8785's, as another implementation has it, and a
// part made of it is the same part.
func TestPartIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw, err := json.Marshal(anyJSON().Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := engine.NewPart("part", json.RawMessage(raw))
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Transform(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.JSON, want) {
			t.Fatalf("got %s, want %s", p.JSON, want)
		}
		again, err := engine.NewPart("part", json.RawMessage(p.JSON))
		if err != nil || again.Digest != p.Digest {
			t.Fatalf("again %s (%v), want %s", again.Digest, err, p.Digest)
		}
	})
}

func TestInput(t *testing.T) {
	in := question(t, map[string]any{"a": 1, "b": 2})
	backwards := engine.Input{in[1], in[0]}
	if in.Digest() != backwards.Digest() {
		t.Error("the digest depends on the order")
	}
	if got, err := in.JSON(); err != nil || string(got) != `{"a":1,"b":2}` {
		t.Errorf("got %s, %v", got, err)
	}
	if in.Digest() == question(t, map[string]any{"a": 2, "b": 1}).Digest() {
		t.Error("other values have the same digest")
	}
	if (engine.Input{}).Digest() == in.Digest() {
		t.Error("no parts have the same digest")
	}
	if _, err := (engine.Input{in[0], in[0]}).JSON(); err == nil {
		t.Error("a part may occur twice")
	}
}

// backlogOf is a backlog of n tasks, as the gateway asks about it.
func backlogOf(n int) map[string]any {
	tasks, order := map[string]any{}, map[string]any{}
	for i := range n {
		id := fmt.Sprintf("task-%05d", i)
		order[id] = i
		tasks[id] = map[string]any{
			"id": id, "title": "Make the thing number " + id + " better", "description": strings.Repeat("It should be better. ", 10),
			"ready": true, "priority": "high", "scope": "backend", "allowed_paths": []string{"src/**", "docs/*.md"},
			"acceptance_criteria": []string{"tests pass", "no new dependency"}, "dependencies": []string{}, "agent": "default",
			"verify": []string{"test"}, "digest": "sha256:" + strings.Repeat("ab", 32),
		}
	}
	return map[string]any{"known": true, "tasks": tasks, "order": order, "invalid": map[string]any{}}
}

func BenchmarkDecideSmall(b *testing.B) {
	s, in := load(b, smallBundle(b)), fine(b)
	if r := s.Decide(b.Context(), "cycle.plan", in); !r.Allow {
		b.Fatalf("got %s", r.JSON)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(b.Context(), "cycle.plan", in)
	}
}

func BenchmarkDecideSmallWithParts(b *testing.B) {
	s := load(b, smallBundle(b))
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(b.Context(), "cycle.plan", fine(b))
	}
}

func BenchmarkDecideDeny(b *testing.B) {
	s, in := load(b, smallBundle(b)), full(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(b.Context(), "cycle.plan", in)
	}
}

func BenchmarkDecideParallel(b *testing.B) {
	s, in := load(b, smallBundle(b)), fine(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Decide(b.Context(), "cycle.plan", in)
		}
	})
}

func BenchmarkDecidePlan(b *testing.B) {
	s := load(b, deciding(
		`decision := {"allow": true, "reasons": [], "obligations": {"reserve": [id | some id, task in input.backlog.tasks; task.ready]}}`))
	in := question(b, map[string]any{"backlog": backlogOf(10_000)})
	if r := s.Decide(b.Context(), "cycle.plan", in); !r.Allow {
		b.Fatalf("got %s", r.JSON)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(b.Context(), "cycle.plan", in)
	}
}

func BenchmarkNewPartBacklog(b *testing.B) {
	backlog := backlogOf(10_000)
	b.ReportAllocs()
	for b.Loop() {
		p, err := engine.NewPart("backlog", backlog)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(p.JSON)))
	}
}
