package facts

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of one document. Aliases multiply what they refer to, so that a file
// of a kilobyte may mean billions of nodes.
const (
	maxNodes     = 200_000
	maxYAMLDepth = 100
)

// A source is a parsed YAML file.
type source struct {
	file      string
	lines     []string
	documents []*Document
	nodes     map[string]*yaml.Node // root of each document, by id
	problems  []Problem
	// plain files have nothing that two readers of YAML could take for two things:
	// problems, aliases, merge keys, nulls, marks with something behind them.
	plain bool
}

// parseYAML parses every document of a file, each by itself: one that is
// broken does not hide the others.
func parseYAML(file string, data []byte) *source {
	s := &source{file: file, lines: strings.Split(string(data), "\n"), nodes: map[string]*yaml.Node{}}
	s.plain = plainText(s.lines)
	for _, piece := range splitDocuments(s.lines, file+"#") {
		s.document(piece)
	}
	s.plain = s.plain && len(s.problems) == 0
	return s
}

// forget drops what only some kinds of files are asked about later.
func (s *source) forget() {
	if isWorkflow(s.file) || slices.Contains(kustomizationNames, path.Base(s.file)) {
		return
	}
	for _, d := range s.documents {
		if d.Kind == "ConfigMap" || isAutonomy(d.Value) {
			return
		}
	}
	s.lines, s.nodes = nil, nil
}

// A piece is the text of one document and what it must be moved by.
type piece struct {
	id     string
	text   string
	move   placing
	within *Within
}

// A placing tells where a place of a piece is in its file.
type placing struct {
	line   int  // added to a line
	column int  // added to a column
	fixed  bool // every node is at line, column: the text was folded or quoted
}

func (p placing) at(line, column int) [2]int {
	if p.fixed {
		return [2]int{p.line, p.column}
	}
	return [2]int{line + p.line, column + p.column}
}

// splitDocuments cuts lines at the marks between documents. Text that has no
// document is left out; the numbers of the ids count what is left.
func splitDocuments(lines []string, prefix string) (pieces []piece) {
	add := func(from, to int) {
		for _, line := range lines[from:to] {
			if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' && trimmed != "---" && trimmed != "..." {
				text := strings.Join(lines[from:to], "\n")
				if to < len(lines) {
					text += "\n" // a block of text at the end keeps its own
				}
				pieces = append(pieces, piece{id: prefix + strconv.Itoa(len(pieces)), text: text, move: placing{line: from}})
				return
			}
		}
	}
	start := 0
	for i, line := range lines {
		mark := strings.TrimRight(line, " \t\r")
		switch {
		case mark == "---" || strings.HasPrefix(line, "--- "):
			if i > start && !onlyDirectives(lines[start:i]) {
				add(start, i)
				start = i
			}
		case mark == "...":
			add(start, i)
			start = i + 1
		}
	}
	add(start, len(lines))
	return pieces
}

// onlyDirectives reports whether the lines are a prologue of the document
// that follows.
func onlyDirectives(lines []string) bool {
	found := false
	for _, line := range lines {
		if trimmed := strings.TrimSpace(line); trimmed != "" && trimmed[0] != '#' && trimmed[0] != '%' {
			return false
		}
		found = found || strings.HasPrefix(line, "%")
	}
	return found
}

// yamlLine is where the parser says that an error is: where what contains it
// begins, which is of no use to who looks for it.
var yamlLine = regexp.MustCompile(`^line \d+: `)

// wrongLine is the line at which a text that is no YAML stops to be YAML: what
// is above it can be read, what goes to its end cannot.
func wrongLine(text string) int {
	lines := strings.SplitAfter(text, "\n")
	readable := func(n int) bool {
		var root yaml.Node
		return unmarshalNode(strings.Join(lines[:n], ""), &root) == nil
	}
	// A list or a text over several lines is unreadable until its end, so the
	// search goes up from the end, by steps that grow.
	good, bad := 0, len(lines)
	for step := 1; bad > step; step *= 2 {
		if n := bad - step; readable(n) {
			good = n
			break
		} else {
			bad = n
		}
	}
	for good+1 < bad {
		if n := (good + bad) / 2; readable(n) {
			good = n
		} else {
			bad = n
		}
	}
	return bad
}

// document parses one piece.
func (s *source) document(p piece) {
	var root yaml.Node
	if err := unmarshalNode(withoutDirectives(p.text), &root); err != nil {
		_, message, _ := strings.Cut(err.Error(), "yaml: ")
		message = yamlLine.ReplaceAllString(message, "")
		s.problemAt(p.move.at(wrongLine(p.text), 1), "yaml_syntax", "not YAML that can be read: "+message)
		return
	}
	if len(root.Content) == 0 {
		return
	}
	c := nodeConverter{source: s, move: p.move, at: map[string][2]int{}}
	value := c.value(root.Content[0], "", nil, 0)
	s.plain = s.plain && (p.within != nil || !c.doubtful)
	if c.stopped {
		return
	}
	at := p.move.at(root.Content[0].Line, root.Content[0].Column)
	d := &Document{ID: p.id, File: s.file, Line: at[0], Column: at[1], Value: value, At: c.at, Within: p.within}
	d.identify()
	s.documents, s.nodes[d.ID] = append(s.documents, d), root.Content[0]
	if d.Kind == "ConfigMap" && p.within == nil {
		s.embedded(d, root.Content[0])
	}
}

// withoutDirectives empties the directives before a document, of which the
// parser knows only those of YAML 1.1.
func withoutDirectives(text string) string {
	if !strings.HasPrefix(text, "%") && !strings.Contains(text, "\n%") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "%"):
			lines[i] = ""
		case strings.HasPrefix(line, "---"):
			return strings.Join(lines, "\n")
		}
	}
	return text
}

// unmarshalNode keeps the parser's own faults from ending the process.
func unmarshalNode(text string, into *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	return yaml.Unmarshal([]byte(text), into)
}

func (s *source) problemAt(at [2]int, code, message string) {
	s.problems = append(s.problems, Problem{Place{s.file, max(1, at[0]), max(1, at[1])}, code, message})
}

// identify takes kind, name and namespace from the value.
func (d *Document) identify() {
	d.Kind, d.APIVersion = textAt(d.Value, "kind"), textAt(d.Value, "apiVersion")
	if d.APIVersion == "" {
		d.Kind = ""
	}
	d.Name, d.Namespace = textAt(d.Value, "metadata", "name"), textAt(d.Value, "metadata", "namespace")
}

// embedded parses the values of a ConfigMap's data that are files of YAML.
func (s *source) embedded(d *Document, root *yaml.Node) {
	data := member(root, "data")
	if data == nil || data.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(data.Content); i += 2 {
		key, value := data.Content[i].Value, data.Content[i+1]
		if !strings.HasSuffix(key, ".yaml") && !strings.HasSuffix(key, ".yml") || value.Kind != yaml.ScalarNode {
			continue
		}
		pointer := "/data/" + escape(key)
		move := s.inside(value, d.At[pointer])
		for n, p := range splitDocuments(strings.Split(value.Value, "\n"), "") {
			p.id = d.ID + pointer
			if n > 0 {
				p.id += "#" + strconv.Itoa(n)
			}
			if p.within = (&Within{Document: d.ID, Pointer: pointer, Key: key}); move.fixed {
				p.move = move
			} else {
				p.move = placing{line: p.move.line + move.line, column: move.column}
			}
			s.document(p)
		}
	}
}

// inside is where the text of a scalar stands in the file. Only a literal
// block keeps its lines; what is folded or quoted is all at its key.
func (s *source) inside(n *yaml.Node, key [2]int) placing {
	if n.Style&yaml.LiteralStyle == 0 {
		return placing{line: key[0], column: key[1], fixed: true}
	}
	for i, line := range strings.Split(n.Value, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if at := key[0] + i; at < len(s.lines) {
			return placing{line: key[0], column: max(0, strings.Index(s.lines[at], line))}
		}
	}
	return placing{line: key[0]}
}

// member is the value of a mapping's key.
func member(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
