package facts

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// jsonValue draws values as documents have them.
func jsonValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 3
		if depth > 0 {
			kinds = 5
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return json.Number(rapid.StringMatching(`[1-9]`).Draw(t, "number"))
		case 3:
			return rapid.StringMatching(`[ab]?`).Draw(t, "text")
		case 4:
			return rapid.SliceOfN(jsonValue(depth-1), 0, 3).Draw(t, "list")
		default:
			return rapid.MapOfN(rapid.StringMatching(`[abc]`), jsonValue(depth-1), 0, 3).Draw(t, "mapping")
		}
	})
}

// What is shared is what it was, and it is the other's memory exactly where both
// are equal.
func TestSharingChangesNoValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value, like := jsonValue(3).Draw(t, "value"), jsonValue(3).Draw(t, "like")
		if rapid.Bool().Draw(t, "equal") {
			like = copied(t, value)
		}
		before, likeBefore := copied(t, value), copied(t, like)
		got, equal := shared(value, like)
		if !reflect.DeepEqual(copied(t, got), before) || !reflect.DeepEqual(copied(t, like), likeBefore) {
			t.Fatalf("%v became %v, the other %v", before, got, like)
		}
		if equal != reflect.DeepEqual(before, likeBefore) {
			t.Fatalf("%v and %v: equal is %v", before, likeBefore, equal)
		}
		if m, ok := got.(map[string]any); ok && equal && reflect.ValueOf(m).Pointer() != reflect.ValueOf(like).Pointer() {
			t.Fatalf("%v has memory of its own", got)
		}
	})
}

func copied(t *rapid.T, v any) any {
	text, err := json.Marshal(map[string]any{"v": v})
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out["v"]
}
