package backlog

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

var taskKeys = []string{"id", "task_id", "title", "description", "scope", "priority", "ready", "status", "allowed_paths", "acceptance_criteria",
	"dependencies", "estimated_size", "labels", "agent", "verify", "timeout_seconds"}

// sizes are the estimated sizes by every name that they have.
var sizes = map[string]string{"xs": "xs", "s": "s", "m": "m", "l": "l", "xl": "xl", "small": "s", "medium": "m", "large": "l"}

// task reads one entry with its defaults. The entry is bad if it left an
// error; its id and line are there all the same, where they can be read.
func (p *fileReader) task(n *strictyaml.Node) gateway.Task {
	t := gateway.Task{Priority: gateway.Medium, Status: "pending", AllowedPaths: []string{}, AcceptanceCriteria: []string{},
		Dependencies: []gateway.TaskID{}, Verify: []string{}, Line: n.Line}
	if n.Kind != strictyaml.Map && n.Kind != strictyaml.Refused {
		p.Errorf(n, "a task must be a mapping, not %s", n.TypeName())
		return t
	}
	o, ok := p.Object(n, "", taskKeys, true)
	if !ok {
		return t
	}
	p.taskID(o, &t)
	p.string(o, "title", &t.Title)
	p.string(o, "description", &t.Description)
	p.string(o, "scope", &t.Scope)
	if v := o.Get("priority"); v != nil {
		if word, ok := p.OneOf(v, "priority", "high", "medium", "low"); ok {
			t.Priority = gateway.Priority(word)
		}
	}
	p.ready(o, &t)
	if v := o.Get("status"); v != nil {
		if word, ok := p.OneOf(v, "status", "pending", "open", "in_progress", "completed", "blocked", "failed"); ok && word != "open" {
			t.Status = word
		}
	}
	p.paths(o, &t)
	p.list(o, "acceptance_criteria", &t.AcceptanceCriteria)
	p.dependencies(o, &t)
	if v := o.Get("estimated_size"); v != nil {
		if word, ok := p.OneOf(v, "estimated_size", "xs", "s", "m", "l", "xl", "small", "medium", "large"); ok {
			t.EstimatedSize = sizes[word]
		}
	}
	p.list(o, "labels", &t.Labels)
	p.name(o, "agent", &t.Agent)
	p.list(o, "verify", &t.Verify)
	p.eachOnce(o.Get("verify"), "verify", t.Verify)
	if v := o.Get("timeout_seconds"); v != nil {
		t.TimeoutSeconds, _ = p.Integer(v, "timeout_seconds", 1, 86400)
	}
	return t
}

// taskID reads id or its alias task_id; both together must agree.
func (p *fileReader) taskID(o strictyaml.Object, t *gateway.Task) {
	n, alias := o.Get("id"), o.Get("task_id")
	if n == nil {
		n, alias = alias, nil
	}
	if n == nil {
		p.Errorf(o.Node, "the key id is missing; it is required")
		return
	}
	s, ok := p.Text(n, "id")
	if !ok {
		return
	}
	if !gateway.TaskID(s).Valid() {
		p.Errorf(n, "id %s must be 1 to 128 letters, digits, '.', '_' and '-', the first a letter or digit", strictyaml.Show(s))
		return
	}
	t.ID = gateway.TaskID(s)
	if alias != nil {
		if other, ok := p.Text(alias, "task_id"); ok && other != s {
			p.Errorf(alias, "task_id %s contradicts id %s", strictyaml.Show(other), strictyaml.Show(s))
		}
	}
}

// ready takes the YAML boolean true alone as ready. What is neither boolean
// is an error of the task, so that its author learns why nothing happens.
func (p *fileReader) ready(o strictyaml.Object, t *gateway.Task) {
	n := o.Get("ready")
	if n == nil {
		return
	}
	if n.Kind == strictyaml.Scalar && n.Plain && (n.Text == "true" || n.Text == "false") {
		t.Ready = n.Text == "true"
		return
	}
	name := n.TypeName()
	switch {
	case n.Kind == strictyaml.Refused:
		p.Errorf(n, "%s", n.Problem)
	case name == "a boolean":
		p.Errorf(n, "ready must be the YAML boolean true, in lower case, not %s", n.Text)
	case n.Kind == strictyaml.Scalar && n.Plain && name == "a string":
		p.Errorf(n, "ready must be the YAML boolean true, not the string %s", strictyaml.Show(n.Text))
	default:
		p.Errorf(n, "ready must be the YAML boolean true, not %s", name)
	}
}

// sized takes a string of bounded length without control characters other
// than line breaks and tabs.
func (p *fileReader) sized(n *strictyaml.Node, key, s string) bool {
	switch {
	case len(s) > MaxStringBytes:
		p.Errorf(n, "%s has %d bytes; at most %d are read", key, len(s), MaxStringBytes)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		p.Errorf(n, "%s has control characters in it", key)
	default:
		return true
	}
	return false
}

func (p *fileReader) string(o strictyaml.Object, key string, into *string) {
	n := o.Get(key)
	if n == nil {
		return
	}
	if s, ok := p.Text(n, key); ok && p.sized(n, key, s) {
		*into = s
	}
}

// name reads a name of the operator's config; which there are, policy knows.
func (p *fileReader) name(o strictyaml.Object, key string, into *string) {
	p.string(o, key, into)
	if n := o.Get(key); n != nil && n.Kind == strictyaml.Scalar && n.TypeName() == "a string" && *into == "" {
		p.Errorf(n, "%s is empty; remove the key or give a name", key)
	}
}

func (p *fileReader) list(o strictyaml.Object, key string, into *[]string) bool {
	n := o.Get(key)
	if n == nil {
		return false
	}
	items, ok := p.Texts(n, key)
	if !ok {
		return false
	}
	for i, item := range items {
		ok = p.sized(n.Items[i], key+"["+strconv.Itoa(i)+"]", item) && ok
	}
	if ok {
		*into = items
	}
	return ok
}

// eachOnce refuses empty and repeated names.
func (p *fileReader) eachOnce(n *strictyaml.Node, key string, names []string) {
	for i, name := range names {
		switch {
		case name == "":
			p.Errorf(n.Items[i], "%s[%d] is empty", key, i)
		case slices.Contains(names[:i], name):
			p.Errorf(n.Items[i], "%s[%d] %s is there twice", key, i, strictyaml.Show(name))
		}
	}
}

// paths keeps allowed_paths as they are written: policy decides about what
// climbs or is protected. Only what no tree can have is refused.
func (p *fileReader) paths(o strictyaml.Object, t *gateway.Task) {
	if !p.list(o, "allowed_paths", &t.AllowedPaths) {
		return
	}
	n := o.Get("allowed_paths")
	for i, s := range t.AllowedPaths {
		at := "allowed_paths[" + strconv.Itoa(i) + "] " + strictyaml.Show(s)
		switch {
		case s == "":
			p.Errorf(n.Items[i], "allowed_paths[%d] is empty", i)
		case path.IsAbs(s):
			p.Errorf(n.Items[i], "%s must be relative to the repository's root", at)
		case strings.Contains(s, `\`):
			p.Errorf(n.Items[i], "%s has a backslash; git's paths use /", at)
		case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
			p.Errorf(n.Items[i], "%s has control characters in it", at)
		}
	}
}

func (p *fileReader) dependencies(o strictyaml.Object, t *gateway.Task) {
	var ids []string
	if !p.list(o, "dependencies", &ids) {
		return
	}
	n := o.Get("dependencies")
	for i, id := range ids {
		switch {
		case !gateway.TaskID(id).Valid():
			p.Errorf(n.Items[i], "dependencies[%d] %s is not the id of a task", i, strictyaml.Show(id))
		case slices.Contains(t.Dependencies, gateway.TaskID(id)):
			p.Warnf(n.Items[i], "dependencies[%d] %s is there twice", i, strictyaml.Show(id))
		default:
			t.Dependencies = append(t.Dependencies, gateway.TaskID(id))
		}
	}
}
