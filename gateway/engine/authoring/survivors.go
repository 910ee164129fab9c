package authoring

import (
	"fmt"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

// A Survivor is why a mutant may survive: an entry of policies/mutation.survivors.
type Survivor struct {
	File     string // relative to the bundle
	Rule     string // the rule's name; empty for any
	From     string // what stands there, as a report shows it; empty for any
	Mutation Mutation
	Reason   string

	line int
}

const maxSurvivorBytes = 1 << 20

// ParseSurvivors reads a list of survivors. Each entry needs file, mutation
// and reason, and rule or from. Name is the file's, for the diagnostics.
func ParseSurvivors(name string, data []byte) ([]Survivor, []gateway.Diagnostic) {
	root, diags := strictyaml.Parse(name, data, maxSurvivorBytes)
	if root == nil {
		return nil, diags
	}
	r := &strictyaml.Reader{File: name}
	if !r.IsKind(root, "", strictyaml.List) {
		return nil, r.Sorted()
	}
	var list []Survivor
	for i, node := range root.Items {
		path := fmt.Sprintf("[%d]", i)
		o, ok := r.Object(node, path+".", []string{"file", "rule", "from", "mutation", "reason"}, false)
		if !ok {
			continue
		}
		s := Survivor{line: node.Line}
		var kind string
		for _, field := range []struct {
			key string
			to  *string
		}{{"file", &s.File}, {"rule", &s.Rule}, {"from", &s.From}, {"mutation", &kind}, {"reason", &s.Reason}} {
			if n := o.Get(field.key); n != nil {
				*field.to, _ = r.Text(n, path+"."+field.key)
			}
		}
		if s.Mutation = Mutation(kind); s.File == "" || kind == "" || s.Reason == "" || s.Rule == "" && s.From == "" {
			r.Errorf(node, "%s needs file, mutation and reason, and rule or from", path)
		}
		list = append(list, s)
	}
	if r.Failed() {
		return nil, r.Sorted()
	}
	return list, nil
}

// Explain gives the survivors of the report their reasons. A reason for which
// no mutant survives is a problem: it has outlived what it was written for.
// Entries about files that the report does not touch are left alone.
func (r *MutationReport) Explain(name string, list []Survivor) []gateway.Diagnostic {
	touched := map[string]bool{}
	for _, o := range r.Mutants {
		touched[o.File] = true
	}
	var stale []gateway.Diagnostic
	for _, s := range list {
		matched := false
		for i := range r.Mutants {
			if o := &r.Mutants[i]; o.Fate == Survived && s.matches(o.Mutant) {
				o.Reason, matched = s.Reason, true
			}
		}
		if !matched && (touched[s.File] || !r.partial) {
			stale = append(stale, gateway.Diagnostic{File: name, Line: s.line,
				Message: fmt.Sprintf("no mutant survives that this is the reason for (%s, %s); remove the entry", s.File, s.Mutation)})
		}
	}
	return stale
}

func (s Survivor) matches(m Mutant) bool {
	return s.File == m.File && s.Mutation == m.Mutation && (s.Rule == "" || s.Rule == m.Rule) && (s.From == "" || s.From == m.From)
}
