package facts

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

var (
	mdHeading   = regexp.MustCompile(`^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$`)
	mdSetext    = regexp.MustCompile(`^ {0,3}(=+|-+)[ \t]*$`)
	mdFence     = regexp.MustCompile("^( {0,3}|[ \t]*(?:[-*+]|[0-9]+[.)])[ \t]+| +)(`{3,}|~{3,})[ \t]*([^`]*)$")
	mdReference = regexp.MustCompile(`^ {0,3}\[([^\]]+)\]:[ \t]*<?([^\s>]+)>?`)
	mdAnchor    = regexp.MustCompile(`(?i)<[a-z][a-z0-9]*[^>]*\s(?:id|name)\s*=\s*["']?([^"'\s>]+)`)
	mdHref      = regexp.MustCompile(`(?i)<(?:a|img)[^>]*\s(?:href|src)\s*=\s*["']([^"']+)["']`)
	mdScheme    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)
	mdInlineFmt = regexp.MustCompile("[`*]|<[^>]*>")
	mdLinkText  = regexp.MustCompile(`!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])`)
)

// A mdParser reads one Markdown file, line by line.
type mdParser struct {
	file       string
	out        *Markdown
	references map[string]string
	slugs      map[string]int
	anchors    []string
	pending    []pendingLink // reference links, until all references are known
}

type pendingLink struct {
	index int // in Links
	name  string
	full  bool // [text][name]: a missing reference is a broken link
}

// parseMarkdown reads a Markdown file as GitHub shows it: headings and their
// anchors, links, images and code blocks. What stands in code is neither.
func parseMarkdown(file, text string) *Markdown {
	p := &mdParser{file: file, out: &Markdown{Headings: []Heading{}, Links: []Link{}, Code: []CodeBlock{}, Tables: []Table{}}, references: map[string]string{}, slugs: map[string]int{}}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	p.lines(blankComments(lines))
	p.resolve()
	slices.Sort(p.anchors)
	p.out.Anchors = slices.Compact(p.anchors)
	if len(p.out.Headings) > 0 {
		p.out.Title = p.out.Headings[0].Text
	}
	return p.out
}

// blankComments empties what stands in HTML comments that begin a line; lines
// in fenced code are left alone by the fence that comes before.
func blankComments(lines []string) []string {
	out := slices.Clone(lines)
	inside, fence := false, ""
	for i, line := range out {
		if !inside {
			if m := mdFence.FindStringSubmatch(line); m != nil && fence == "" {
				fence = m[2]
			} else if fence != "" && strings.HasPrefix(strings.TrimSpace(line), fence) {
				fence = ""
			}
			if fence != "" || !strings.HasPrefix(strings.TrimSpace(line), "<!--") {
				continue
			}
			inside = true
		}
		if end := strings.Index(line, "-->"); end >= 0 {
			inside = false
			out[i] = strings.Repeat(" ", end+3) + line[end+3:]
		} else {
			out[i] = ""
		}
	}
	return out
}

func (p *mdParser) lines(lines []string) {
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := mdFence.FindStringSubmatch(line); m != nil {
			i = p.fence(lines, i, m)
			continue
		}
		if m := mdHeading.FindStringSubmatch(line); m != nil {
			p.heading(len(m[1]), m[2], i+1, 1+strings.IndexByte(line, '#'))
			p.inline(line, i+1)
			continue
		}
		if m := mdReference.FindStringSubmatch(line); m != nil && !strings.HasPrefix(m[1], "^") {
			p.references[strings.ToLower(m[1])] = m[2]
			continue
		}
		if i+1 < len(lines) && strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), "|") && mdSetext.MatchString(lines[i+1]) &&
			!strings.HasPrefix(line, "    ") && !startsBlock(line) {
			level := 1
			if strings.Contains(lines[i+1], "-") {
				level = 2
			}
			p.heading(level, strings.TrimSpace(line), i+1, 1)
			p.inline(line, i+1)
			i++
			continue
		}
		if i == 0 || !strings.Contains(lines[i-1], "|") { // a row of a table begins none
			p.table(lines, i)
		}
		p.inline(line, i+1)
	}
}

// startsBlock reports whether the line is a list item or a quotation, below
// which a row of dashes is a rule and no heading.
func startsBlock(line string) bool {
	trimmed := strings.TrimSpace(line)
	return strings.HasPrefix(trimmed, "- ") || strings.HasPrefix(trimmed, "* ") || strings.HasPrefix(trimmed, "+ ") || strings.HasPrefix(trimmed, ">")
}

// fence reads a fenced block and returns the index of its last line.
func (p *mdParser) fence(lines []string, i int, m []string) int {
	block := CodeBlock{Place: Place{p.file, i + 1, 1 + len(m[1])}, Info: strings.TrimSpace(m[3])}
	block.Language, _, _ = strings.Cut(strings.ToLower(block.Info), " ")
	indent := len(m[1]) - len(strings.TrimLeft(m[1], " \t"))
	var text []string
	for i++; i < len(lines); i++ {
		trimmed := strings.TrimSpace(lines[i])
		if strings.HasPrefix(trimmed, m[2]) && strings.Trim(trimmed, m[2][:1]) == "" {
			break
		}
		cut := min(indent, len(lines[i])-len(strings.TrimLeft(lines[i], " \t")))
		text = append(text, lines[i][cut:])
	}
	block.Text = strings.Join(text, "\n")
	block.Commands = blockCommands(p.file, block.Language, text, block.Line, indent)
	p.out.Code = append(p.out.Code, block)
	return min(i, len(lines)-1)
}

func (p *mdParser) heading(level int, markup string, line, column int) {
	text := strings.TrimSpace(mdInlineFmt.ReplaceAllString(mdLinkText.ReplaceAllString(markup, "$1"), ""))
	slug := slugOf(text)
	anchor := slug
	for n := p.slugs[slug]; n > 0; n++ {
		if anchor = slug + "-" + strconv.Itoa(n); p.slugs[anchor] == 0 {
			break
		}
	}
	p.slugs[slug]++
	if anchor != slug {
		p.slugs[anchor]++
	}
	p.anchors = append(p.anchors, anchor)
	p.out.Headings = append(p.out.Headings, Heading{Place{p.file, line, column}, level, text, anchor})
}

// slugOf is the anchor that GitHub makes of a heading.
func slugOf(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r), unicode.Is(unicode.Mn, r):
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// inline finds the links and anchors of a line outside of code spans.
func (p *mdParser) inline(line string, number int) {
	clear := blankCode(line)
	for _, m := range mdAnchor.FindAllStringSubmatch(clear, -1) {
		p.anchors = append(p.anchors, m[1])
	}
	for _, m := range mdHref.FindAllStringSubmatchIndex(clear, -1) {
		p.link(line[m[2]:m[3]], "", number, m[0]+1, strings.HasPrefix(strings.ToLower(clear[m[0]:]), "<img"))
	}
	for i := 0; i < len(clear); i++ {
		if clear[i] == '\\' {
			i++
			continue
		}
		if clear[i] == '[' {
			p.bracket(line, clear, i, number)
		}
	}
}

// bracket reads a link whose text begins at i. Links inside its text are found
// when the scan comes to them.
func (p *mdParser) bracket(line, clear string, i, number int) {
	end := closing(clear, i, '[', ']')
	if end < 0 {
		return
	}
	text := line[i+1 : end]
	image := i > 0 && clear[i-1] == '!'
	column := i + 1
	switch rest := clear[end+1:]; {
	case strings.HasPrefix(rest, "("):
		stop := closing(clear, end+1, '(', ')')
		if stop < 0 {
			return
		}
		target := strings.TrimSpace(line[end+2 : stop])
		if inner, ok := strings.CutPrefix(target, "<"); ok {
			target, _, _ = strings.Cut(inner, ">")
		} else if fields := strings.Fields(target); len(fields) > 0 {
			target = fields[0]
		}
		p.link(target, text, number, column, image)
	case strings.HasPrefix(rest, "["):
		stop := closing(clear, end+1, '[', ']')
		if stop < 0 {
			return
		}
		name := line[end+2 : stop]
		if name == "" {
			name = text
		}
		p.reference(name, text, number, column, image, true)
	case i > 0 && clear[i-1] == ']', strings.HasPrefix(text, "^"):
	default:
		p.reference(text, text, number, column, image, false)
	}
}

func (p *mdParser) reference(name, text string, line, column int, image, full bool) {
	p.pending = append(p.pending, pendingLink{len(p.out.Links), strings.ToLower(name), full})
	p.out.Links = append(p.out.Links, Link{Place: Place{p.file, line, column}, Target: name, Text: text, Image: image})
}

// resolve fills in the reference links. [text] alone is a link only if there
// is a reference of that name.
func (p *mdParser) resolve() {
	drop := map[int]bool{}
	for _, pending := range p.pending {
		l := &p.out.Links[pending.index]
		target, ok := p.references[pending.name]
		switch {
		case ok:
			*l = resolved(*l, target)
		case !pending.full:
			drop[pending.index] = true
		}
	}
	kept := p.out.Links[:0]
	for i, l := range p.out.Links {
		if !drop[i] {
			kept = append(kept, l)
		}
	}
	p.out.Links = kept
}

func (p *mdParser) link(target, text string, line, column int, image bool) {
	p.out.Links = append(p.out.Links, resolved(Link{Place: Place{p.file, line, column}, Text: text, Image: image}, target))
}

// resolved fills in what a target means for a link at its place.
func resolved(l Link, target string) Link {
	l.Target, l.Defined = target, true
	if mdScheme.MatchString(target) || strings.HasPrefix(target, "//") {
		l.External = true
		return l
	}
	way, anchor, _ := strings.Cut(target, "#")
	way, _, _ = strings.Cut(way, "?")
	if plain, err := url.PathUnescape(way); err == nil {
		way = plain
	}
	if plain, err := url.PathUnescape(anchor); err == nil {
		anchor = plain
	}
	l.Anchor = anchor
	switch {
	case way == "":
		l.Path = l.File
	case strings.HasPrefix(way, "/"):
		l.Path = path.Clean(strings.TrimLeft(way, "/"))
	default:
		l.Path = path.Join(path.Dir(l.File), way)
	}
	if l.Path == ".." || strings.HasPrefix(l.Path, "../") {
		l.Path, l.Outside = "", true
	}
	return l
}

// closing is the index of the bracket that closes the one at i, or -1.
func closing(s string, i int, open, shut byte) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// blankCode replaces code spans by spaces of the same length.
func blankCode(line string) string {
	if !strings.Contains(line, "`") {
		return line
	}
	out := []byte(line)
	for i := 0; i < len(out); {
		if out[i] != '`' {
			i++
			continue
		}
		n := 1
		for i+n < len(out) && out[i+n] == '`' {
			n++
		}
		end := closingTicks(line, i+n, n)
		if end < 0 {
			i += n
			continue
		}
		for j := i; j < end; j++ {
			out[j] = ' '
		}
		i = end
	}
	return string(out)
}

// closingTicks is the index behind the next run of exactly n ticks, or -1.
func closingTicks(line string, from, n int) int {
	for i := from; i < len(line); {
		if line[i] != '`' {
			i++
			continue
		}
		m := 1
		for i+m < len(line) && line[i+m] == '`' {
			m++
		}
		if m == n {
			return i + m
		}
		i += m
	}
	return -1
}
