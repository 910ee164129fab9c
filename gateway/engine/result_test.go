package engine_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"leviathan/gateway/engine"
)

// shared is an answer in which one object stands in many places.
const shared = `decision := {"allow": true, "reasons": [], "obligations": {"skip": skip, "list": [same, same], "n": 1, "mixed": {"x": same, "y": [2, same], "z": "s"}}}
same := {"why": [{"code": "a.b", "message": "\u00e9 <&>"}], "at": null}
skip := {id: same | some id in {"t1", "t2", "t3"}}`

func TestMembersAreWhatTheObligationsSay(t *testing.T) {
	r := load(t, deciding(shared)).Decide(t.Context(), "cycle.plan", question(t, map[string]any{"action": "cycle.plan"}))
	if !r.Allow {
		t.Fatalf("got %+v", r.Reasons)
	}
	for _, path := range [][]string{nil, {"skip"}, {"mixed"}, {"skip", "t2"}} {
		var want map[string]json.RawMessage
		text := r.Obligations
		for _, name := range path {
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			text, want = want[name], nil
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		got, err := r.Members(path...)
		if err != nil || len(got) == 0 {
			t.Fatalf("%v: %v, %v", path, got, err)
		}
		if !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			t.Errorf("%v: got %s, want %s", path, got, want)
		}
	}
	const same = `{"at":null,"why":[{"code":"a.b","message":"é <&>"}]}`
	want := `{"list":[` + same + `,` + same + `],"mixed":{"x":` + same + `,"y":[2,` + same + `],"z":"s"},"n":1,"skip":{"t1":` + same + `,"t2":` + same + `,"t3":` + same + `}}`
	if string(r.Obligations) != want {
		t.Errorf("got %s, want %s", r.Obligations, want)
	}
}

func TestMembersOfWhatIsNoObject(t *testing.T) {
	r := load(t, deciding(shared)).Decide(t.Context(), "cycle.plan", question(t, map[string]any{"action": "cycle.plan"}))
	for _, path := range [][]string{{"list"}, {"n"}, {"mixed", "z"}, {"n", "deeper"}} {
		if got, err := r.Members(path...); err == nil {
			t.Errorf("%v: got %s", path, got)
		}
	}
	if got, err := r.Members("nothing", "here"); err != nil || len(got) != 0 {
		t.Errorf("got %s, %v", got, err)
	}
	for _, none := range []engine.Result{{}, engine.Refuse("unknown.x", "m", ""), (*engine.Snapshot)(nil).Decide(t.Context(), "cycle.plan", nil)} {
		if got, err := none.Members("skip"); err != nil || len(got) != 0 {
			t.Errorf("got %s, %v", slices.Collect(maps.Keys(got)), err)
		}
	}
}
