package facts

import (
	"regexp"
	"strings"
)

var mdDelimiter = regexp.MustCompile(`^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$`)

// table records the table whose header is line i, if there is one.
func (p *mdParser) table(lines []string, i int) {
	if i+1 >= len(lines) || !strings.Contains(lines[i], "|") || !strings.Contains(lines[i+1], "|") || !mdDelimiter.MatchString(lines[i+1]) {
		return
	}
	at := func(i int) Place {
		return Place{p.file, i + 1, 1 + len(lines[i]) - len(strings.TrimLeft(lines[i], " \t"))}
	}
	t := Table{Place: at(i), Header: tableCells(lines[i]), Rows: []TableRow{}}
	for j := range t.Header {
		t.Header[j] = strings.ToLower(t.Header[j])
	}
	for i += 2; i < len(lines) && strings.Contains(lines[i], "|"); i++ {
		t.Rows = append(t.Rows, TableRow{at(i), tableCells(lines[i])})
	}
	p.out.Tables = append(p.out.Tables, t)
}

// tableCells are the cells of a row; \| is a part of its cell.
func tableCells(line string) []string {
	line = strings.TrimPrefix(strings.TrimSpace(line), "|")
	out := []string{}
	var cell strings.Builder
	end := func() {
		text := mdLinkText.ReplaceAllString(cell.String(), "$1")
		out = append(out, strings.TrimSpace(mdInlineFmt.ReplaceAllString(text, "")))
		cell.Reset()
	}
	for i := 0; i < len(line); i++ {
		switch {
		case strings.HasPrefix(line[i:], `\|`):
			cell.WriteByte('|')
			i++
		case line[i] == '|':
			end()
		default:
			cell.WriteByte(line[i])
		}
	}
	if strings.TrimSpace(cell.String()) != "" {
		end()
	}
	return out
}

// blockCommands are the commands of a code block that begins below line.
func blockCommands(file, language string, lines []string, line, indent int) []ShellCommand {
	out := []ShellCommand{}
	add := func(text string, line, column int) {
		for _, c := range parseScript(file, text, line, false).Commands {
			if c.Line == line {
				c.Column += column
			} else {
				c.Column += indent
			}
			out = append(out, c)
		}
	}
	switch language {
	case "sh", "bash", "shell":
		add(strings.Join(lines, "\n"), line+1, indent)
	case "console":
		for i := 0; i < len(lines); i++ {
			text, ok := strings.CutPrefix(lines[i], "$ ")
			first := i
			for ok && strings.HasSuffix(text, `\`) && i+1 < len(lines) {
				i++
				text += "\n" + strings.TrimPrefix(lines[i], "> ")
			}
			if ok {
				add(text, line+1+first, indent+len("$ "))
			}
		}
	}
	return out
}
