package backlog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"leviathan/gateway"
)

// MaxPolicyBytes is the greatest size of a target's policy.
const MaxPolicyBytes = 1 << 20

// MarshalJSON writes the list, or the object from scope to globs.
func (a AllowedPaths) MarshalJSON() ([]byte, error) {
	if a.ByScope != nil {
		return json.Marshal(a.ByScope)
	}
	return json.Marshal(full(a.All))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *AllowedPaths) UnmarshalJSON(data []byte) error {
	*a = AllowedPaths{}
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &a.ByScope); err != nil {
			return fmt.Errorf("decoding allowed_paths by scope: %w", err)
		}
		return nil
	}
	if err := json.Unmarshal(data, &a.All); err != nil {
		return fmt.Errorf("decoding allowed_paths: %w", err)
	}
	return nil
}

// ParsePolicy reads a target's own policy. Keys that Leviathan does not
// enforce are warnings. A key that restricts and cannot be read is an error,
// an *Error, and the policy is nil: the target is off until it is mended. The
// diagnostics are all there are, in either case.
func ParsePolicy(name string, data []byte) (*TargetPolicy, []gateway.Diagnostic, error) {
	root, diags := parseYAML(name, data, MaxPolicyBytes)
	if root == nil {
		return nil, diags, &Error{Diagnostics: diags}
	}
	p := &policyReader{reader: reader{file: name}, out: &TargetPolicy{ForbiddenPaths: []string{},
		ScopeConstraints: map[string]ScopeConstraint{}, FileSizeLimits: FileSizeLimits{MaxFileSizeKB: map[string]int{}}}}
	p.policy(root)
	if p.failed(0) {
		diags = p.sorted()
		return nil, diags, &Error{Diagnostics: diags}
	}
	return p.out, p.sorted(), nil
}

// A policyReader reads one policy.
type policyReader struct {
	reader
	out *TargetPolicy
}

// fields takes a mapping of which only the known keys are enforced. The others
// are listed.
func (p *policyReader) fields(n *node, path string, known ...string) (object, bool) {
	from := len(p.diags)
	o, ok := p.object(n, path, known, true)
	for i := range p.diags[from:] {
		if d := &p.diags[from+i]; d.Warning {
			d.Message += " (it is not enforced)"
		}
	}
	return o, ok
}

func (p *policyReader) policy(root *node) {
	o, ok := p.fields(root, "", "allowed_paths", "forbidden_paths", "scope_constraints", "safety_rules", "file_size_limits", "version")
	if !ok {
		return
	}
	if n := o.has("allowed_paths"); n != nil {
		p.out.AllowedPaths = p.allowed(n)
	}
	if n := o.has("forbidden_paths"); n != nil {
		p.out.ForbiddenPaths = p.globs(n, "forbidden_paths")
	}
	if n := o.has("scope_constraints"); n != nil {
		for _, scope := range p.named(n, "scope_constraints") {
			p.out.ScopeConstraints[scope.key] = p.constraint(scope.value, "scope_constraints."+scope.key)
		}
	}
	if n := o.has("safety_rules"); n != nil {
		p.safety(n)
	}
	if n := o.has("file_size_limits"); n != nil {
		p.sizeLimits(n)
	}
}

func (p *policyReader) allowed(n *node) *AllowedPaths {
	switch n.kind {
	case listNode:
		return &AllowedPaths{All: p.globs(n, "allowed_paths")}
	case mapNode:
		out := &AllowedPaths{ByScope: map[string][]string{}}
		for _, scope := range p.named(n, "allowed_paths") {
			out.ByScope[scope.key] = p.globs(scope.value, "allowed_paths."+scope.key)
		}
		return out
	case refusedNode:
		p.errorf(n, "%s", n.problem)
	default:
		p.errorf(n, "allowed_paths must be a list of globs or a mapping from scope to one, not %s", n.typeName())
	}
	return nil
}

func (p *policyReader) globs(n *node, path string) []string {
	globs, ok := p.texts(n, path)
	if !ok {
		return globs
	}
	for i, g := range globs {
		p.glob(n.items[i].line, n.items[i].col, path+"["+strconv.Itoa(i)+"]", g)
	}
	return globs
}

// glob refuses a pattern that can match no path of a tree: it would restrict
// nothing where its author thinks that it does.
func (p *policyReader) glob(line, col int, path, g string) {
	switch {
	case g == "":
		p.errorAt(line, col, "%s is empty", path)
	case strings.HasPrefix(g, "/"):
		p.errorAt(line, col, "%s %s must be relative to the repository's root", path, show(g))
	case len(g) > 4096 || strings.ContainsFunc(g, unicode.IsControl):
		p.errorAt(line, col, "%s is too long or has control characters in it", path)
	case strings.HasSuffix(g, "/"):
		p.errorAt(line, col, "%s %s matches no file; write %s", path, show(g), show(g+"**"))
	case !balanced(g):
		p.errorAt(line, col, "%s %s has brackets that do not close", path, show(g))
	}
}

// balanced reports whether the brackets and braces of a glob close.
func balanced(g string) bool {
	depth, class, escaped := 0, false, false
	for _, r := range g {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case class:
			class = r != ']'
		case r == '[':
			class = true
		case r == '{':
			depth++
		case r == '}':
			depth--
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0 && !class && !escaped
}

func (p *policyReader) constraint(n *node, path string) ScopeConstraint {
	var out ScopeConstraint
	o, ok := p.fields(n, path, "max_files_per_task", "allowed_operations", "description")
	if !ok {
		return out
	}
	p.number(o, "max_files_per_task", 1, &out.MaxFilesPerTask)
	if v := o.has("allowed_operations"); v != nil && p.isKind(v, path+".allowed_operations", listNode) {
		out.AllowedOperations = []string{}
		for i, item := range v.items {
			word, ok := p.oneOf(item, path+".allowed_operations["+strconv.Itoa(i)+"]", "create", "update", "delete")
			if ok && !slices.Contains(out.AllowedOperations, word) {
				out.AllowedOperations = append(out.AllowedOperations, word)
			}
		}
	}
	return out
}

func (p *policyReader) number(o object, key string, low int, into *int) {
	if n := o.has(key); n != nil {
		*into, _ = p.integer(n, o.path+key, low, maxNumber)
	}
}

func (p *policyReader) safety(n *node) {
	o, ok := p.fields(n, "safety_rules", "max_attempts_per_task", "backoff_seconds", "max_concurrent_attempts", "max_tasks_per_day",
		"require_conventional_commit")
	if !ok {
		return
	}
	s := &p.out.SafetyRules
	p.number(o, "max_attempts_per_task", 1, &s.MaxAttemptsPerTask)
	p.number(o, "backoff_seconds", 0, &s.BackoffSeconds)
	p.number(o, "max_concurrent_attempts", 1, &s.MaxConcurrentAttempts)
	p.number(o, "max_tasks_per_day", 1, &s.MaxTasksPerDay)
	if v := o.has("require_conventional_commit"); v != nil {
		s.RequireConventionalCommit, _ = p.boolean(v, "safety_rules.require_conventional_commit")
	}
}

func (p *policyReader) sizeLimits(n *node) {
	o, ok := p.fields(n, "file_size_limits", "max_file_size_kb")
	if !ok {
		return
	}
	v := o.has("max_file_size_kb")
	if v == nil {
		return
	}
	for _, limit := range p.named(v, "file_size_limits.max_file_size_kb") {
		path := "file_size_limits.max_file_size_kb." + limit.key
		p.glob(limit.line, limit.col, "file_size_limits.max_file_size_kb", limit.key)
		if kb, ok := p.integer(limit.value, path, 1, maxNumber); ok {
			p.out.FileSizeLimits.MaxFileSizeKB[limit.key] = kb
		}
	}
}
