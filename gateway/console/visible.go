package console

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// visible replaces what a reader cannot see in a finished page by its name or
// number: control characters, format characters (direction marks, joiners,
// tags) and line separators; bytes that are no UTF-8 by U+FFFD. Line breaks
// and tabs stay. Every font has letters; few have pictures of controls.
func visible(page []byte) []byte {
	if !hidden(page) {
		return page
	}
	var out bytes.Buffer
	out.Grow(len(page) + 64)
	for len(page) > 0 {
		r, n := utf8.DecodeRune(page)
		switch {
		case r == '\n', r == '\t':
			out.WriteRune(r)
		case r == 0x1b:
			out.WriteString("⟨ESC⟩")
		case r == '\r':
			out.WriteString("⟨CR⟩")
		case unseen(r):
			fmt.Fprintf(&out, "⟨U+%04X⟩", r)
		default:
			out.WriteRune(r) // U+FFFD for what is no UTF-8
		}
		page = page[n:]
	}
	return out.Bytes()
}

func hidden(page []byte) bool {
	return !utf8.Valid(page) || bytes.ContainsFunc(page, func(r rune) bool { return r != '\n' && r != '\t' && unseen(r) })
}

// unseen reports whether a character leaves no mark of its own.
func unseen(r rune) bool {
	return r < ' ' || r >= 0x7f && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}
