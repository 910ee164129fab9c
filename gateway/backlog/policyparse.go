package backlog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
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
	root, diags := strictyaml.Parse(name, data, MaxPolicyBytes)
	if root == nil {
		return nil, diags, &Error{Diagnostics: diags}
	}
	p := &policyReader{Reader: strictyaml.Reader{File: name}, out: &TargetPolicy{ForbiddenPaths: []string{},
		ScopeConstraints: map[string]ScopeConstraint{}, FileSizeLimits: FileSizeLimits{MaxFileSizeKB: map[string]int{}}}}
	p.policy(root)
	if p.Failed() {
		diags = p.Sorted()
		return nil, diags, &Error{Diagnostics: diags}
	}
	return p.out, p.Sorted(), nil
}

// A policyReader reads one policy.
type policyReader struct {
	strictyaml.Reader
	out *TargetPolicy
}

// fields takes a mapping of which only the known keys are enforced. The others
// are listed.
func (p *policyReader) fields(n *strictyaml.Node, path string, known ...string) (strictyaml.Object, bool) {
	from := len(p.Diags)
	o, ok := p.Object(n, path, known, true)
	for i := range p.Diags[from:] {
		if d := &p.Diags[from+i]; d.Warning {
			d.Message += " (it is not enforced)"
		}
	}
	return o, ok
}

func (p *policyReader) policy(root *strictyaml.Node) {
	o, ok := p.fields(root, "", "allowed_paths", "forbidden_paths", "scope_constraints", "safety_rules", "file_size_limits", "version")
	if !ok {
		return
	}
	if n := o.Get("allowed_paths"); n != nil {
		p.out.AllowedPaths = p.allowed(n)
	}
	if n := o.Get("forbidden_paths"); n != nil {
		p.out.ForbiddenPaths = p.globs(n, "forbidden_paths")
	}
	if n := o.Get("scope_constraints"); n != nil {
		for _, scope := range p.Named(n, "scope_constraints") {
			p.out.ScopeConstraints[scope.Key] = p.constraint(scope.Value, "scope_constraints."+scope.Key)
		}
	}
	if n := o.Get("safety_rules"); n != nil {
		p.safety(n)
	}
	if n := o.Get("file_size_limits"); n != nil {
		p.sizeLimits(n)
	}
}

func (p *policyReader) allowed(n *strictyaml.Node) *AllowedPaths {
	switch n.Kind {
	case strictyaml.List:
		return &AllowedPaths{All: p.globs(n, "allowed_paths")}
	case strictyaml.Map:
		out := &AllowedPaths{ByScope: map[string][]string{}}
		for _, scope := range p.Named(n, "allowed_paths") {
			out.ByScope[scope.Key] = p.globs(scope.Value, "allowed_paths."+scope.Key)
		}
		return out
	case strictyaml.Refused:
		p.Errorf(n, "%s", n.Problem)
	default:
		p.Errorf(n, "allowed_paths must be a list of globs or a mapping from scope to one, not %s", n.TypeName())
	}
	return nil
}

func (p *policyReader) globs(n *strictyaml.Node, path string) []string {
	globs, ok := p.Texts(n, path)
	if !ok {
		return globs
	}
	for i, g := range globs {
		p.glob(n.Items[i].Line, n.Items[i].Col, path+"["+strconv.Itoa(i)+"]", g)
	}
	return globs
}

// glob refuses a pattern that can match no path of a tree: it would restrict
// nothing where its author thinks that it does.
func (p *policyReader) glob(line, col int, path, g string) {
	switch {
	case g == "":
		p.ErrorAt(line, col, "%s is empty", path)
	case strings.HasPrefix(g, "/"):
		p.ErrorAt(line, col, "%s %s must be relative to the repository's root", path, strictyaml.Show(g))
	case len(g) > 4096 || strings.ContainsFunc(g, unicode.IsControl):
		p.ErrorAt(line, col, "%s is too long or has control characters in it", path)
	case strings.HasSuffix(g, "/"):
		p.ErrorAt(line, col, "%s %s matches no file; write %s", path, strictyaml.Show(g), strictyaml.Show(g+"**"))
	case !balanced(g):
		p.ErrorAt(line, col, "%s %s has brackets that do not close", path, strictyaml.Show(g))
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

func (p *policyReader) constraint(n *strictyaml.Node, path string) ScopeConstraint {
	var out ScopeConstraint
	o, ok := p.fields(n, path, "max_files_per_task", "allowed_operations", "description")
	if !ok {
		return out
	}
	p.number(o, "max_files_per_task", 1, &out.MaxFilesPerTask)
	if v := o.Get("allowed_operations"); v != nil && p.IsKind(v, path+".allowed_operations", strictyaml.List) {
		out.AllowedOperations = []string{}
		for i, item := range v.Items {
			word, ok := p.OneOf(item, path+".allowed_operations["+strconv.Itoa(i)+"]", "create", "update", "delete")
			if ok && !slices.Contains(out.AllowedOperations, word) {
				out.AllowedOperations = append(out.AllowedOperations, word)
			}
		}
	}
	return out
}

func (p *policyReader) number(o strictyaml.Object, key string, low int, into *int) {
	if n := o.Get(key); n != nil {
		*into, _ = p.Integer(n, o.Path+key, low, maxNumber)
	}
}

func (p *policyReader) safety(n *strictyaml.Node) {
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
	if v := o.Get("require_conventional_commit"); v != nil {
		s.RequireConventionalCommit, _ = p.Boolean(v, "safety_rules.require_conventional_commit")
	}
}

func (p *policyReader) sizeLimits(n *strictyaml.Node) {
	o, ok := p.fields(n, "file_size_limits", "max_file_size_kb")
	if !ok {
		return
	}
	v := o.Get("max_file_size_kb")
	if v == nil {
		return
	}
	for _, limit := range p.Named(v, "file_size_limits.max_file_size_kb") {
		path := "file_size_limits.max_file_size_kb." + limit.Key
		p.glob(limit.Line, limit.Col, "file_size_limits.max_file_size_kb", limit.Key)
		if kb, ok := p.Integer(limit.Value, path, 1, maxNumber); ok {
			p.out.FileSizeLimits.MaxFileSizeKB[limit.Key] = kb
		}
	}
}
