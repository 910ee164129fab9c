package strictyaml

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leviathan/gateway"
)

// A Reader takes typed values from the nodes of one file and collects what is
// wrong with them. A method whose last result is false has left an error, and
// its value is of no use unless it says otherwise. The path that methods take
// names the value in messages, such as limits.max_files; the file itself has
// the empty one. A Reader is for one goroutine.
type Reader struct {
	File string // the name of the file, for diagnostics
	// Diags are the errors and warnings up to now, in the order in which they
	// were found. Callers may word one anew; they must not remove any.
	Diags []gateway.Diagnostic
}

// ErrorAt adds an error at a place of the file.
func (r *Reader) ErrorAt(line, col int, format string, args ...any) {
	r.Diags = append(r.Diags, gateway.Diagnostic{File: r.File, Line: line, Col: col, Message: fmt.Sprintf(format, args...)})
}

// Errorf adds an error at a node.
func (r *Reader) Errorf(n *Node, format string, args ...any) {
	r.ErrorAt(n.Line, n.Col, format, args...)
}

// Warnf adds a warning at a node: the file stays usable.
func (r *Reader) Warnf(n *Node, format string, args ...any) {
	r.Errorf(n, format, args...)
	r.Diags[len(r.Diags)-1].Warning = true
}

// Failed reports whether any diagnostic is an error, not a warning.
func (r *Reader) Failed() bool {
	return slices.ContainsFunc(r.Diags, func(d gateway.Diagnostic) bool { return !d.Warning })
}

// Sorted puts the diagnostics in the order of the file and returns them: the
// Reader's own list, not a copy. Those of one place stay as they were found.
func (r *Reader) Sorted() []gateway.Diagnostic {
	slices.SortStableFunc(r.Diags, func(a, b gateway.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return r.Diags
}

// An Object is a mapping whose keys have been looked at.
type Object struct {
	// Path begins the paths of the mapping's values: empty, or such as
	// "limits.".
	Path   string
	Node   *Node // the mapping, also when it is none
	values map[string]*Node
}

// Get returns the value of a key, nil if the key is absent, unknown or refused.
func (o Object) Get(key string) *Node { return o.values[key] }

// Object takes a mapping with known keys. Unknown keys are errors, or
// warnings if lenient; what is refused inside their values is an error in
// either case. It is false only if n is no mapping: a key that is refused
// leaves an error and the other keys as they are.
func (r *Reader) Object(n *Node, path string, known []string, lenient bool) (Object, bool) {
	o := Object{Node: n, values: map[string]*Node{}}
	if path != "" {
		o.Path = path + "."
	}
	if !r.IsKind(n, path, Map) {
		return o, false
	}
	for _, p := range n.Pairs {
		switch {
		case p.problem != "":
			r.ErrorAt(p.Line, p.Col, "%s", p.problem)
		case slices.Contains(known, p.Key):
			o.values[p.Key] = p.Value
		default:
			r.ErrorAt(p.Line, p.Col, "unknown key %s%s", Show(o.Path+p.Key), didYouMean(p.Key, known))
			r.Diags[len(r.Diags)-1].Warning = lenient
			r.refusals(p.Value)
		}
	}
	return o, true
}

// refusals reports what is refused wherever it stands, in a value that nobody
// reads.
func (r *Reader) refusals(n *Node) {
	if n.Kind == Refused {
		r.Errorf(n, "%s", n.Problem)
	}
	for _, p := range n.Pairs {
		if p.problem != "" {
			r.ErrorAt(p.Line, p.Col, "%s", p.problem)
		}
		r.refusals(p.Value)
	}
	for _, item := range n.Items {
		r.refusals(item)
	}
}

// Named takes a mapping from free names to values, in file order and without
// the pairs whose keys are refused, which are errors. It is nil if n is no
// mapping.
func (r *Reader) Named(n *Node, path string) []Pair {
	if !r.IsKind(n, path, Map) {
		return nil
	}
	out := make([]Pair, 0, len(n.Pairs))
	for _, p := range n.Pairs {
		if p.problem != "" {
			r.ErrorAt(p.Line, p.Col, "%s", p.problem)
			continue
		}
		out = append(out, p)
	}
	return out
}

var (
	integerForm = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
	// numberForm is what YAML 1.2's core schema, or a looser reader, takes as
	// a number.
	numberForm = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^0[xob][0-9a-fA-F_]+$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$`)
)

// TypeName is the type that YAML 1.2's core schema gives a node, with its
// article, for messages: a mapping, a list, a string, a number, a boolean,
// empty or refused.
func (n *Node) TypeName() string {
	switch n.Kind {
	case Map:
		return "a mapping"
	case List:
		return "a list"
	case Refused:
		return "refused"
	}
	if !n.Plain {
		return "a string"
	}
	switch n.Text {
	case "", "~", "null", "Null", "NULL":
		return "empty"
	case "true", "false", "True", "False", "TRUE", "FALSE":
		return "a boolean"
	}
	if strings.IndexByte("+-.0123456789", n.Text[0]) >= 0 && numberForm.MatchString(n.Text) {
		return "a number"
	}
	return "a string"
}

var kindNames = map[Kind]string{Map: "a mapping", List: "a list", Scalar: "a single value"}

// IsKind reports whether a node is of the kind, which is not Refused; another
// kind is an error.
func (r *Reader) IsKind(n *Node, path string, want Kind) bool {
	switch {
	case n.Kind == want:
		return true
	case n.Kind == Refused:
		r.Errorf(n, "%s", n.Problem)
	default:
		r.Errorf(n, "%s must be %s, not %s", subject(path), kindNames[want], n.TypeName())
	}
	return false
}

func subject(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// Text takes a string of any length, perhaps an empty one. An unquoted number
// or boolean is none.
func (r *Reader) Text(n *Node, path string) (string, bool) {
	if n.Kind == Refused {
		r.Errorf(n, "%s", n.Problem)
		return "", false
	}
	switch name := n.TypeName(); name {
	case "a string":
		return n.Text, true
	case "a number", "a boolean":
		r.Errorf(n, "%s must be a string, not %s; put %s in quotes", path, name, Show(n.Text))
	default:
		r.Errorf(n, "%s must be a string, not %s", path, name)
	}
	return "", false
}

// Boolean takes true or false, unquoted and in lower case.
func (r *Reader) Boolean(n *Node, path string) (value, ok bool) {
	if n.Kind == Refused {
		r.Errorf(n, "%s", n.Problem)
		return false, false
	}
	if n.Kind == Scalar && n.Plain && (n.Text == "true" || n.Text == "false") {
		return n.Text == "true", true
	}
	name := n.TypeName()
	switch {
	case name == "a boolean":
		r.Errorf(n, "%s must be the YAML boolean true or false, in lower case", path)
	case n.Kind == Scalar && name != "empty":
		r.Errorf(n, "%s must be the YAML boolean true or false, not %s %s", path, strings.TrimPrefix(name, "a "), Show(n.Text))
	default:
		r.Errorf(n, "%s must be the YAML boolean true or false, not %s", path, name)
	}
	return false, false
}

// Integer takes an unquoted decimal integer without sign +, leading zeros or
// underscores, from low to high, both included.
func (r *Reader) Integer(n *Node, path string, low, high int) (int, bool) {
	if n.Kind == Refused {
		r.Errorf(n, "%s", n.Problem)
		return 0, false
	}
	if n.Kind != Scalar || !n.Plain || !integerForm.MatchString(n.Text) {
		name := n.TypeName()
		if name == "a number" {
			name = "the number " + Show(n.Text)
		}
		r.Errorf(n, "%s must be a decimal integer, not %s", path, name)
		return 0, false
	}
	i, err := strconv.Atoi(n.Text)
	if err != nil || i < low || i > high {
		r.Errorf(n, "%s must be from %d to %d, not %s", path, low, high, Show(n.Text))
		return 0, false
	}
	return i, true
}

// Texts takes a list of strings; never nil. If it is false, the strings that
// could be read stand at their index, the others are empty.
func (r *Reader) Texts(n *Node, path string) ([]string, bool) {
	out := []string{}
	if !r.IsKind(n, path, List) {
		return out, false
	}
	ok := true
	for i, item := range n.Items {
		s, good := r.Text(item, path+"["+strconv.Itoa(i)+"]")
		ok = ok && good
		out = append(out, s)
	}
	return out, ok
}

// OneOf takes one of the words, by letter case too.
func (r *Reader) OneOf(n *Node, path string, words ...string) (string, bool) {
	s, ok := r.Text(n, path)
	if ok && !slices.Contains(words, s) {
		r.Errorf(n, "%s must be one of %s, not %s%s", path, strings.Join(words, ", "), Show(s), didYouMean(s, words))
		return "", false
	}
	return s, ok
}
