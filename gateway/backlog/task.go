package backlog

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"leviathan/gateway"
)

var taskKeys = []string{"id", "task_id", "title", "description", "scope", "priority", "ready", "status", "allowed_paths", "acceptance_criteria",
	"dependencies", "estimated_size", "labels", "agent", "verify", "timeout_seconds"}

// sizes are the estimated sizes by every name that they have.
var sizes = map[string]string{"xs": "xs", "s": "s", "m": "m", "l": "l", "xl": "xl", "small": "s", "medium": "m", "large": "l"}

// task reads one entry with its defaults. The entry is bad if it left an
// error; its id and line are there all the same, where they can be read.
func (p *fileReader) task(n *node) gateway.Task {
	t := gateway.Task{Priority: gateway.Medium, Status: "pending", AllowedPaths: []string{}, AcceptanceCriteria: []string{},
		Dependencies: []gateway.TaskID{}, Verify: []string{}, Line: n.line}
	if n.kind != mapNode && n.kind != refusedNode {
		p.errorf(n, "a task must be a mapping, not %s", n.typeName())
		return t
	}
	o, ok := p.object(n, "", taskKeys, true)
	if !ok {
		return t
	}
	p.taskID(o, &t)
	p.string(o, "title", &t.Title)
	p.string(o, "description", &t.Description)
	p.string(o, "scope", &t.Scope)
	if v := o.has("priority"); v != nil {
		if word, ok := p.oneOf(v, "priority", "high", "medium", "low"); ok {
			t.Priority = gateway.Priority(word)
		}
	}
	p.ready(o, &t)
	if v := o.has("status"); v != nil {
		if word, ok := p.oneOf(v, "status", "pending", "open", "in_progress", "completed", "blocked", "failed"); ok && word != "open" {
			t.Status = word
		}
	}
	p.paths(o, &t)
	p.list(o, "acceptance_criteria", &t.AcceptanceCriteria)
	p.dependencies(o, &t)
	if v := o.has("estimated_size"); v != nil {
		if word, ok := p.oneOf(v, "estimated_size", "xs", "s", "m", "l", "xl", "small", "medium", "large"); ok {
			t.EstimatedSize = sizes[word]
		}
	}
	p.list(o, "labels", &t.Labels)
	p.name(o, "agent", &t.Agent)
	p.list(o, "verify", &t.Verify)
	p.eachOnce(o.has("verify"), "verify", t.Verify)
	if v := o.has("timeout_seconds"); v != nil {
		t.TimeoutSeconds, _ = p.integer(v, "timeout_seconds", 1, 86400)
	}
	return t
}

// taskID reads id or its alias task_id; both together must agree.
func (p *fileReader) taskID(o object, t *gateway.Task) {
	n, alias := o.has("id"), o.has("task_id")
	if n == nil {
		n, alias = alias, nil
	}
	if n == nil {
		p.errorf(o.node, "the key id is missing; it is required")
		return
	}
	s, ok := p.text(n, "id")
	if !ok {
		return
	}
	if !gateway.TaskID(s).Valid() {
		p.errorf(n, "id %s must be 1 to 128 letters, digits, '.', '_' and '-', the first a letter or digit", show(s))
		return
	}
	t.ID = gateway.TaskID(s)
	if alias != nil {
		if other, ok := p.text(alias, "task_id"); ok && other != s {
			p.errorf(alias, "task_id %s contradicts id %s", show(other), show(s))
		}
	}
}

// ready takes the YAML boolean true alone as ready. What is neither boolean
// is an error of the task, so that its author learns why nothing happens.
func (p *fileReader) ready(o object, t *gateway.Task) {
	n := o.has("ready")
	if n == nil {
		return
	}
	if n.kind == scalarNode && n.plain && (n.text == "true" || n.text == "false") {
		t.Ready = n.text == "true"
		return
	}
	name := n.typeName()
	switch {
	case n.kind == refusedNode:
		p.errorf(n, "%s", n.problem)
	case name == "a boolean":
		p.errorf(n, "ready must be the YAML boolean true, in lower case, not %s", n.text)
	case n.kind == scalarNode && n.plain && name == "a string":
		p.errorf(n, "ready must be the YAML boolean true, not the string %s", show(n.text))
	default:
		p.errorf(n, "ready must be the YAML boolean true, not %s", name)
	}
}

// sized takes a string of bounded length without control characters other
// than line breaks and tabs.
func (p *fileReader) sized(n *node, key, s string) bool {
	switch {
	case len(s) > MaxStringBytes:
		p.errorf(n, "%s has %d bytes; at most %d are read", key, len(s), MaxStringBytes)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		p.errorf(n, "%s has control characters in it", key)
	default:
		return true
	}
	return false
}

func (p *fileReader) string(o object, key string, into *string) {
	n := o.has(key)
	if n == nil {
		return
	}
	if s, ok := p.text(n, key); ok && p.sized(n, key, s) {
		*into = s
	}
}

// name reads a name of the operator's config; which there are, policy knows.
func (p *fileReader) name(o object, key string, into *string) {
	p.string(o, key, into)
	if n := o.has(key); n != nil && n.kind == scalarNode && n.typeName() == "a string" && *into == "" {
		p.errorf(n, "%s is empty; remove the key or give a name", key)
	}
}

func (p *fileReader) list(o object, key string, into *[]string) bool {
	n := o.has(key)
	if n == nil {
		return false
	}
	items, ok := p.texts(n, key)
	if !ok {
		return false
	}
	for i, item := range items {
		ok = p.sized(n.items[i], key+"["+strconv.Itoa(i)+"]", item) && ok
	}
	if ok {
		*into = items
	}
	return ok
}

// eachOnce refuses empty and repeated names.
func (p *fileReader) eachOnce(n *node, key string, names []string) {
	for i, name := range names {
		switch {
		case name == "":
			p.errorf(n.items[i], "%s[%d] is empty", key, i)
		case slices.Contains(names[:i], name):
			p.errorf(n.items[i], "%s[%d] %s is there twice", key, i, show(name))
		}
	}
}

// paths keeps allowed_paths as they are written: policy decides about what
// climbs or is protected. Only what no tree can have is refused.
func (p *fileReader) paths(o object, t *gateway.Task) {
	if !p.list(o, "allowed_paths", &t.AllowedPaths) {
		return
	}
	n := o.has("allowed_paths")
	for i, s := range t.AllowedPaths {
		at := "allowed_paths[" + strconv.Itoa(i) + "] " + show(s)
		switch {
		case s == "":
			p.errorf(n.items[i], "allowed_paths[%d] is empty", i)
		case path.IsAbs(s):
			p.errorf(n.items[i], "%s must be relative to the repository's root", at)
		case strings.Contains(s, `\`):
			p.errorf(n.items[i], "%s has a backslash; git's paths use /", at)
		case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }):
			p.errorf(n.items[i], "%s has control characters in it", at)
		}
	}
}

func (p *fileReader) dependencies(o object, t *gateway.Task) {
	var ids []string
	if !p.list(o, "dependencies", &ids) {
		return
	}
	n := o.has("dependencies")
	for i, id := range ids {
		switch {
		case !gateway.TaskID(id).Valid():
			p.errorf(n.items[i], "dependencies[%d] %s is not the id of a task", i, show(id))
		case slices.Contains(t.Dependencies, gateway.TaskID(id)):
			p.warnf(n.items[i], "dependencies[%d] %s is there twice", i, show(id))
		default:
			t.Dependencies = append(t.Dependencies, gateway.TaskID(id))
		}
	}
}
