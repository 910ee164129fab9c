package console

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// visible replaces what a reader cannot see in a finished page: control
// characters by their pictures, format characters (direction marks, joiners,
// tags) and line separators by their numbers, and bytes that are no UTF-8 by
// U+FFFD. Line breaks and tabs stay.
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
		case r < ' ':
			out.WriteRune(0x2400 + r)
		case r == 0x7f:
			out.WriteRune(0x2421)
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
	return !utf8.Valid(page) || bytes.ContainsFunc(page, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || unseen(r) })
}

// unseen reports whether a character above U+007F leaves no mark of its own.
func unseen(r rune) bool {
	return r > 0x7f && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}
