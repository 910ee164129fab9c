package backlog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"leviathan/gateway"
)

// A reader takes typed values from nodes and collects what is wrong.
type reader struct {
	file  string
	diags []gateway.Diagnostic
}

func (r *reader) errorAt(line, col int, format string, args ...any) {
	r.diags = append(r.diags, gateway.Diagnostic{File: r.file, Line: line, Col: col, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) errorf(n *node, format string, args ...any) {
	r.errorAt(n.line, n.col, format, args...)
}

func (r *reader) warnf(n *node, format string, args ...any) {
	r.errorf(n, format, args...)
	r.diags[len(r.diags)-1].Warning = true
}

// failed reports whether any diagnostic from index from on is an error.
func (r *reader) failed(from int) bool {
	return slices.ContainsFunc(r.diags[from:], func(d gateway.Diagnostic) bool { return !d.Warning })
}

// sorted is the diagnostics in the order of the file.
func (r *reader) sorted() []gateway.Diagnostic {
	slices.SortStableFunc(r.diags, func(a, b gateway.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return r.diags
}

// An object is a mapping whose keys have been looked at.
type object struct {
	path   string // "" or "limits."
	node   *node
	values map[string]*node
}

// has returns the value of a key, nil if the key is absent.
func (o object) has(key string) *node { return o.values[key] }

// object takes a mapping with known keys. Unknown keys are errors, or
// warnings if lenient.
func (r *reader) object(n *node, path string, known []string, lenient bool) (object, bool) {
	o := object{node: n, values: map[string]*node{}}
	if path != "" {
		o.path = path + "."
	}
	if !r.isKind(n, path, mapNode) {
		return o, false
	}
	for _, p := range n.pairs {
		switch {
		case p.problem != "":
			r.errorAt(p.line, p.col, "%s", p.problem)
		case slices.Contains(known, p.key):
			o.values[p.key] = p.value
		default:
			r.errorAt(p.line, p.col, "unknown key %s%s", show(o.path+p.key), didYouMean(p.key, known))
			r.diags[len(r.diags)-1].Warning = lenient
			r.refusals(p.value)
		}
	}
	return o, true
}

// refusals reports what is refused wherever it stands, in a value that nobody
// reads.
func (r *reader) refusals(n *node) {
	if n.kind == refusedNode {
		r.errorf(n, "%s", n.problem)
	}
	for _, p := range n.pairs {
		if p.problem != "" {
			r.errorAt(p.line, p.col, "%s", p.problem)
		}
		r.refusals(p.value)
	}
	for _, item := range n.items {
		r.refusals(item)
	}
}

// named takes a mapping from free names to values, in file order.
func (r *reader) named(n *node, path string) []pair {
	if !r.isKind(n, path, mapNode) {
		return nil
	}
	out := make([]pair, 0, len(n.pairs))
	for _, p := range n.pairs {
		if p.problem != "" {
			r.errorAt(p.line, p.col, "%s", p.problem)
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

// typeName is the type that YAML 1.2's core schema gives a node, with its
// article.
func (n *node) typeName() string {
	switch n.kind {
	case mapNode:
		return "a mapping"
	case listNode:
		return "a list"
	case refusedNode:
		return "refused"
	}
	if !n.plain {
		return "a string"
	}
	switch n.text {
	case "", "~", "null", "Null", "NULL":
		return "empty"
	case "true", "false", "True", "False", "TRUE", "FALSE":
		return "a boolean"
	}
	if numberForm.MatchString(n.text) {
		return "a number"
	}
	return "a string"
}

var kindNames = map[kind]string{mapNode: "a mapping", listNode: "a list", scalarNode: "a single value"}

func (r *reader) isKind(n *node, path string, want kind) bool {
	switch {
	case n.kind == want:
		return true
	case n.kind == refusedNode:
		r.errorf(n, "%s", n.problem)
	default:
		r.errorf(n, "%s must be %s, not %s", subject(path), kindNames[want], n.typeName())
	}
	return false
}

func subject(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// text takes a string. An unquoted number or boolean is none.
func (r *reader) text(n *node, path string) (string, bool) {
	if n.kind == refusedNode {
		r.errorf(n, "%s", n.problem)
		return "", false
	}
	switch name := n.typeName(); name {
	case "a string":
		return n.text, true
	case "a number", "a boolean":
		r.errorf(n, "%s must be a string, not %s; put %s in quotes", path, name, show(n.text))
	default:
		r.errorf(n, "%s must be a string, not %s", path, name)
	}
	return "", false
}

// boolean takes true or false, unquoted and in lower case.
func (r *reader) boolean(n *node, path string) (value, ok bool) {
	if n.kind == refusedNode {
		r.errorf(n, "%s", n.problem)
		return false, false
	}
	if n.kind == scalarNode && n.plain && (n.text == "true" || n.text == "false") {
		return n.text == "true", true
	}
	name := n.typeName()
	switch {
	case name == "a boolean":
		r.errorf(n, "%s must be the YAML boolean true or false, in lower case", path)
	case n.kind == scalarNode && name != "empty":
		r.errorf(n, "%s must be the YAML boolean true or false, not %s %s", path, strings.TrimPrefix(name, "a "), show(n.text))
	default:
		r.errorf(n, "%s must be the YAML boolean true or false, not %s", path, name)
	}
	return false, false
}

// integer takes a decimal integer within bounds.
func (r *reader) integer(n *node, path string, low, high int) (int, bool) {
	if n.kind == refusedNode {
		r.errorf(n, "%s", n.problem)
		return 0, false
	}
	if n.kind != scalarNode || !n.plain || !integerForm.MatchString(n.text) {
		name := n.typeName()
		if name == "a number" {
			name = "the number " + show(n.text)
		}
		r.errorf(n, "%s must be a decimal integer, not %s", path, name)
		return 0, false
	}
	i, err := strconv.Atoi(n.text)
	if err != nil || i < low || i > high {
		r.errorf(n, "%s must be from %d to %d, not %s", path, low, high, show(n.text))
		return 0, false
	}
	return i, true
}

// texts takes a list of strings; never nil.
func (r *reader) texts(n *node, path string) ([]string, bool) {
	out := []string{}
	if !r.isKind(n, path, listNode) {
		return out, false
	}
	ok := true
	for i, item := range n.items {
		s, good := r.text(item, path+"["+strconv.Itoa(i)+"]")
		ok = ok && good
		out = append(out, s)
	}
	return out, ok
}

// oneOf takes one of the words.
func (r *reader) oneOf(n *node, path string, words ...string) (string, bool) {
	s, ok := r.text(n, path)
	if ok && !slices.Contains(words, s) {
		r.errorf(n, "%s must be one of %s, not %s%s", path, strings.Join(words, ", "), show(s), didYouMean(s, words))
		return "", false
	}
	return s, ok
}

// show quotes what somebody wrote, cut to a length that a message can bear.
func show(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return strconv.Quote(s)
}

// didYouMean suggests the known word that is nearest to a wrong one.
func didYouMean(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
