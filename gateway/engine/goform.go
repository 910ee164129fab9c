package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gowebpki/jcs"
	"github.com/open-policy-agent/opa/v1/ast"
)

// A Former makes the parts of one input from Go values. It builds the engine's
// form from the value itself and writes the JSON once, from that form; a
// map[string]any that occurs in several places, of several parts too, is built
// once. It takes strings, booleans, numbers, json.Number, slices, arrays, maps
// with string keys, structs by their json tags, pointers and interfaces. Unlike
// encoding/json a nil slice is [] and a nil map {}: a policy that iterates
// finds nothing instead of the wrong type. Methods such as MarshalJSON are not
// called. A Former is for one goroutine, and the values must not change while
// it is in use.
type Former struct {
	form    goForm
	scratch []byte // for the JSON of a part, until its length is known
	// texts is the JSON of what may occur again, in the parts that have it.
	texts map[ast.Object][]byte
}

// NewFormer makes a Former.
func NewFormer() *Former {
	return &Former{form: newGoForm(nil), texts: map[ast.Object][]byte{}}
}

// PartOf is the Part of a NewFormer.
func PartOf(name string, v any) (Part, error) { return NewFormer().Part(name, v) }

// Part is the part of the name; it fails as NewPart does.
func (f *Former) Part(name string, v any) (Part, error) {
	if !partName.MatchString(name) {
		return Part{}, fmt.Errorf("name input part %q: not lower_snake_case", name)
	}
	value, err := f.form.whole(reflect.ValueOf(v))
	if err != nil {
		return Part{}, fmt.Errorf("convert input part %s: %w", name, err)
	}
	spans := map[ast.Object]span{}
	if f.scratch, err = (writer{spans, f.texts}).append(f.scratch[:0], value); err != nil {
		return Part{}, fmt.Errorf("write input part %s: %w", name, err)
	}
	raw := bytes.Clone(f.scratch)
	for object, at := range spans {
		f.texts[object] = raw[at.from:at.to]
	}
	return Part{Name: name, JSON: raw, Digest: digestOf(raw), name: ast.StringTerm(name), value: ast.NewTerm(value)}, nil
}

// goForm converts Go values, by reflection where nothing is quicker.
type goForm struct {
	converter
	formed map[uintptr]formed // by the address of a map
	places map[[2]int]*ast.Term
	above  map[uintptr]formed // what others have formed, which is only read
}

// formed is what a map became. It holds on to the map, whose address must not
// become another's.
type formed struct {
	from  map[string]any
	value ast.Value
}

func newGoForm(above map[uintptr]formed) goForm {
	return goForm{converter{keys: map[string]*ast.Term{}}, map[uintptr]formed{}, map[[2]int]*ast.Term{}, above}
}

// severalFrom is how many members a part has that several goroutines form.
const severalFrom = 256

// whole is the value of a whole part. Each of several goroutines forms some
// members of a large mapping; a mapping that occurs in two of them is formed
// twice, which nobody can tell.
func (g goForm) whole(v reflect.Value) (ast.Value, error) {
	workers := runtime.GOMAXPROCS(0)
	if v.Kind() != reflect.Map || v.Type().Key().Kind() != reflect.String || v.Len() < severalFrom || workers == 1 {
		return g.value(v)
	}
	keys := v.MapKeys()
	pairs, errs, forms := make([][2]*ast.Term, len(keys)), make([]error, workers), make([]goForm, workers)
	var wg sync.WaitGroup
	for w := range workers {
		forms[w] = newGoForm(g.formed)
		wg.Go(func() {
			for i := len(keys) * w / workers; i < len(keys)*(w+1)/workers; i++ {
				term, err := forms[w].term(v.MapIndex(keys[i]))
				if err != nil {
					errs[w] = err
					return
				}
				pairs[i] = [2]*ast.Term{forms[w].text(keys[i].String()), term}
			}
		})
	}
	wg.Wait()
	if err := cmp.Or(errs...); err != nil {
		return nil, err
	}
	for _, form := range forms {
		maps.Copy(g.formed, form.formed)
	}
	return ast.NewObject(pairs...), nil
}

func (g goForm) value(v reflect.Value) (ast.Value, error) {
	switch v.Kind() {
	case reflect.Invalid:
		return ast.NullValue, nil
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return ast.NullValue, nil
		}
		return g.value(v.Elem())
	case reflect.String:
		if v.Type() == reflect.TypeFor[json.Number]() {
			s, err := canonicalNumber(v.String())
			return ast.Number(s), err
		}
		return ast.String(strings.ToValidUTF8(v.String(), "\uFFFD")), nil
	case reflect.Bool:
		return ast.Boolean(v.Bool()), nil
	case reflect.Int, reflect.Int64, reflect.Int32:
		s, err := canonicalNumber(strconv.FormatInt(v.Int(), 10))
		return ast.Number(s), err
	case reflect.Float64:
		s, err := jcs.NumberToJSON(v.Float())
		return ast.Number(s), err
	case reflect.Slice, reflect.Array:
		return g.list(v)
	case reflect.Map:
		return g.mapping(v)
	case reflect.Struct:
		return g.object(v)
	default:
		return nil, fmt.Errorf("%s is not a JSON value", v.Type())
	}
}

// shortText is how long a text may be that is looked for among those before it.
const shortText = 64

// text is the term of a text that may occur again.
func (g goForm) text(s string) *ast.Term {
	term, ok := g.keys[s]
	if !ok {
		term = ast.NewTerm(ast.String(strings.ToValidUTF8(s, "\uFFFD")))
		g.keys[s] = term
	}
	return term
}

// term is value as a term; small numbers, short texts and places share theirs.
func (g goForm) term(v reflect.Value) (*ast.Term, error) {
	switch v.Kind() {
	case reflect.Interface:
		return g.dynamic(v.Interface())
	case reflect.Int:
		return ast.InternedTerm(int(v.Int())), nil
	case reflect.String:
		if v.Len() <= shortText && v.Type() != reflect.TypeFor[json.Number]() {
			return g.text(v.String()), nil
		}
	case reflect.Array:
		if v.Type() == reflect.TypeFor[[2]int]() {
			return g.place([2]int{int(v.Index(0).Int()), int(v.Index(1).Int())}), nil
		}
	}
	value, err := g.value(v)
	return ast.NewTerm(value), err
}

// dynamic is term for what documents are made of.
func (g goForm) dynamic(x any) (*ast.Term, error) {
	switch x := x.(type) {
	case string:
		if len(x) <= shortText {
			return g.text(x), nil
		}
		return ast.NewTerm(ast.String(strings.ToValidUTF8(x, "\uFFFD"))), nil
	case map[string]any:
		value, err := g.members(x)
		return ast.NewTerm(value), err
	case []any:
		terms := make([]*ast.Term, len(x))
		for i := range x {
			var err error
			if terms[i], err = g.dynamic(x[i]); err != nil {
				return nil, err
			}
		}
		return ast.ArrayTerm(terms...), nil
	}
	v := reflect.ValueOf(x)
	if v.Kind() == reflect.Int {
		return ast.InternedTerm(int(v.Int())), nil
	}
	value, err := g.value(v)
	return ast.NewTerm(value), err
}

func (g goForm) place(at [2]int) *ast.Term {
	known, ok := g.places[at]
	if !ok {
		known = ast.ArrayTerm(ast.InternedTerm(at[0]), ast.InternedTerm(at[1]))
		g.places[at] = known
	}
	return known
}

func (g goForm) list(v reflect.Value) (ast.Value, error) {
	terms := make([]*ast.Term, v.Len())
	for i := range terms {
		var err error
		if terms[i], err = g.term(v.Index(i)); err != nil {
			return nil, err
		}
	}
	return ast.NewArray(terms...), nil
}

// mapping forms a map of any type; those that repositories have most of
// without reflection.
func (g goForm) mapping(v reflect.Value) (ast.Value, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("%s has keys that are not strings", v.Type())
	}
	switch from := v.Interface().(type) {
	case map[string]any:
		return g.members(from)
	case map[string][2]int:
		pairs := make([][2]*ast.Term, 0, len(from))
		for key, at := range from {
			pairs = append(pairs, [2]*ast.Term{g.text(key), g.place(at)})
		}
		return ast.NewObject(pairs...), nil
	}
	pairs := make([][2]*ast.Term, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		term, err := g.term(it.Value())
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{g.text(it.Key().String()), term})
	}
	return ast.NewObject(pairs...), nil
}

// members forms a mapping of a document, once wherever it occurs.
func (g goForm) members(from map[string]any) (ast.Value, error) {
	address := reflect.ValueOf(from).Pointer()
	if len(from) > 0 {
		if known, ok := g.formed[address]; ok {
			return known.value, nil
		}
		if known, ok := g.above[address]; ok {
			return known.value, nil
		}
	}
	pairs := make([][2]*ast.Term, 0, len(from))
	for key, member := range from {
		term, err := g.dynamic(member)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{g.text(key), term})
	}
	object := ast.NewObject(pairs...)
	if len(from) > 0 {
		g.formed[address] = formed{from, object}
	}
	return object, nil
}

func (g goForm) object(v reflect.Value) (ast.Value, error) {
	fields := fieldsOf(v.Type())
	pairs := make([][2]*ast.Term, 0, len(fields))
	for _, f := range fields {
		member := v.FieldByIndex(f.index)
		if f.omitEmpty && empty(member) {
			continue
		}
		term, err := g.term(member)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		pairs = append(pairs, [2]*ast.Term{g.text(f.name), term})
	}
	return ast.NewObject(pairs...), nil
}

// empty is what omitempty leaves out, as encoding/json has it.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

type goField struct {
	name      string
	index     []int
	omitEmpty bool
}

// goFields remembers the fields of each type; it only ever grows by types of
// this program.
var goFields sync.Map

func fieldsOf(t reflect.Type) []goField {
	if known, ok := goFields.Load(t); ok {
		return known.([]goField)
	}
	byName := map[string]goField{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous {
			continue // what an embedded struct has is visible by itself
		}
		if name == "" {
			name = f.Name
		}
		byName[name] = goField{name, f.Index, strings.Contains(options, "omitempty")}
	}
	fields := make([]goField, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		fields = append(fields, byName[name])
	}
	goFields.Store(t, fields)
	return fields
}
