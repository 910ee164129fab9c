package engine

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inputSchema says what the gateway puts into the input; docs/policy_input.md
// is its manual.
//
//go:embed schemas/input.json
var inputSchema []byte

// otherInputs are the packages that the gateway does not ask about its own
// input: checks are asked about a repository, a mask about a record.
var otherInputs = []ast.Ref{ast.MustParseRef(checksUnder), ast.MustParseRef("data.system")}

// checkInput holds the rules to the schema of the input, so that one that reads
// what the gateway never says, such as a misspelt name, is refused: Rego would
// take it for undefined, and a rule that denies would never do so.
func (s *Snapshot) checkInput() (string, error) {
	var schema any
	if err := json.Unmarshal(inputSchema, &schema); err != nil {
		return "", fmt.Errorf("read the schema of the input: %w", err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	var rules []*ast.Rule
	for _, rule := range s.live() {
		if !hasOtherInput(rule) {
			rules = append(rules, rule)
		}
	}
	checker := ast.NewCompiler().WithCapabilities(hermetic()).WithSchemas(set)
	if errs := checker.PassesTypeCheckRules(rules); len(errs) > 0 {
		return "", refuseAll(StepSchema, diagnostics("", errs))
	}
	return fmt.Sprintf("%d rules read the input as it is", len(rules)), nil
}

func hasOtherInput(rule *ast.Rule) bool {
	for _, other := range otherInputs {
		if rule.Module.Package.Path.HasPrefix(other) {
			return true
		}
	}
	return false
}
