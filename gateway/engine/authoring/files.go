package authoring

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"leviathan/gateway"
)

// maxSource bounds one policy file.
const maxSource = 4 << 20

// ReadSources reads the *.rego files of a folder by name, whatever is in them.
// Hidden files and folders are left out, as they are of a bundle.
func ReadSources(fsys fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the policies: %w", err)
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() || path.Ext(name) != ".rego" {
			return nil
		}
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return fmt.Errorf("read the policies: %w", err)
		}
		if info.Size() > maxSource {
			return fmt.Errorf("read the policies: %s is larger than %d bytes", name, maxSource)
		}
		if files[name], err = fs.ReadFile(fsys, name); err != nil {
			return fmt.Errorf("read the policies: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("read the policies: there is no .rego file")
	}
	return files, nil
}

// Format formats each file as opa fmt does. It returns those that change, by
// name, and why others cannot be formatted.
func Format(files map[string][]byte) (map[string][]byte, []gateway.Diagnostic) {
	changed := map[string][]byte{}
	var problems []gateway.Diagnostic
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, err := format.SourceWithOpts(name, files[name], format.Opts{RegoVersion: ast.RegoV1})
		switch {
		case err != nil:
			problems = append(problems, parseProblems(name, err)...)
		case string(text) != string(files[name]):
			changed[name] = text
		}
	}
	return changed, problems
}

// parseModules parses the files with their METADATA. What does not parse is
// among the problems only.
func parseModules(files map[string][]byte) (map[string]*ast.Module, []gateway.Diagnostic) {
	modules := map[string]*ast.Module{}
	var problems []gateway.Diagnostic
	for _, name := range slices.Sorted(maps.Keys(files)) {
		m, err := ast.ParseModuleWithOpts(name, string(files[name]), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
		if err != nil {
			problems = append(problems, parseProblems(name, err)...)
			continue
		}
		modules[name] = m
	}
	return modules, problems
}

func parseProblems(name string, err error) []gateway.Diagnostic {
	errs, ok := err.(ast.Errors)
	if !ok {
		return []gateway.Diagnostic{{File: name, Message: err.Error()}}
	}
	var problems []gateway.Diagnostic
	for _, e := range errs {
		d := gateway.Diagnostic{File: name, Message: e.Code + ": " + e.Message}
		if e.Location != nil {
			d.Line, d.Col = e.Location.Row, e.Location.Col
		}
		problems = append(problems, d)
	}
	return problems
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// packageName is the module's package without "data.".
func packageName(m *ast.Module) string { return strings.TrimPrefix(m.Package.Path.String(), "data.") }
