package strictyaml

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"leviathan/gateway"
)

// A Kind is what a Node is.
type Kind int

// The kinds of nodes.
const (
	Scalar  Kind = iota // a single value: a word, a number, a text
	Map                 // keys and values, in the order of the file
	List                // items, in the order of the file
	Refused             // what is never read: an alias, an anchor, a tag or a merge key
)

// A Node is one value of a document and where it stands. Parse makes them and
// nothing changes them: many goroutines may read one.
type Node struct {
	Kind Kind
	// Line and Col count from 1, Col in characters. A mapping without braces
	// stands at its first key, a value that is missing behind its colon.
	Line, Col int
	Text      string  // of a Scalar, without its quotes
	Plain     bool    // the Scalar has no quotes and no block indicator
	Pairs     []Pair  // of a Map; refused keys are among them
	Items     []*Node // of a List
	Problem   string  // of a Refused node: why it is, to be shown as it stands
}

// A Pair is a key of a mapping and its value.
type Pair struct {
	Key       string
	Line, Col int // of the key, as a Node's
	Value     *Node
	problem   string // why the key is refused
}

// Parse reads the one document of a file of at most maxBytes bytes. The root
// is nil if the file as a whole cannot be read, and then the diagnostics, which
// bear name as their file, say why and where: one, without a line if it is the
// size. Else there are none. Nodes and keys inside
// the document that are refused do not fail it: a Reader reports them where
// they are read. At most 64 levels and 2000
// keys of one mapping are read.
// Many goroutines may call Parse at once.
func Parse(name string, data []byte, maxBytes int) (root *Node, diags []gateway.Diagnostic) {
	fail := func(line, col int, message string) (*Node, []gateway.Diagnostic) {
		return nil, []gateway.Diagnostic{{File: name, Line: line, Col: col, Message: message}}
	}
	if len(data) > maxBytes {
		return fail(0, 0, fmt.Sprintf("the file has %d bytes; at most %d are read", len(data), maxBytes))
	}
	if line, col, message := checkBytes(data); message != "" {
		return fail(line, col, message)
	}
	// The parser's own faults must not become the process's.
	defer func() {
		if r := recover(); r != nil {
			root, diags = fail(1, 1, "the file is not YAML that can be read")
		}
	}()
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	tokens := lexer.Tokenize(text)
	if line, col, message := checkTokens(tokens, strings.Split(text, "\n")); message != "" {
		return fail(line, col, message)
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, col, message := syntaxError(err)
		return fail(line, col, message)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			at := position(doc.Body)
			return fail(at.Line, at.Column, "a second document begins; the file must be one document")
		}
		body = doc.Body
	}
	if body == nil {
		return fail(1, 1, "the file is empty")
	}
	return convert(body), nil
}

// syntaxError takes place and message from the parser's error, without the
// excerpt of the file that it would print.
func syntaxError(err error) (line, col int, message string) {
	var e interface {
		error
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &e) {
		return 1, 1, "not YAML"
	}
	if t := e.GetToken(); t != nil && t.Position != nil {
		line, col = t.Position.Line, t.Position.Column
	}
	return line, col, "not YAML: " + e.GetMessage()
}

func position(n ast.Node) token.Position {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return *t.Position
	}
	return token.Position{Line: 1, Column: 1}
}

// convert makes a node of the parser's tree.
func convert(n ast.Node) *Node {
	at := position(n)
	out := &Node{Line: at.Line, Col: at.Column}
	switch v := n.(type) {
	case *ast.MappingNode:
		out.Kind = Map
		out.Pairs = make([]Pair, 0, len(v.Values))
		for _, value := range v.Values {
			out.Pairs = append(out.Pairs, convertPair(value))
		}
		place(out)
		markDuplicates(out.Pairs)
	case *ast.MappingValueNode:
		out.Kind = Map
		out.Pairs = []Pair{convertPair(v)}
		place(out)
	case *ast.SequenceNode:
		out.Kind = List
		out.Items = make([]*Node, 0, len(v.Values))
		for _, value := range v.Values {
			out.Items = append(out.Items, convert(value))
		}
	case *ast.StringNode:
		out.Text, out.Plain = v.Value, v.Token.Type == token.StringType
	case *ast.LiteralNode:
		if v.Value != nil {
			out.Text = v.Value.Value
		}
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.Plain = true
		if t := n.GetToken(); t.Type != token.ImplicitNullType {
			out.Text = t.Value
		}
	case *ast.AliasNode:
		return out.refuse("an alias (*) is refused; write the value out")
	case *ast.AnchorNode:
		return out.refuse("an anchor (&) is refused; remove it")
	case *ast.TagNode:
		return out.refuse("a tag (!) is refused; remove it")
	case *ast.MergeKeyNode:
		return out.refuse("a merge key (<<) is refused; write the keys out")
	default:
		return out.refuse("this is not plain YAML")
	}
	return out
}

func (n *Node) refuse(problem string) *Node {
	n.Kind, n.Problem = Refused, problem
	return n
}

// place moves a block mapping's place from its colon to its first key.
func place(n *Node) {
	if len(n.Pairs) == 0 {
		return
	}
	first := n.Pairs[0]
	if first.Line < n.Line || first.Line == n.Line && first.Col < n.Col {
		n.Line, n.Col = first.Line, first.Col
	}
}

func convertPair(v *ast.MappingValueNode) Pair {
	at := position(v.Key)
	out := Pair{Line: at.Line, Col: at.Column, Value: convert(v.Value)}
	switch key := v.Key.(type) {
	case *ast.StringNode:
		out.Key = key.Value
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.Key = key.GetToken().Value
	case *ast.MergeKeyNode:
		out.Key, out.problem = "<<", "a merge key (<<) is refused; write the keys out"
	default:
		out.problem = "a key must be a plain or quoted word"
	}
	return out
}

// markDuplicates refuses each key that an earlier pair has.
func markDuplicates(pairs []Pair) {
	const few = 16 // up to which comparing costs less than a map
	var seen map[string]int
	if len(pairs) > few {
		seen = make(map[string]int, len(pairs))
	}
	for i := range pairs {
		if pairs[i].problem != "" {
			continue
		}
		if first := earlier(pairs[:i], pairs[i].Key, seen); first >= 0 {
			pairs[i].problem = fmt.Sprintf("the key %s is already at line %d", Show(pairs[i].Key), pairs[first].Line)
		} else if seen != nil {
			seen[pairs[i].Key] = i
		}
	}
}

// earlier is the place of the first sound pair with the key, as seen has it if
// there is one; -1 if there is none.
func earlier(pairs []Pair, key string, seen map[string]int) int {
	if seen == nil {
		return slices.IndexFunc(pairs, func(p Pair) bool { return p.Key == key && p.problem == "" })
	}
	if first, ok := seen[key]; ok {
		return first
	}
	return -1
}
