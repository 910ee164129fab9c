package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leviathan/gateway"
)

// YAML is the document. An operation that lacks what every operation has, or
// an example of nothing that it takes or answers, is an error.
func (d Document) YAML() ([]byte, error) {
	s := newSchemas(&d)
	if err := s.bodies(d.Operations); err != nil {
		return nil, err
	}
	// Answers first: they have the plain names.
	for _, op := range d.Operations {
		for _, a := range op.Answers {
			for _, c := range a.Contents {
				if c.Of != nil {
					if _, err := s.of(reflect.TypeOf(c.Of), false); err != nil {
						return nil, fmt.Errorf("%s: %w", op.ID, err)
					}
				}
			}
		}
	}
	problem, err := s.of(reflect.TypeFor[gateway.Problem](), false)
	if err != nil {
		return nil, err
	}
	paths, err := d.paths(s)
	if err != nil {
		return nil, err
	}
	var tags []any
	for _, t := range d.Tags {
		tags = append(tags, object{{"name", t.Name}, {"description", t.Description}})
	}
	slices.SortFunc(s.made, func(a, b member) int { return strings.Compare(a.key, b.key) })
	root := object{
		{"openapi", "3.1.0"},
		{"info", object{{"title", d.Title}, {"version", d.Version}, {"description", d.Description}, {"license", object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
		{"servers", []any{object{{"url", "/"}}}},
		{"security", []any{object{{"bearer", []any{}}}}},
		{"tags", tags},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{
				{"bearer", object{{"type", "http"}, {"scheme", "bearer"}}},
				{"basic", object{{"type", "http"}, {"scheme", "basic"}, {"description", "Any user name; the token is the password. It is how git sends it."}}},
			}},
			{"responses", d.problems(problem)},
			{"schemas", object(s.made)},
		}},
	}
	b := bytes.NewBufferString("# Made by `make docs` from the route table and the types that it carries. Do not edit.")
	if err := write(b, root, 0, false); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// bodies takes from the operations what bodies of each type must have.
func (s *schemas) bodies(ops []Operation) error {
	for _, op := range ops {
		if op.Body == nil {
			continue
		}
		for _, c := range op.Body.Contents {
			if c.Of == nil {
				continue
			}
			t := reflect.TypeOf(c.Of)
			if other, ok := s.needed[t]; ok && !slices.Equal(other, op.Body.Fields) {
				return fmt.Errorf("%s: a %s must have %v here and %v elsewhere", op.ID, t, op.Body.Fields, other)
			}
			s.needed[t] = op.Body.Fields
		}
	}
	return nil
}

// problems are the answers of each kind of error.
func (d Document) problems(schema object) object {
	var out object
	content := object{{gateway.ProblemMediaType, object{{"schema", schema}}}}
	for _, k := range d.Kinds {
		o := object{{"description", k.Title()}}
		if k == gateway.RateLimited || k == gateway.Unknown {
			o = append(o, member{"headers", object{{"Retry-After", object{{"description", "Seconds to wait, where they are known."}, {"schema", object{{"type", "integer"}}}}}}})
		}
		if k == gateway.Unauthenticated {
			o = append(o, member{"headers", object{{"WWW-Authenticate", object{{"description", "How to send a token."}, {"schema", object{{"type", "string"}}}}}}})
		}
		out = append(out, member{string(k), append(o, member{"content", content})})
	}
	return append(out, member{"problem", object{{"description", "Any other refusal"}, {"content", content}}})
}

func (d Document) paths(s *schemas) (object, error) {
	var paths object
	ids := map[string]bool{}
	var problems []error
	for _, op := range d.Operations {
		o, err := d.operation(s, op)
		if ids[op.ID] {
			err = errors.Join(err, errors.New("its id is another's, too"))
		}
		ids[op.ID] = true
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", op.Method, op.Path, err))
			continue
		}
		m := member{strings.ToLower(op.Method), o}
		if i := slices.IndexFunc(paths, func(p member) bool { return p.key == op.Path }); i >= 0 {
			paths[i].value = append(paths[i].value.(object), m)
		} else {
			paths = append(paths, member{op.Path, object{m}})
		}
	}
	return paths, errors.Join(problems...)
}

func (d Document) operation(s *schemas, op Operation) (object, error) {
	if op.ID == "" || op.Summary == "" || op.Tag == "" || len(op.Answers) == 0 {
		return nil, errors.New("an id, a tag, a summary or an answer is missing")
	}
	if !slices.ContainsFunc(d.Tags, func(t Tag) bool { return t.Name == op.Tag }) {
		return nil, fmt.Errorf("there is no tag %s", op.Tag)
	}
	o := object{{"operationId", op.ID}, {"tags", []any{op.Tag}}, {"summary", capital(op.Summary)}}.with("description", op.Description)
	switch {
	case op.Action == Open:
		o = append(o, member{"security", []any{}})
	case op.Basic:
		o = append(o, member{"security", []any{object{{"bearer", []any{}}}, object{{"basic", []any{}}}}})
	}
	o = append(o, member{"x-leviathan-action", op.Action}).with("x-leviathan-roles", list(op.Roles))
	parameters, err := d.parameters(s, op)
	if err != nil {
		return nil, err
	}
	o = o.with("parameters", parameters)
	if op.Body != nil {
		body, err := d.body(s, op)
		if err != nil {
			return nil, err
		}
		o = append(o, member{"requestBody", body})
	}
	answers, err := d.answers(s, op)
	return append(o, member{"responses", answers}), err
}

var inPath = regexp.MustCompile(`\{([^}]*)\}`)

func (d Document) parameters(s *schemas, op Operation) ([]any, error) {
	var out []any
	names := map[string]bool{}
	for _, m := range inPath.FindAllStringSubmatch(op.Path, -1) {
		names[m[1]] = true
	}
	for _, p := range op.Parameters {
		of := reflect.TypeFor[string]()
		if p.Of != nil {
			of = reflect.TypeOf(p.Of)
		}
		schema, err := s.of(of, true)
		if err != nil {
			return nil, err
		}
		if of == timeType {
			schema = object{{"type", "string"}, {"format", "date-time"}}
		}
		schema = schema.with("enum", list(p.OneOf))
		if p.Min != 0 || p.Max != 0 {
			schema = append(schema, member{"minimum", p.Min})
			if p.Max != 0 {
				schema = append(schema, member{"maximum", p.Max})
			}
		}
		schema = schema.with("default", p.Default)
		where := "query"
		if p.InPath {
			if where = "path"; !names[p.Name] {
				return nil, fmt.Errorf("the path has no {%s}", p.Name)
			}
			delete(names, p.Name)
		}
		o := object{{"name", p.Name}, {"in", where}}
		if p.Required || p.InPath {
			o = append(o, member{"required", true})
		}
		o = append(o, member{"description", p.Description}, member{"schema", schema})
		var examples object
		for _, e := range op.Examples {
			values := e.Query
			if p.InPath {
				values = e.Path
			}
			if text, ok := values[p.Name]; ok {
				examples = append(examples, member{e.Name, object{{"value", typed(text, of)}}})
			}
		}
		out = append(out, o.with("examples", examples))
	}
	for name := range names {
		return nil, fmt.Errorf("{%s} of the path is not described", name)
	}
	return out, nil
}

// typed is a parameter's text as a value of its type.
func typed(text string, of reflect.Type) any {
	switch of.Kind() {
	case reflect.Slice:
		return []any{text}
	case reflect.Int, reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

func (d Document) body(s *schemas, op Operation) (object, error) {
	var contents object
	for _, c := range op.Body.Contents {
		schema := object{}
		if c.Of != nil {
			var err error
			if schema, err = s.of(reflect.TypeOf(c.Of), true); err != nil {
				return nil, err
			}
		}
		var examples object
		for _, e := range op.Examples {
			if e.Media == c.Media {
				o, err := example(e.Summary, e.Body)
				if err != nil {
					return nil, fmt.Errorf("example %s: %w", e.Name, err)
				}
				examples = append(examples, member{e.Name, o})
			}
		}
		contents = append(contents, member{c.Media, object{{"schema", schema}}.with("examples", examples)})
	}
	return object{}.with("description", op.Body.Description).with("required", len(op.Body.Fields) > 0).with("content", contents), nil
}

func example(summary string, text json.RawMessage) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	return append(object{}.with("summary", summary), member{"value", value}), nil
}

func (d Document) answers(s *schemas, op Operation) (object, error) {
	var out object
	shown := map[string]bool{}
	for _, a := range op.Answers {
		var contents object
		for _, c := range a.Contents {
			schema, err := d.content(s, c)
			if err != nil {
				return nil, err
			}
			var examples object
			for _, e := range op.Examples {
				if e.Status == a.Status && media(e.Type) == c.Media {
					o, err := example(e.Summary, e.Answer)
					if err != nil {
						return nil, fmt.Errorf("example %s: %w", e.Name, err)
					}
					shown[e.Name] = true
					examples = append(examples, member{e.Name, o})
				}
			}
			contents = append(contents, member{c.Media, object{{"schema", schema}}.with("examples", examples)})
		}
		o := object{{"description", a.Description}}
		if contents != nil {
			o = append(o, member{"content", contents})
		}
		out = append(out, member{strconv.Itoa(a.Status), o})
	}
	for _, e := range op.Examples {
		if e.Status < http.StatusBadRequest && e.Type != "" && !shown[e.Name] {
			return nil, fmt.Errorf("the answer of example %s, %d %s, is not described", e.Name, e.Status, e.Type)
		}
	}
	kinds := op.Kinds
	if op.Action != Open {
		kinds = append([]gateway.Kind{gateway.Unauthenticated, gateway.Forbidden, gateway.Unknown}, kinds...)
	}
	for _, k := range d.Kinds {
		if slices.Contains(kinds, k) {
			out = append(out, member{strconv.Itoa(k.Status()), object{{"$ref", "#/components/responses/" + string(k)}}})
		}
	}
	return append(out, member{"default", object{{"$ref", "#/components/responses/problem"}}}), nil
}

// content is the schema of an answer's body: of text, or of a value.
func (d Document) content(s *schemas, c Content) (object, error) {
	switch {
	case c.Of == nil && strings.HasPrefix(c.Media, "text/"):
		return object{{"type", "string"}}, nil
	case c.Of == nil:
		return object{}, nil
	}
	schema, err := s.of(reflect.TypeOf(c.Of), false)
	if c.Lines {
		schema = object{{"description", "Lines, each a value of this form:"}}.with("x-leviathan-line", schema)
	}
	return schema, err
}

// media is a content type without its parameters.
func media(contentType string) string {
	name, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(name)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
