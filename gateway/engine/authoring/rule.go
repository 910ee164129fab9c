package authoring

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/open-policy-agent/opa/v1/ast"
)

// NewRule writes the two files of a rule with the code given, <package>.<name>:
// the rule, which denies nothing until a target is put into its set, and its
// test. Files are those of the bundle that the rule is for. It fails if the
// bundle does not read the deny rules of that package, or has the code or one
// of the files already.
func NewRule(code string, files map[string][]byte) (map[string][]byte, error) {
	if !codeForm.MatchString(code) {
		return nil, fmt.Errorf("new rule: %q is not <package>.<snake_case>, such as custom.no_friday", code)
	}
	modules, problems := parseModules(files)
	if len(problems) > 0 {
		return nil, fmt.Errorf("new rule: mend this first: %s", problems[0])
	}
	pkg, name, _ := strings.Cut(code, ".")
	if name == "test" || strings.HasSuffix(name, "_test") {
		return nil, fmt.Errorf("new rule: a rule whose name ends in test would be taken for a test: %s", code)
	}
	if err := fits(code, "leviathan."+pkg, modules); err != nil {
		return nil, err
	}
	written := map[string][]byte{}
	for file, text := range map[string]*template.Template{name + ".rego": ruleText, name + "_test.rego": ruleTest} {
		file = pkg + "/" + file
		if _, ok := files[file]; ok {
			return nil, fmt.Errorf("new rule: the file %s is there already", file)
		}
		var b bytes.Buffer
		title := strings.ReplaceAll(name, "_", " ")
		if err := text.Execute(&b, map[string]string{
			"Package": pkg, "Name": name, "Code": code, "Title": strings.ToUpper(title[:1]) + title[1:],
		}); err != nil {
			return nil, fmt.Errorf("new rule %s: %w", code, err)
		}
		written[file] = b.Bytes()
	}
	formatted, problems := Format(written)
	if len(problems) > 0 {
		return nil, fmt.Errorf("new rule %s: %s", code, problems[0])
	}
	maps.Copy(written, formatted)
	return written, nil
}

// fits reports whether the bundle can take a rule with the code.
func fits(code, pkg string, modules map[string]*ast.Module) error {
	found := map[string]bool{}
	denies := false
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		found[packageName(m)] = true
		for _, a := range m.Annotations {
			if a.Custom["code"] == code {
				return fmt.Errorf("new rule: the code %s is used already at %s:%d", code, name, a.Location.Row)
			}
		}
		for _, rule := range m.Rules {
			denies = denies || packageName(m) == pkg && nameOf(rule) == denyRule && len(rule.Head.Ref()) == 1
		}
	}
	for _, needed := range []string{"leviathan.reason", "leviathan.fixture_test"} {
		if !found[needed] {
			return fmt.Errorf("new rule: the policies have no package %s; begin with a copy of the shipped ones: leviathan policy build -o policies.tar.gz", needed)
		}
	}
	if !denies {
		return fmt.Errorf("new rule: the package %s has no rule that is called deny alone, so nothing would read this one; use custom.%s", pkg, code[strings.IndexByte(code, '.')+1:])
	}
	return nil
}

var ruleText = template.Must(template.New("rule").Parse(`package leviathan.{{.Package}}

import rego.v1

import data.leviathan.reason

# _{{.Name}}_targets are the targets that the rule is for. It denies nothing
# while there is none.
_{{.Name}}_targets := set()

# METADATA
# title: {{.Title}}
# description: Opening a pull request is denied for some targets.
# custom:
#   code: {{.Code}}
#   message: "no pull request may be opened for {target}"
#   remedy: "Ask the operator of the policies."
deny contains r if {
	input.action == "pull_request.open"
	some target in _{{.Name}}_targets
	input.resource.properties.target == target
	r := reason.of(rego.metadata.chain(), {"target": target})
}
`))

var ruleTest = template.Must(template.New("test").Parse(`package leviathan.{{.Package}}_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.{{.Package}}

test_{{.Name}}_denies_for_its_targets if {
	reasons := {{.Package}}.deny with input as fixture.open with data.leviathan.{{.Package}}._{{.Name}}_targets as {"demo"}
	"{{.Code}}" in fixture.codes(reasons)
}

test_{{.Name}}_denies_for_no_other_target if {
	reasons := {{.Package}}.deny with input as fixture.open with data.leviathan.{{.Package}}._{{.Name}}_targets as {"another"}
	not "{{.Code}}" in fixture.codes(reasons)
}
`))
