package forge

import (
	"regexp"
	"slices"
	"strings"
)

// ownerPlaces are where GitHub looks for the file; the first that is there
// counts.
var ownerPlaces = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

var (
	userName = regexp.MustCompile(`^@([A-Za-z0-9](?:[A-Za-z0-9_-]{0,38}))$`)
	mailName = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	teamName = regexp.MustCompile(`^@([A-Za-z0-9](?:[A-Za-z0-9_-]{0,38}))/([A-Za-z0-9._-]{1,100})$`)
)

// owners are who is responsible for paths, without the @, in the order of the
// file. Of what can be no reviewer odd has the names.
type owners struct {
	users, teams, odd []string
}

type ownerRule struct {
	match *regexp.Regexp
	names []string
}

// parseOwners reads a CODEOWNERS file as GitHub does: the last rule that
// matches a path counts, and a rule without owners takes them away. Lines that
// GitHub does not understand, in their pattern or in one of their owners, are
// passed over, as GitHub does: the rule before them counts.
func parseOwners(text string) (rules []ownerRule) {
	for raw := range strings.Lines(text) {
		fields := ownerFields(raw)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "!") || strings.ContainsAny(fields[0], "[]") || slices.ContainsFunc(fields[1:], notAnOwner) {
			continue
		}
		rules = append(rules, ownerRule{match: ownerPattern(fields[0]), names: fields[1:]})
	}
	return rules
}

// notAnOwner reports whether a name is in none of the forms of an owner: a user,
// a team, or the mail address of a user.
func notAnOwner(name string) bool {
	return !userName.MatchString(name) && !teamName.MatchString(name) && !mailName.MatchString(name)
}

// ownerFields parts a line at its spaces; one behind a backslash belongs to the
// pattern, and # begins a comment where a field could begin.
func ownerFields(raw string) (fields []string) {
	var field strings.Builder
	end := func() {
		if field.Len() > 0 {
			fields = append(fields, field.String())
			field.Reset()
		}
	}
	escaped := false
	for _, r := range clean(raw) {
		switch {
		case escaped:
			field.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ' ' || r == '\t' || r == '\n':
			end()
		case r == '#' && field.Len() == 0:
			return fields
		default:
			field.WriteRune(r)
		}
	}
	end()
	return fields
}

// ownerPattern is the pattern as an expression over whole paths. A pattern
// with a slash before its end begins at the root; a folder's covers all in it.
func ownerPattern(p string) *regexp.Regexp {
	rooted := strings.Contains(strings.TrimSuffix(p, "/"), "/")
	folder := strings.HasSuffix(p, "/")
	p = strings.Trim(p, "/")
	var b strings.Builder
	b.WriteString("^")
	if !rooted {
		b.WriteString("(?:.*/)?")
	}
	for i := 0; i < len(p); i++ {
		switch {
		case strings.HasPrefix(p[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(p[i:], "**"):
			b.WriteString(".*")
			i++
		case p[i] == '*':
			b.WriteString("[^/]*")
		case p[i] == '?':
			b.WriteString("[^/]")
		default:
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		}
	}
	switch {
	case folder:
		b.WriteString("/.*")
	case !strings.HasSuffix(p, "*") || !rooted:
		b.WriteString("(?:/.*)?")
	}
	b.WriteString("$")
	return regexp.MustCompile(b.String())
}

// ownersOf are the owners of the paths, each once.
func ownersOf(rules []ownerRule, paths []string) (o owners) {
	seen := map[string]bool{}
	for _, path := range paths {
		var names []string
		for _, r := range rules {
			if r.match.MatchString(path) {
				names = r.names
			}
		}
		for _, name := range names {
			if key := strings.ToLower(name); seen[key] {
				continue
			} else {
				seen[key] = true
			}
			if m := userName.FindStringSubmatch(name); m != nil {
				o.users = append(o.users, m[1])
			} else if m := teamName.FindStringSubmatch(name); m != nil {
				o.teams = append(o.teams, m[1]+"/"+m[2])
			} else {
				o.odd = append(o.odd, line(name))
			}
		}
	}
	return o
}
