package facts

import "strings"

// parseScript takes a shell script apart into simple commands. It knows quotes,
// comments, continued lines, here-documents and the operators between
// commands; it expands nothing. pipefail says whether the shell begins with
// that option and with errexit, as GitHub's bash does.
func parseScript(file, text string, line int, pipefail bool) *Script {
	l := &shellLexer{file: file, text: text, line: line, column: 1}
	out := &Script{Commands: l.commands()}
	out.Swallowed = swallowed(out.Commands, l, pipefail)
	return out
}

type shellLexer struct {
	file         string
	text         string
	at           int
	line, column int
	heredocs     []string
	// after is the operator that follows each command, and led says whether a
	// reserved word stands before it: then echo hides nothing.
	after []string
	led   []bool
}

func (l *shellLexer) commands() []ShellCommand {
	commands := []ShellCommand{}
	var current ShellCommand
	operator, led := "", false
	end := func(next string) {
		if len(current.Words) > 0 {
			current.After = operator
			commands, l.after, l.led = append(commands, current), append(l.after, next), append(l.led, led)
			operator = next
		} else if next == "&&" || next == "||" || next == "|" {
			operator = next // behind a group: ( … ) || true
			if n := len(l.after); n > 0 {
				l.after[n-1] = next
			}
		}
		current, led = ShellCommand{}, false
	}
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == '\n':
			end("")
			operator = ""
			l.advance(1)
			l.skipHeredocs()
		case c == '\\' && strings.HasPrefix(l.text[l.at:], "\\\n"):
			l.advance(2)
		case c == ' ' || c == '\t' || c == '\r':
			l.advance(1)
		case c == '#':
			l.comment()
		case strings.HasPrefix(l.text[l.at:], "<<") && !strings.HasPrefix(l.text[l.at:], "<<<"):
			l.heredoc()
		default:
			if op := l.operator(); op != "" {
				l.advance(len(op))
				switch op {
				case "|&":
					op = "|"
				case "(", ")", ";;":
					op = ";" // what groups commands only ends one
				}
				end(op)
				if op == "&&" || op == "||" || op == "|" {
					l.skipNewlines()
				}
				continue
			}
			if len(current.Words) == 0 {
				current.Place = Place{l.file, l.line, l.column}
			}
			word := l.word()
			if len(current.Words) == 0 && reserved[word] {
				led = true
				continue // if, then, do …: what follows is a command of its own
			}
			current.Words = append(current.Words, word)
		}
	}
	end("")
	return commands
}

// reserved words stand before a command without being a part of it.
var reserved = map[string]bool{"if": true, "then": true, "else": true, "elif": true, "while": true, "until": true, "do": true,
	"!": true, "{": true, "}": true, "fi": true, "done": true, "time": true}

func (l *shellLexer) advance(n int) {
	for ; n > 0 && l.at < len(l.text); n-- {
		if l.text[l.at] == '\n' {
			l.line, l.column = l.line+1, 0
		}
		l.at, l.column = l.at+1, l.column+1
	}
}

func (l *shellLexer) comment() {
	if end := strings.IndexByte(l.text[l.at:], '\n'); end >= 0 {
		l.advance(end)
		return
	}
	l.advance(len(l.text) - l.at)
}

func (l *shellLexer) skipNewlines() {
	for l.at < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.at]) >= 0 {
		l.advance(1)
	}
}

func (l *shellLexer) operator() string {
	for _, op := range []string{"&&", "||", ";;", "|&", "|", ";", "&", "(", ")"} {
		if !strings.HasPrefix(l.text[l.at:], op) {
			continue
		}
		if op == "&" && l.at+1 < len(l.text) && l.text[l.at+1] == '>' {
			return "" // &> is a redirection
		}
		return op
	}
	return ""
}

// word reads one word; quotes are taken off. Substitutions stay as text.
func (l *shellLexer) word() string {
	var b strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch {
		case c == '\\' && l.at+1 < len(l.text):
			if l.text[l.at+1] != '\n' {
				b.WriteByte(l.text[l.at+1])
			}
			l.advance(2)
		case c == '\'':
			l.quoted(&b, '\'')
		case c == '"':
			l.quoted(&b, '"')
		case c == '$' && (strings.HasPrefix(l.text[l.at:], "$(") || strings.HasPrefix(l.text[l.at:], "${")):
			l.balanced(&b)
		case c == '>' && strings.HasPrefix(l.text[l.at:], ">&"), c == '<' && strings.HasPrefix(l.text[l.at:], "<&"):
			b.WriteString(l.text[l.at : l.at+2])
			l.advance(2)
		case c == '&' && strings.HasPrefix(l.text[l.at:], "&>"):
			b.WriteString("&>")
			l.advance(2)
		case strings.IndexByte(" \t\r\n;|&()", c) >= 0:
			return b.String()
		default:
			b.WriteByte(c)
			l.advance(1)
		}
	}
	return b.String()
}

func (l *shellLexer) quoted(b *strings.Builder, quote byte) {
	l.advance(1)
	for l.at < len(l.text) && l.text[l.at] != quote {
		if quote == '"' && l.text[l.at] == '\\' && l.at+1 < len(l.text) {
			l.advance(1)
		}
		b.WriteByte(l.text[l.at])
		l.advance(1)
	}
	l.advance(1)
}

// balanced copies a substitution to its closing bracket.
func (l *shellLexer) balanced(b *strings.Builder) {
	depth := 0
	for l.at < len(l.text) {
		c := l.text[l.at]
		b.WriteByte(c)
		l.advance(1)
		switch c {
		case '(', '{':
			depth++
		case ')', '}':
			if depth--; depth == 0 {
				return
			}
		}
	}
}

// heredoc notes the word that ends a here-document.
func (l *shellLexer) heredoc() {
	l.advance(2)
	if l.at < len(l.text) && l.text[l.at] == '-' {
		l.advance(1)
	}
	for l.at < len(l.text) && (l.text[l.at] == ' ' || l.text[l.at] == '\t') {
		l.advance(1)
	}
	if word := l.word(); word != "" {
		l.heredocs = append(l.heredocs, word)
	}
}

// skipHeredocs passes over the here-documents that begin at this line.
func (l *shellLexer) skipHeredocs() {
	for _, word := range l.heredocs {
		for l.at < len(l.text) {
			line, _, _ := strings.Cut(l.text[l.at:], "\n")
			l.advance(min(len(line)+1, len(l.text)-l.at))
			if strings.TrimSpace(line) == word {
				break
			}
		}
	}
	l.heredocs = nil
}

// swallowed finds the commands whose failure the script hides.
func swallowed(commands []ShellCommand, l *shellLexer, pipefail bool) []Swallowed {
	out, after := []Swallowed{}, l.after
	add := func(i int, how string) {
		out = append(out, Swallowed{commands[i].Place, strings.Join(commands[i].Words, " "), how})
	}
	for i, c := range commands {
		if c.Words[0] == "set" {
			for _, option := range c.Words[1:] {
				switch {
				case option == "pipefail" || strings.HasPrefix(option, "-") && strings.Contains(option, "o") && strings.Contains(strings.Join(c.Words, " "), "pipefail"):
					pipefail = true
				case strings.HasPrefix(option, "+") && strings.Contains(option, "e"):
					add(i, "set_plus_e")
				}
			}
			continue
		}
		last := i+1 >= len(commands)
		switch {
		case after[i] == "||" && !last && harmless(commands[i+1].Words):
			add(i, "or_true")
		case after[i] == "|" && !pipefail && !last:
			add(i, "pipe")
		case after[i] == "&":
			add(i, "background")
		case after[i] == ";" && !last && !l.led[i+1] && harmless(commands[i+1].Words):
			add(i, "semicolon")
		}
	}
	return out
}

// harmless reports whether the command succeeds whatever happened.
func harmless(words []string) bool {
	switch words[0] {
	case "true", ":", "echo", "printf":
		return true
	case "exit", "return":
		return len(words) > 1 && words[1] == "0"
	}
	return false
}
