package forge

import (
	"regexp"
	"slices"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

// maxWorkflow is the longest workflow file that is read, in bytes.
const maxWorkflow = 512 << 10

// An Exposed is a workflow of the target branch that runs an agent's code with
// secrets or a token that can write, before any human has looked at it.
type Exposed struct {
	File  string
	Event string // the trigger
	Why   string
}

// sampleBranches stand for the branches of all attempts: patterns are tried on
// them.
var sampleBranches = func() (all []string) {
	for _, r := range "0123456789ABCDEFGHJKMNPQRSTVWXYZ" {
		all = append(all, gateway.BranchPrefix+"01"+strings.Repeat(string(r), 24))
	}
	return all
}()

// exposed judges one workflow file. A file that cannot be read is exposed: what
// is not known is not safe.
func exposed(name string, data []byte, base string) []Exposed {
	root, diags := strictyaml.Parse(name, data, maxWorkflow)
	if root == nil {
		why := "the file cannot be read"
		if len(diags) > 0 {
			why += ": " + diags[0].Message
		}
		return []Exposed{{File: name, Event: "?", Why: line(why)}}
	}
	if root.Kind != strictyaml.Map {
		return nil // GitHub runs no such file
	}
	if why := refusedNode(root); why != "" {
		return []Exposed{{File: name, Event: "?", Why: line("the file cannot be read whole: " + why)}}
	}
	why := reach(root)
	found := []Exposed{}
	for _, t := range triggers(child(root, "on")) {
		switch {
		case t.event == "pull_request_target" && t.covers([]string{base}):
			found = append(found, Exposed{File: name, Event: t.event, Why: "it runs with secrets and a token that can write, by its nature"})
		case why == "":
		case t.event == "push" && t.covers(sampleBranches), t.event == "pull_request" && t.covers([]string{base}), t.event == "create":
			found = append(found, Exposed{File: name, Event: t.event, Why: why})
		}
	}
	return found
}

func child(n *strictyaml.Node, key string) *strictyaml.Node {
	if n == nil || n.Kind != strictyaml.Map {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return nil
}

// visit goes through all values; a mapping's keys go with them.
func visit(n *strictyaml.Node, see func(key string, n *strictyaml.Node) bool) bool {
	if n == nil {
		return false
	}
	for _, p := range n.Pairs {
		if see(p.Key, p.Value) || visit(p.Value, see) {
			return true
		}
	}
	for _, item := range n.Items {
		if see("", item) || visit(item, see) {
			return true
		}
	}
	return false
}

func refusedNode(root *strictyaml.Node) (why string) {
	visit(root, func(_ string, n *strictyaml.Node) bool {
		if n != nil && n.Kind == strictyaml.Refused {
			why = n.Problem
		}
		return why != ""
	})
	return why
}

var usesSecret = regexp.MustCompile(`(?i)\$\{\{[^}]*\bsecrets\b`)

// reach says what of value a workflow's jobs can reach; empty if nothing.
func reach(root *strictyaml.Node) (why string) {
	visit(root, func(key string, n *strictyaml.Node) bool {
		switch {
		case n == nil:
		case key == "secrets" && n.Kind == strictyaml.Scalar && n.Text == "inherit":
			why = "it hands all secrets on (secrets: inherit)"
		case n.Kind == strictyaml.Scalar && (usesSecret.MatchString(n.Text) || key == "if" && strings.Contains(n.Text, "secrets.")) && !onlyToken(n.Text):
			why = "it uses secrets"
		}
		return why != ""
	})
	if why != "" {
		return why
	}
	whole := child(root, "permissions")
	jobs := child(root, "jobs")
	if jobs == nil {
		return ""
	}
	for _, job := range jobs.Pairs {
		granted := child(job.Value, "permissions")
		if granted == nil {
			granted = whole
		}
		if w := writes(granted); w != "" {
			return w
		}
	}
	return ""
}

var anySecret = regexp.MustCompile(`(?i)\bsecrets\s*(?:\.\s*([A-Za-z0-9_]+)|\[\s*'([^']*)'\s*\]|)`)

// onlyToken reports text that names no secret but the job's own token, of
// which the permissions tell.
func onlyToken(s string) bool {
	for _, m := range anySecret.FindAllStringSubmatch(s, -1) {
		if !strings.EqualFold(m[1]+m[2], "GITHUB_TOKEN") {
			return false
		}
	}
	return true
}

// writes says what a job's token can write; empty if nothing.
func writes(granted *strictyaml.Node) string {
	switch {
	case granted == nil:
		return "its permissions are not stated, and the repository's default may let it write; state permissions: {contents: read}"
	case granted.Kind == strictyaml.Scalar && granted.Text == "read-all":
		return ""
	case granted.Kind == strictyaml.Scalar:
		return "its token can write (permissions: " + line(granted.Text) + ")"
	}
	for _, p := range granted.Pairs {
		if p.Value == nil || p.Value.Kind != strictyaml.Scalar || p.Value.Text != "read" && p.Value.Text != "none" {
			return "its token can write " + line(p.Key)
		}
	}
	return ""
}

// A trigger is one event of a workflow's "on", with its filters of branches.
type trigger struct {
	event              string
	only, except       []string
	hasOnly, hasExcept bool
	tagsOnly           bool
}

func triggers(on *strictyaml.Node) (all []trigger) {
	switch {
	case on == nil:
	case on.Kind == strictyaml.Scalar:
		all = append(all, trigger{event: on.Text})
	case on.Kind == strictyaml.List:
		for _, item := range on.Items {
			all = append(all, trigger{event: item.Text})
		}
	default:
		for _, p := range on.Pairs {
			t := trigger{event: p.Key}
			t.only, t.hasOnly = patterns(child(p.Value, "branches"))
			t.except, t.hasExcept = patterns(child(p.Value, "branches-ignore"))
			tags := child(p.Value, "tags") != nil || child(p.Value, "tags-ignore") != nil
			t.tagsOnly = p.Key == "push" && tags && !t.hasOnly && !t.hasExcept
			all = append(all, t)
		}
	}
	return all
}

func patterns(n *strictyaml.Node) (all []string, there bool) {
	if n == nil {
		return nil, false
	}
	if n.Kind == strictyaml.Scalar {
		return []string{n.Text}, true
	}
	for _, item := range n.Items {
		all = append(all, item.Text)
	}
	return all, true
}

// covers reports whether the event runs for any of the branches.
func (t trigger) covers(branches []string) bool {
	return slices.ContainsFunc(branches, func(branch string) bool {
		switch {
		case t.tagsOnly:
			return false
		case t.hasOnly:
			return lastWord(t.only, branch)
		case t.hasExcept:
			return !lastWord(t.except, branch)
		}
		return true
	})
}

// lastWord reports whether a branch is matched: the last pattern that matches
// counts, and one that begins with ! takes it out again.
func lastWord(patterns []string, branch string) (in bool) {
	for _, p := range patterns {
		positive, negative := strings.CutPrefix(p, "!")
		re, err := branchPattern(positive)
		switch {
		case err != nil && !negative:
			in = true // what is not understood is taken for the worse
		case err == nil && re.MatchString(branch):
			in = !negative
		}
	}
	return in
}

// branchPattern is a filter pattern of GitHub's workflows: * within a segment,
// ** over segments, ? and + after a character, and [sets].
func branchPattern(p string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.HasPrefix(p[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case (c == '?' || c == '+') && i > 0:
			b.WriteByte(c)
		case c == '[':
			end := strings.IndexByte(p[i:], ']')
			if end < 2 {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(p[i : i+end+1])
			i += end
		case c == '\\' && i+1 < len(p):
			i++
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	return regexp.Compile(b.String() + "$")
}
