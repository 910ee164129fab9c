package autonomy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"leviathan/gateway"
)

// This file, yamlcheck.go and values.go read YAML strictly. They are the same
// text in gateway/autonomy and gateway/backlog, which may not import each
// other; a test holds them equal.

type kind int

const (
	scalarNode kind = iota
	mapNode
	listNode
	refusedNode
)

// A node is YAML without what is refused: one document, no aliases, anchors,
// tags or merge keys.
type node struct {
	kind      kind
	line, col int
	text      string // of a scalar
	plain     bool   // the scalar has no quotes and no block indicator
	pairs     []pair
	items     []*node
	problem   string // of a refusedNode
}

type pair struct {
	key       string
	line, col int
	value     *node
	problem   string // why the key is refused
}

// parseYAML reads one document. The diagnostics say why the file as a whole
// cannot be read; refused nodes inside it are for the caller.
func parseYAML(name string, data []byte, maxBytes int) (root *node, diags []gateway.Diagnostic) {
	fail := func(line, col int, message string) (*node, []gateway.Diagnostic) {
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
func convert(n ast.Node) *node {
	at := position(n)
	out := &node{line: at.Line, col: at.Column}
	switch v := n.(type) {
	case *ast.MappingNode:
		out.kind = mapNode
		out.pairs = make([]pair, 0, len(v.Values))
		for _, value := range v.Values {
			out.pairs = append(out.pairs, convertPair(value))
		}
		place(out)
		markDuplicates(out.pairs)
	case *ast.MappingValueNode:
		out.kind = mapNode
		out.pairs = []pair{convertPair(v)}
		place(out)
	case *ast.SequenceNode:
		out.kind = listNode
		out.items = make([]*node, 0, len(v.Values))
		for _, value := range v.Values {
			out.items = append(out.items, convert(value))
		}
	case *ast.StringNode:
		out.text, out.plain = v.Value, v.Token.Type == token.StringType
	case *ast.LiteralNode:
		if v.Value != nil {
			out.text = v.Value.Value
		}
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.plain = true
		if t := n.GetToken(); t.Type != token.ImplicitNullType {
			out.text = t.Value
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

func (n *node) refuse(problem string) *node {
	n.kind, n.problem = refusedNode, problem
	return n
}

// place moves a block mapping's place from its colon to its first key.
func place(n *node) {
	if len(n.pairs) == 0 {
		return
	}
	first := n.pairs[0]
	if first.line < n.line || first.line == n.line && first.col < n.col {
		n.line, n.col = first.line, first.col
	}
}

func convertPair(v *ast.MappingValueNode) pair {
	at := position(v.Key)
	out := pair{line: at.Line, col: at.Column, value: convert(v.Value)}
	switch key := v.Key.(type) {
	case *ast.StringNode:
		out.key = key.Value
	case *ast.NullNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.key = key.GetToken().Value
	case *ast.MergeKeyNode:
		out.key, out.problem = "<<", "a merge key (<<) is refused; write the keys out"
	default:
		out.problem = "a key must be a plain or quoted word"
	}
	return out
}

func markDuplicates(pairs []pair) {
	seen := make(map[string]int, len(pairs))
	for i := range pairs {
		if pairs[i].problem != "" {
			continue
		}
		if first, ok := seen[pairs[i].key]; ok {
			pairs[i].problem = fmt.Sprintf("the key %s is already at line %d", show(pairs[i].key), pairs[first].line)
			continue
		}
		seen[pairs[i].key] = i
	}
}
