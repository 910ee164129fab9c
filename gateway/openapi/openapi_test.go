package openapi_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"

	"leviathan/gateway"
	"leviathan/gateway/openapi"
)

type inner struct {
	Kind string `json:"kind"`
	Note string `json:"note"`
}

type thing struct {
	inner
	Kind  gateway.Circuit `json:"kind,omitempty"` // hides that of inner
	At    gateway.Time    `json:"at"`
	Next  *thing          `json:"next"`
	Any   json.RawMessage `json:"any"`
	Left  map[string]int  `json:"left"`
	Quiet string          `json:"-"`
}

// small is a document of one operation, changed by the caller.
func small(change func(*openapi.Operation)) openapi.Document {
	op := openapi.Operation{Method: "POST", Path: "/v1/things/{id}", ID: "makeThing", Tag: "things", Summary: "make a thing", Action: "thing.make",
		Parameters: []openapi.Parameter{{Name: "id", InPath: true, Description: "An id."}},
		Body:       &openapi.Body{Contents: []openapi.Content{{Media: "application/json", Of: thing{}}}, Fields: []string{"note"}},
		Answers:    []openapi.Answer{{Status: 200, Description: "A thing", Contents: []openapi.Content{{Media: "application/json", Of: []thing{}}}}},
		Examples: []openapi.Example{{Name: "one", Path: map[string]string{"id": "true"}, Media: "application/json", Body: json.RawMessage(`{"note":"no"}`),
			Status: 200, Type: "application/json", Answer: json.RawMessage(`[{"note":"# \"x\": y\n","n":1.50}]`)}}}
	change(&op)
	return openapi.Document{Title: "T", Version: "1", Description: "D", Tags: []openapi.Tag{{Name: "things", Description: "Things."}}, Kinds: []gateway.Kind{gateway.Unauthenticated, gateway.Forbidden, gateway.Unknown},
		Enums: []openapi.Enum{{Type: gateway.CircuitOpen, Values: []string{"open", "closed"}}}, Comments: openapi.Comments{"openapi_test.thing.At": "When."}, Operations: []openapi.Operation{op}}
}

// at walks a decoded document.
func at(t *testing.T, doc any, path ...string) any {
	t.Helper()
	for _, key := range path {
		m, ok := doc.(map[string]any)
		if !ok || m[key] == nil {
			t.Fatalf("%v: there is no %s in %v", path, key, doc)
		}
		doc = m[key]
	}
	return doc
}

func TestATypeIsItsSchema(t *testing.T) {
	text, err := small(func(*openapi.Operation) {}).YAML()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	answer := at(t, doc, "components", "schemas", "Thing").(map[string]any)
	if want := []any{"note", "at", "next", "any", "left"}; !reflect.DeepEqual(answer["required"], want) || answer["additionalProperties"] != nil {
		t.Errorf("an answer requires %v, and %v", answer["required"], answer["additionalProperties"])
	}
	for path, want := range map[string]any{
		"kind": map[string]any{"type": "string", "enum": []any{"open", "closed"}},
		"at":   map[string]any{"type": []any{"string", "null"}, "format": "date-time", "description": "When."},
		"next": map[string]any{"oneOf": []any{map[string]any{"$ref": "#/components/schemas/Thing"}, map[string]any{"type": "null"}}},
		"any":  map[string]any{}, "left": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "integer"}},
	} {
		if got := at(t, answer, "properties").(map[string]any)[path]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	request := at(t, doc, "components", "schemas", "ThingInput").(map[string]any)
	if !reflect.DeepEqual(request["required"], []any{"note"}) || request["additionalProperties"] != false {
		t.Errorf("a request requires %v, and %v", request["required"], request["additionalProperties"])
	}
	op := at(t, doc, "paths", "/v1/things/{id}", "post").(map[string]any)
	if op["summary"] != "Make a thing" || op["x-leviathan-action"] != "thing.make" || op["security"] != nil {
		t.Errorf("the operation is %v", op)
	}
	example := at(t, op, "responses", "200", "content", "application/json", "examples", "one", "value")
	if got, err := json.Marshal(example); err != nil || string(got) != `[{"n":1.5,"note":"# \"x\": y\n"}]` {
		t.Errorf("the example is %s %v", got, err)
	}
	if got := at(t, op, "requestBody", "content", "application/json", "examples", "one", "value", "note"); got != "no" {
		t.Errorf("text became %v", got)
	}
	for _, status := range []string{"401", "403", "503", "default"} {
		at(t, op, "responses", status, "$ref")
	}
}

func TestWhatIsNotWhole(t *testing.T) {
	for want, change := range map[string]func(*openapi.Operation){
		"an id, a tag":              func(o *openapi.Operation) { o.ID = "" },
		"no tag other":              func(o *openapi.Operation) { o.Tag = "other" },
		"{id} of the path":          func(o *openapi.Operation) { o.Parameters = nil },
		"the path has no {id}":      func(o *openapi.Operation) { o.Path = "/v1/things" },
		"is not described":          func(o *openapi.Operation) { o.Examples[0].Type = "text/html" },
		"example one: invalid":      func(o *openapi.Operation) { o.Examples[0].Body = json.RawMessage(`{x}`) },
		"has no schema":             func(o *openapi.Operation) { o.Answers[0].Contents[0].Of = make(chan int) },
		"has no name on the wire":   func(o *openapi.Operation) { o.Answers[0].Contents[0].Of = struct1{} },
		"must have [] here and [a]": func(o *openapi.Operation) { o.Body.Fields = nil; o.Body.Contents = nil },
	} {
		doc := small(change)
		if strings.HasPrefix(want, "must") {
			doc = small(func(o *openapi.Operation) { o.Body.Fields = []string{"a"} })
			second := small(func(o *openapi.Operation) { o.ID, o.Body.Fields = "second", []string{} })
			doc.Operations = append(doc.Operations, second.Operations...)
		}
		if _, err := doc.YAML(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	twice := small(func(*openapi.Operation) {})
	twice.Operations = append(twice.Operations, twice.Operations...)
	if _, err := twice.YAML(); err == nil || !strings.Contains(err.Error(), "another's") {
		t.Errorf("two operations of one id: %v", err)
	}
}

type struct1 struct{ Name string }

func TestCommentsAreOfTheSource(t *testing.T) {
	got, err := openapi.ReadComments(fstest.MapFS{"a.go": {Data: []byte("package a\n\n// A T is\n// one.\ntype T struct {\n\t// F is\n\t// two.\n\tF int\n\tG int // three\n\tH int\n}\n")},
		"a_test.go": {Data: []byte("package a\n// U is none.\ntype U int\n")}})
	if want := (openapi.Comments{"a.T": "A T is one.", "a.T.F": "F is two.", "a.T.G": "three"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := openapi.ReadComments(fstest.MapFS{"a.go": {Data: []byte("package")}}); err == nil {
		t.Error("a file that does not parse is passed over")
	}
}
