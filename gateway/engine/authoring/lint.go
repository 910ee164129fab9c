package authoring

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"leviathan/gateway"
)

// denyRule is what rules that give reasons are called.
const denyRule = "deny"

// unknownFact begins the codes of facts that are not known, in any package.
const unknownFact = "unknown"

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)

// Lint holds the files of a bundle to what this project asks of them beyond
// what compiles: complete METADATA, codes named after their package, one
// folder for each package with a test beside it, no print, no helper that
// nothing uses. The problems are sorted by place.
func Lint(files map[string][]byte) []gateway.Diagnostic {
	modules, problems := parseModules(files)
	l := linter{modules: modules, problems: problems}
	l.packages()
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		l.prints(modules[name])
		if !isTest(name) {
			l.metadata(modules[name])
		}
	}
	l.helpers()
	slices.SortStableFunc(l.problems, func(a, b gateway.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return l.problems
}

type linter struct {
	modules  map[string]*ast.Module
	problems []gateway.Diagnostic
}

func (l *linter) add(at *ast.Location, text string, args ...any) {
	l.problems = append(l.problems, gateway.Diagnostic{File: at.File, Line: at.Row, Col: at.Col, Message: fmt.Sprintf(text, args...)})
}

// packages holds folders to packages: one has the other's name and files.
func (l *linter) packages() {
	first := map[string]string{}         // by folder: its package
	described := map[string]bool{}       // by package
	tested := map[string]bool{}          // by package
	places := map[string]*ast.Location{} // by package: the first file's
	for _, name := range slices.Sorted(maps.Keys(l.modules)) {
		m := l.modules[name]
		pkg, dir := packageName(m), path.Dir(name)
		if isTest(name) {
			if !strings.HasSuffix(pkg, "_test") {
				l.add(m.Package.Location, "package %s of a test does not end in _test", pkg)
			}
			tested[dir+" "+strings.TrimSuffix(pkg, "_test")] = true
			continue
		}
		if known, ok := first[dir]; ok && known != pkg {
			l.add(m.Package.Location, "package %s is in the folder of %s; one folder is one package", pkg, known)
		} else if !ok {
			first[dir] = pkg
		}
		if want := path.Base(dir); dir != "." && pkg != want && !strings.HasSuffix(pkg, "."+want) {
			l.add(m.Package.Location, "package %s is in the folder %s; the folder has the package's last name", pkg, dir)
		}
		if places[pkg] == nil {
			places[pkg] = m.Package.Location
		} else if other := path.Dir(places[pkg].File); other != dir {
			l.add(m.Package.Location, "package %s is in the folder %s already; one package is one folder", pkg, other)
		}
		for _, a := range m.Annotations {
			if a.Scope == "package" && strings.TrimSpace(a.Title) != "" && strings.TrimSpace(a.Description) != "" {
				described[pkg] = true
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(places)) {
		at := places[pkg]
		if !described[pkg] {
			l.add(at, "package %s has no METADATA with title and description", pkg)
		}
		if !tested[path.Dir(at.File)+" "+pkg] {
			l.add(at, "package %s has no test beside it: no *_test.rego of package %s_test is in the folder", pkg, pkg)
		}
	}
}

// metadata holds the rules that give reasons to their METADATA.
func (l *linter) metadata(m *ast.Module) {
	coded := map[*ast.Rule]bool{}
	pkg := packageName(m)
	last := pkg[strings.LastIndexByte(pkg, '.')+1:]
	for _, a := range m.Annotations {
		rule := ast.NewAnnotationsRef(a).GetRule()
		if _, ok := a.Custom["code"]; !ok || rule == nil {
			continue
		}
		coded[rule] = true
		text := func(key string) string { s, _ := a.Custom[key].(string); return strings.TrimSpace(s) }
		code := text("code")
		of, _, _ := strings.Cut(code, ".")
		switch {
		case !codeForm.MatchString(code):
			l.add(rule.Location, "custom.code %q is not <package>.<snake_case>", a.Custom["code"])
		case of != last && of != unknownFact:
			l.add(rule.Location, "code %s is not of this package; name it %s.%s", code, last, code[len(of)+1:])
		}
		for _, field := range [][2]string{
			{"title", a.Title}, {"description", a.Description}, {"custom.message", text("message")}, {"custom.remedy", text("remedy")},
		} {
			if strings.TrimSpace(field[1]) == "" {
				l.add(rule.Location, "METADATA of code %s has no %s", code, field[0])
			}
		}
	}
	for _, rule := range m.Rules {
		if nameOf(rule) == denyRule && !coded[rule] {
			l.add(rule.Location, "the rule %s has no METADATA with custom.code", denyRule)
		}
	}
}

func (l *linter) prints(m *ast.Module) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.IsCall() && e.Operator().String() == "print" {
			l.add(e.Location, "print is for looking for a mistake; take it out")
		}
		return false
	})
}

// helpers finds rules whose name begins with an underscore and that nothing of
// their own package reads.
func (l *linter) helpers() {
	used := map[string]map[string]bool{} // by package: names
	for _, m := range l.modules {
		pkg := packageName(m)
		if used[pkg] == nil {
			used[pkg] = map[string]bool{}
		}
		for _, rule := range m.Rules {
			readsOf(rule, used[pkg])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.modules)) {
		m := l.modules[name]
		for _, rule := range m.Rules {
			if helper := nameOf(rule); strings.HasPrefix(helper, "_") && !used[packageName(m)][helper] {
				l.add(rule.Location, "nothing reads the helper %s", helper)
				used[packageName(m)][helper] = true // said once
			}
		}
	}
}

// readsOf adds every name that the rule reads. What it defines is in its
// head's reference, of which only what follows the name is read.
func readsOf(rule *ast.Rule, into map[string]bool) {
	names := func(x any) {
		ast.WalkVars(x, func(v ast.Var) bool {
			into[string(v)] = true
			return false
		})
	}
	for r := rule; r != nil; r = r.Else {
		names(r.Body)
		names(ast.Args(r.Head.Args))
		for _, term := range r.Head.Ref()[1:] {
			names(term)
		}
		for _, term := range []*ast.Term{r.Head.Key, r.Head.Value} {
			if term != nil {
				names(term)
			}
		}
	}
}

// nameOf is the first word of the rule's head.
func nameOf(rule *ast.Rule) string {
	name, _ := rule.Head.Ref()[0].Value.(ast.Var)
	return string(name)
}
