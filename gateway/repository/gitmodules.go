package repository

import (
	"strings"
)

const maxGitmodules = 256 << 10

// checkGitmodules says what is hostile in a .gitmodules file, or "" if
// nothing is. A file that cannot be read as git's config format is hostile.
func checkGitmodules(data []byte) string {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if strings.ContainsAny(text, "\x00") {
		return "it contains a NUL"
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var name string
	inSubmodule := false
	for text != "" {
		line := strings.TrimLeft(text, " \t\n")
		if line == "" {
			break
		}
		switch line[0] {
		case '#', ';':
			_, text, _ = strings.Cut(line, "\n")
			continue
		case '[':
			section, sub, rest, ok := configSection(line)
			if !ok {
				return "it cannot be read"
			}
			name, inSubmodule, text = sub, strings.EqualFold(section, "submodule"), rest
			if why := checkSubmoduleName(name); inSubmodule && why != "" {
				return why
			}
			continue
		}
		key, value, rest, ok := configValue(line)
		if !ok {
			return "it cannot be read"
		}
		text = rest
		if inSubmodule {
			if why := checkSubmoduleValue(key, value); why != "" {
				return why
			}
		}
	}
	return ""
}

func checkSubmoduleName(name string) string {
	if name == "" {
		return "a submodule has no name"
	}
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == ".." {
			return "a submodule's name leads out of its folder"
		}
	}
	return ""
}

func checkSubmoduleValue(key, value string) string {
	switch {
	case (key == "url" || key == "path") && strings.HasPrefix(value, "-"):
		return "a submodule's " + key + " looks like an option"
	case key == "url" && (strings.ContainsAny(value, "\n\r") || strings.Contains(strings.ToLower(value), "%0a") || strings.Contains(strings.ToLower(value), "%0d")):
		return "a submodule's url contains a newline"
	case key == "url" && strings.Contains(value, "::"):
		return "a submodule's url names a transport helper"
	case key == "path" && (strings.HasPrefix(value, "/") || checkPath(value) != ""):
		return "a submodule's path is unsafe"
	case key == "update" && strings.HasPrefix(value, "!"):
		return "a submodule's update runs a command"
	}
	return ""
}

// checkPath applies checkName to every component.
func checkPath(path string) string {
	for part := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		if part == "" {
			return "is empty"
		}
		if why := checkName([]byte(part)); why != "" {
			return why
		}
	}
	return ""
}

// configSection reads `[section "sub"]` or `[section.sub]`.
func configSection(s string) (section, sub, rest string, ok bool) {
	s = s[1:]
	end := strings.IndexAny(s, "]\" \t\n")
	if end < 0 || s[end] == '\n' {
		return "", "", "", false
	}
	section = s[:end]
	if s[end] == ']' {
		section, sub, _ = strings.Cut(section, ".")
		return section, sub, s[end+1:], true
	}
	s = strings.TrimLeft(s[end:], " \t")
	if !strings.HasPrefix(s, "\"") {
		return "", "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\n':
			return "", "", "", false
		case '\\':
			if i++; i >= len(s) || s[i] == '\n' {
				return "", "", "", false
			}
			b.WriteByte(s[i])
		case '"':
			rest, ok := strings.CutPrefix(s[i+1:], "]")
			return section, b.String(), rest, ok
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", "", false
}

// configValue reads `key = value` with quotes, escapes, comments and
// continued lines. The key is in lower case.
func configValue(s string) (key, value, rest string, ok bool) {
	end := strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-')
	})
	if end < 0 {
		return strings.ToLower(s), "", "", true
	}
	key = strings.ToLower(s[:end])
	s = strings.TrimLeft(s[end:], " \t")
	if key == "" {
		return "", "", "", false
	}
	if s == "" || s[0] == '\n' || s[0] == '#' || s[0] == ';' {
		_, rest, _ = strings.Cut(s, "\n")
		return key, "", rest, true
	}
	if s[0] != '=' {
		return "", "", "", false
	}
	value, rest, ok = configText(strings.TrimLeft(s[1:], " \t"))
	return key, value, rest, ok
}

func configText(s string) (value, rest string, ok bool) {
	var b strings.Builder
	quoted, comment := false, false
	trim := 0 // length up to the last character that is no trailing space
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\n':
			return b.String()[:trim], s[i+1:], !quoted
		case comment:
		case c == '"':
			quoted = !quoted
			trim = b.Len()
		case c == '\\':
			if i++; i >= len(s) {
				return "", "", false
			}
			if s[i] == '\n' {
				continue
			}
			at := strings.IndexByte(`ntb"\`, s[i])
			if at < 0 {
				return "", "", false
			}
			b.WriteByte("\n\t\b\"\\"[at])
			trim = b.Len()
		case !quoted && (c == '#' || c == ';'):
			comment = true
		default:
			b.WriteByte(c)
			if quoted || c != ' ' && c != '\t' {
				trim = b.Len()
			}
		}
	}
	return b.String()[:trim], "", !quoted
}
