package strictyaml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// checkBytes refuses what is not plain UTF-8 text, and tabs as indentation.
func checkBytes(data []byte) (line, col int, message string) {
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return 1, 1, "the file begins with a byte order mark; save it as UTF-8 without one"
	}
	line = 1
	start := 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		col := func() int { return utf8.RuneCount(data[start:i]) + 1 }
		switch {
		case r == utf8.RuneError && size <= 1:
			return line, col(), "the file is not UTF-8"
		case r == '\n':
			line, start = line+1, i+1
		case r == '\r':
			if i+1 >= len(data) || data[i+1] != '\n' {
				return line, col(), "a carriage return without a line feed"
			}
		case r == '\t':
			if i == start && !blankLine(data[i:]) {
				return line, col(), "a tab cannot be indentation; use spaces"
			}
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfeff || r == 0x2028 || r == 0x2029:
			return line, col(), fmt.Sprintf("the control character U+%04X", r)
		}
		i += size
	}
	return 0, 0, ""
}

func blankLine(rest []byte) bool {
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	return len(bytes.TrimSpace(rest)) == 0
}

// A tokenCheck is how far checkTokens has come.
type tokenCheck struct {
	lines                  []string
	flow, inline, lastLine int
	nulls, refused         int
	indents                []int      // columns at which the blocks around this line began
	keys                   []keyCount // of the mappings around this token
	last                   token.Type
	begun, ended           bool // the document
}

type keyCount struct{ col, count int }

// checkTokens bounds depth and work before the recursive parser begins, and
// refuses directives, further documents and tabs as indentation.
func checkTokens(tokens token.Tokens, lines []string) (line, col int, message string) {
	c := tokenCheck{lines: lines}
	for i, t := range tokens {
		at := t.Position
		message := c.line(t)
		if message == "" {
			message = c.token(t)
		}
		switch t.Type {
		case token.MappingValueType, token.SequenceEntryType, token.LiteralType, token.FoldedType:
			if i+1 == len(tokens) || tokens[i+1].Position.Line > at.Line && tokens[i+1].Position.Column <= c.indent() {
				c.nulls++
			}
			if i > 0 && t.Type == token.MappingValueType {
				c.key(tokens[i-1].Position.Column)
			}
		case token.MappingKeyType:
			c.key(at.Column)
		}
		if message == "" {
			message = c.bounds(len(tokens))
		}
		if message != "" {
			return at.Line, at.Column, message
		}
	}
	return 0, 0, ""
}

// line looks at the first token of a line.
func (c *tokenCheck) line(t *token.Token) (message string) {
	at := t.Position
	if at.Line == c.lastLine {
		return ""
	}
	c.lastLine, c.inline = at.Line, 0
	for len(c.indents) > 0 && c.indent() >= at.Column {
		c.indents = c.indents[:len(c.indents)-1]
	}
	if c.flow == 0 {
		c.indents = append(c.indents, at.Column)
	}
	c.leave(at.Column)
	if c.last != token.LiteralType && c.last != token.FoldedType && at.Line <= len(c.lines) && tabbed(c.lines[at.Line-1]) {
		return "a tab cannot be indentation; use spaces"
	}
	return ""
}

func (c *tokenCheck) token(t *token.Token) (message string) {
	switch t.Type {
	case token.CommentType:
		return ""
	case token.DocumentHeaderType:
		if c.begun {
			return "a second document begins; the file must be one document"
		}
	case token.DocumentEndType:
		c.ended = true
	case token.MappingStartType, token.SequenceStartType:
		c.flow++
	case token.MappingEndType, token.SequenceEndType:
		c.flow--
	case token.SequenceEntryType:
		c.inline++
		c.leave(t.Position.Column)
	case token.MappingKeyType:
		c.inline++
	case token.TagType, token.AnchorType, token.AliasType:
		c.refused++
	case token.DirectiveType:
		return "a YAML directive; remove it"
	case token.InvalidType:
		if t.Error == "" {
			return "not YAML"
		}
		return "not YAML: " + t.Error
	}
	if c.ended && t.Type != token.DocumentEndType {
		return "something stands behind the end of the document (...)"
	}
	c.begun, c.last = true, t.Type
	return ""
}

func (c *tokenCheck) indent() int {
	if len(c.indents) == 0 {
		return 1
	}
	return c.indents[len(c.indents)-1]
}

// leave forgets the mappings that a token at a column ends.
func (c *tokenCheck) leave(col int) {
	for len(c.keys) > 0 && c.keys[len(c.keys)-1].col > col {
		c.keys = c.keys[:len(c.keys)-1]
	}
}

// key counts a key of the mapping at a column.
func (c *tokenCheck) key(col int) {
	c.leave(col)
	if n := len(c.keys); n == 0 || c.keys[n-1].col < col {
		c.keys = append(c.keys, keyCount{col: col})
	}
	c.keys[len(c.keys)-1].count++
}

// The parser calls itself for each level, each tag and each key of a mapping,
// and moves every token behind a key that has no value.
const (
	maxDepth    = 64
	maxKeys     = 2_000
	maxRefused  = 1_000
	maxNullWork = 2_000_000_000
)

func (c *tokenCheck) bounds(tokens int) (message string) {
	switch {
	case c.flow > maxDepth || c.inline > maxDepth || len(c.indents) > maxDepth:
		return fmt.Sprintf("nested deeper than %d levels", maxDepth)
	case len(c.keys) > 0 && c.keys[len(c.keys)-1].count > maxKeys:
		return fmt.Sprintf("a mapping with more than %d keys", maxKeys)
	case c.refused > maxRefused:
		return "too many tags, anchors and aliases, all of which are refused"
	case c.nulls*tokens > maxNullWork:
		return "too many keys without a value"
	}
	return ""
}

// tabbed reports whether a tab is in the indentation of a line.
func tabbed(line string) bool {
	return strings.ContainsRune(line[:len(line)-len(strings.TrimLeft(line, " \t"))], '\t')
}
