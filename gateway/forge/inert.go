package forge

import (
	"regexp"
	"strings"
	"unicode"
)

// joiner is WORD JOINER: it is not seen, breaks no line, and parts a character
// that a forge would act on from what follows it. It works in Markdown, in code
// blocks and in commit messages alike, which entities and backslashes do not.
const joiner = "\u2060"

var (
	keyword   = regexp.MustCompile(`(?:^|[^a-zA-Z0-9])((?i:close[sd]?|fix(?:es|ed)?|resolve[sd]?))`)
	issueRef  = regexp.MustCompile(`(?i)\b(GH-)([0-9])`)
	command   = regexp.MustCompile(`(?m)^([\s\p{Z}>*+-]*/)`)
	ownLine   = regexp.MustCompile(`(?im)^([\s\p{Z}>*+-]*Leviathan)(-)`)
	reference = regexp.MustCompile(`(?i)^[\s:]*(?:#|GH-|https?:|[\w.-]+/|[\w.-]+#)`)
)

// clean keeps what a reader can see: valid UTF-8 with \n between lines, no
// other control characters but tabs, and no characters that hide or reorder
// text (bidirectional controls, zero-width characters, tags, variation
// selectors, private use).
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.Is(unicode.C, r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		}
		return r
	}, s)
}

// cut is at most the first n characters of s; a mark stands for what is gone.
func cut(s string, n int) string {
	count := 0
	for i := range s {
		if count++; count == n {
			if rest := []rune(s[i:]); len(rest) > 1 {
				return s[:i] + "…"
			}
			break
		}
	}
	return s
}

// inert makes clean text do nothing wherever a forge or git may read it: no
// mention, reference, slash command, closing keyword or trailer of ours.
func inert(s string) string { return neutralise(s, func(string) bool { return true }) }

// inertLine is inert for one line that humans search for. A closing keyword
// stays as it is where nothing that it could close follows.
func inertLine(s string) string { return neutralise(s, reference.MatchString) }

func neutralise(s string, acts func(rest string) bool) string {
	s = breakKeywords(s, acts)
	s = issueRef.ReplaceAllString(s, "${1}"+joiner+"${2}")
	s = command.ReplaceAllString(s, "${1}"+joiner)
	s = ownLine.ReplaceAllString(s, "${1}"+joiner+"${2}")
	return strings.NewReplacer("@", "@"+joiner, "#", "#"+joiner).Replace(s)
}

func breakKeywords(s string, acts func(rest string) bool) string {
	var b strings.Builder
	from := 0
	for _, at := range keyword.FindAllStringSubmatchIndex(s, -1) {
		if word, end := at[2], at[3]; acts(s[end:]) {
			b.WriteString(s[from : word+1])
			b.WriteString(joiner)
			from = word + 1
		}
	}
	b.WriteString(s[from:])
	return b.String()
}

// fence shows clean text as a code block that it cannot leave: the fence is
// longer than any run of backticks in it.
func fence(s string) string {
	longest, run := 2, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	mark := strings.Repeat("`", longest+1)
	return mark + "text\n" + strings.TrimRight(s, "\n") + "\n" + mark
}
