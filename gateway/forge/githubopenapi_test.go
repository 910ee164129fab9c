package forge_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// check says what of a request GitHub's description does not know.
func (d openAPI) check(method, path string, query url.Values, body []byte) string {
	for name, op := range d.Used {
		verb, template, _ := strings.Cut(name, " ")
		if verb != method || !matches(template, path) {
			continue
		}
		for q := range query {
			if _, ok := op.Query[q]; !ok {
				return fmt.Sprintf("the query parameter %q is not described", q)
			}
		}
		if len(body) == 0 {
			if op.BodyRequired {
				return "a body is required"
			}
			return ""
		}
		if op.Body == nil {
			return "a body is not described"
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			return err.Error()
		}
		return fits(op.Body, v, "body")
	}
	return "the operation is not described"
}

func matches(template, path string) bool {
	pattern := regexp.QuoteMeta(template)
	pattern = strings.ReplaceAll(pattern, `\{path\}`, `.+`)
	pattern = regexp.MustCompile(`\\\{[a-z_]+\\\}`).ReplaceAllString(pattern, `[^/]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(path)
}

// fits judges a value by a schema. A property that is not described is a
// mistake: GitHub would pass over it.
func fits(schema map[string]any, v any, at string) string {
	for _, some := range []string{"oneOf", "anyOf"} {
		choices, ok := schema[some].([]any)
		if !ok {
			continue
		}
		problems := []string{}
		for _, c := range choices {
			choice := mapOf(c)
			if choice["properties"] == nil && choice["type"] == nil { // says which are required together
				choice = map[string]any{"type": "object", "properties": schema["properties"], "required": choice["required"]}
			}
			if p := fits(choice, v, at); p == "" {
				problems = nil
				break
			} else {
				problems = append(problems, p)
			}
		}
		if len(problems) > 0 {
			return strings.Join(problems, " and ")
		}
	}
	if schema["type"] == nil || v == nil && schema["nullable"] == true {
		return ""
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.ContainsFunc(enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return fmt.Sprintf("%s is none of %v", at, enum)
	}
	switch v := v.(type) {
	case map[string]any:
		return fitsObject(schema, v, at)
	case []any:
		if schema["type"] != "array" {
			return at + " is a list"
		}
		if most, ok := schema["maxItems"].(float64); ok && len(v) > int(most) {
			return at + " has too many items"
		}
		for i, item := range v {
			if p := fits(mapOf(schema["items"]), item, fmt.Sprintf("%s[%d]", at, i)); p != "" {
				return p
			}
		}
	case string:
		if most, ok := schema["maxLength"].(float64); schema["type"] != "string" || ok && len(v) > int(most) {
			return at + " is a string, or too long a one"
		}
	case bool:
		if schema["type"] != "boolean" {
			return at + " is a boolean"
		}
	case float64:
		if schema["type"] != "integer" && schema["type"] != "number" {
			return at + " is a number"
		}
	}
	return ""
}

func fitsObject(schema, v map[string]any, at string) string {
	if schema["type"] != "object" {
		return at + " is an object"
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return fmt.Sprintf("%s lacks %s", at, name)
		}
	}
	properties := mapOf(schema["properties"])
	for name, value := range v {
		property, ok := properties[name]
		if !ok {
			if extra, ok := schema["additionalProperties"]; !ok || extra == false {
				return fmt.Sprintf("%s.%s is not described", at, name)
			}
			continue
		}
		if p := fits(mapOf(property), value, at+"."+name); p != "" {
			return p
		}
	}
	return ""
}

func mapOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// The check is one that finds.
func TestTheCheckAgainstGitHubsDescriptionFinds(t *testing.T) {
	d := readOpenAPI(t)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/repos/acme/app/pulls", `{"head":"a","base":"b","title":"t","draft":false}`, ""},
		{"POST", "/repos/acme/app/pulls", `{"head":"a","title":"t"}`, "body lacks base"},
		{"POST", "/repos/acme/app/pulls", `{"head":"a","base":"b","draft":"no"}`, "body.draft is a string, or too long a one"},
		{"POST", "/repos/acme/app/pulls", `{"head":"a","base":"b","merge":true}`, "body.merge is not described"},
		{"POST", "/repos/acme/app/pulls", ``, "a body is required"},
		{"PUT", "/repos/acme/app/pulls/1/merge", `{}`, "the operation is not described"},
		{"POST", "/app/installations/8/access_tokens", `{"permissions":{"contents":"all"}}`, "body.permissions.contents is none of [read write]"},
	} {
		if got := d.check(c.method, c.path, nil, []byte(c.body)); got != c.want {
			t.Errorf("%s %s %s: %q, want %q", c.method, c.path, c.body, got, c.want)
		}
	}
}
