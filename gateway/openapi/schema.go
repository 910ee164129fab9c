package openapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"leviathan/gateway"
)

// A schemas makes schemas of types, each struct once, as a component. A type
// that requests carry is strict and requires nothing by itself; one that
// answers carry is open, since fields may be added, and requires what is
// always there. A type that both carry has two components.
type schemas struct {
	doc      *Document
	enums    map[reflect.Type][]string
	answers  map[reflect.Type]string // names of components
	requests map[reflect.Type]string
	names    map[string]reflect.Type
	needed   map[reflect.Type][]string // what bodies of a type must have
	made     []member
}

func newSchemas(doc *Document) *schemas {
	s := &schemas{doc: doc, enums: map[reflect.Type][]string{}, answers: map[reflect.Type]string{}, requests: map[reflect.Type]string{}, names: map[string]reflect.Type{}, needed: map[reflect.Type][]string{}}
	for _, e := range doc.Enums {
		s.enums[reflect.TypeOf(e.Type)] = e.Values
	}
	return s
}

var (
	timeType = reflect.TypeFor[gateway.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// of is the schema of a type: a reference, for a struct.
func (s *schemas) of(t reflect.Type, request bool) (object, error) {
	switch {
	case t == timeType:
		return object{{"type", []any{"string", "null"}}, {"format", "date-time"}}, nil
	case t == rawType:
		return object{}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		o, err := s.of(t.Elem(), request)
		return nullable(o), err
	case reflect.Struct:
		return s.component(t, request)
	case reflect.Slice, reflect.Array:
		items, err := s.of(t.Elem(), request)
		return object{{"type", "array"}, {"items", items}}, err
	case reflect.Map:
		values, err := s.of(t.Elem(), request)
		o := object{{"type", "object"}, {"additionalProperties", values}}
		if len(values) == 0 {
			o[1].value = true // anything
		}
		return o, err
	case reflect.String:
		o := object{{"type", "string"}}
		if values := s.enums[t]; values != nil {
			o = append(o, member{"enum", list(values)})
		}
		return o, nil
	case reflect.Bool:
		return object{{"type", "boolean"}}, nil
	case reflect.Int, reflect.Int64, reflect.Int32:
		return object{{"type", "integer"}}, nil
	case reflect.Float64:
		return object{{"type", "number"}}, nil
	case reflect.Interface:
		return object{}, nil
	}
	return nil, fmt.Errorf("the type %s has no schema", t)
}

// nullable is a schema that takes null as well.
func nullable(o object) object {
	for i, m := range o {
		if text, ok := m.value.(string); ok && m.key == "type" {
			out := append(object{}, o...)
			out[i].value = []any{text, "null"}
			return out
		}
	}
	if len(o) == 0 {
		return o
	}
	return object{{"oneOf", []any{o, object{{"type", "null"}}}}}
}

func (s *schemas) component(t reflect.Type, request bool) (object, error) {
	made := s.answers
	if request {
		made = s.requests
	}
	name, ok := made[t]
	if !ok {
		if t.Name() == "" {
			return nil, fmt.Errorf("the type %s has no name", t)
		}
		name = capital(t.Name())
		if _, both := s.answers[t]; both {
			name += "Input"
		}
		if other, taken := s.names[name]; taken {
			return nil, fmt.Errorf("%s and %s have one name", t, other)
		}
		made[t], s.names[name] = name, t
		place := len(s.made)
		s.made = append(s.made, member{name, nil})
		o, err := s.structure(t, request)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		s.made[place].value = o
	}
	return object{{"$ref", "#/components/schemas/" + name}}, nil
}

func (s *schemas) structure(t reflect.Type, request bool) (object, error) {
	var properties object
	var required []any
	if request {
		required = list(s.needed[t])
	}
	err := s.fields(t, request, func(f reflect.StructField, owner reflect.Type, name string, optional bool) error {
		for i, p := range properties {
			if p.key == name { // an outer field hides an inner one
				properties = slices.Delete(properties, i, i+1)
				required = slices.DeleteFunc(required, func(r any) bool { return !request && r == name })
				break
			}
		}
		o, err := s.of(f.Type, request)
		if err != nil {
			return err
		}
		// The words of a closed set of another type are its own.
		if text := s.doc.Comments.field(owner, f.Name); text != "" {
			if len(o) == 1 && o[0].key == "$ref" {
				o = append(object{}, o[0], member{"description", text})
			} else {
				o = append(append(object{}, o...), member{"description", text})
			}
		}
		properties = append(properties, member{name, o})
		if !optional && !request {
			required = append(required, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	o := object{{"type", "object"}}.with("description", s.doc.Comments.typ(t)).with("required", required)
	if len(properties) > 0 {
		o = append(o, member{"properties", properties})
	}
	if request {
		o = append(o, member{"additionalProperties", false})
	}
	return o, nil
}

// fields calls each for every member of a struct on the wire, embedded ones
// first: those that follow hide them.
func (s *schemas) fields(t reflect.Type, request bool, each func(f reflect.StructField, owner reflect.Type, name string, optional bool) error) error {
	for _, embedded := range []bool{true, false} {
		for i := range t.NumField() {
			f := t.Field(i)
			tag, tagged := f.Tag.Lookup("json")
			name, options, _ := strings.Cut(tag, ",")
			switch {
			case f.Anonymous && !tagged:
				if embedded {
					if err := s.fields(f.Type, request, each); err != nil {
						return err
					}
				}
				continue
			case embedded, !f.IsExported(), tag == "-":
				continue
			case name == "":
				return fmt.Errorf("the field %s has no name on the wire", f.Name)
			}
			if err := each(f, t, name, strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")); err != nil {
				return err
			}
		}
	}
	return nil
}

// list is texts as values.
func list[T ~string](texts []T) []any {
	out := make([]any, 0, len(texts))
	for _, t := range texts {
		out = append(out, string(t))
	}
	return out
}
