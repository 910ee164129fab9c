package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/util"

	"leviathan/gateway"
)

// root is the only place in data that a bundle may fill.
const root = "leviathan"

// readManifest reads the manifest, which may be absent, and checks that it
// asks for nothing that this engine does not do.
func readManifest(files []file) (bundle.Manifest, error) {
	var m bundle.Manifest
	i := slices.IndexFunc(files, func(f file) bool { return f.name == bundle.ManifestExt })
	if i >= 0 {
		if err := util.NewJSONDecoder(bytes.NewReader(files[i].data)).Decode(&m); err != nil {
			return m, refuse(StepRead, bundle.ManifestExt, err, "read the manifest: %v", err)
		}
	}
	if m.Roots == nil {
		m.Roots = &[]string{root, maskRoot}
	}
	roots := *m.Roots
	for i, r := range roots {
		if roots[i] = strings.Trim(r, "/"); roots[i] == "" {
			m.Roots = &[]string{root, maskRoot} // the default that builders write: everything
			break
		}
		if !bundle.RootPathsContain([]string{root, maskRoot}, roots[i]) {
			return m, refuse(StepRead, bundle.ManifestExt, nil, "root %q is outside of %q and %q", r, root, maskRoot)
		}
	}
	if len(m.WasmResolvers) > 0 {
		return m, refuse(StepRead, bundle.ManifestExt, nil, "compiled policies are not evaluated")
	}
	versions := slices.Collect(maps.Values(m.FileRegoVersions))
	if m.RegoVersion != nil {
		versions = append(versions, *m.RegoVersion)
	}
	for _, v := range versions {
		if v != 1 {
			return m, refuse(StepRead, bundle.ManifestExt, nil, "Rego version %d is not supported; write policies in version 1", v)
		}
	}
	return m, nil
}

// readData merges the data files into one document.
func readData(files []file, manifest bundle.Manifest) (map[string]any, error) {
	data := map[string]any{}
	for _, f := range files {
		if k, _ := classify(f.name); k != kindData {
			continue
		}
		var value any
		unmarshal := util.Unmarshal // YAML, of which JSON is not quite a subset
		if path.Ext(f.name) == ".json" {
			unmarshal = util.UnmarshalJSON
		}
		if err := unmarshal(f.data, &value); err != nil {
			return nil, refuse(StepRead, f.name, err, "read data: %v", err)
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, refuse(StepRead, f.name, nil, "the data is not an object")
		}
		at := data
		if dir := path.Dir(f.name); dir != "." {
			for part := range strings.SplitSeq(dir, "/") {
				child, ok := at[part].(map[string]any)
				if !ok && at[part] != nil {
					return nil, refuse(StepRead, f.name, nil, "the data lies below a value that is not an object")
				}
				if !ok {
					child = map[string]any{}
					at[part] = child
				}
				at = child
			}
		}
		if key, ok := merge(at, object); !ok {
			return nil, refuse(StepRead, f.name, nil, "another data file has the key %q, too", key)
		}
	}
	if outside, found := outsideRoots(data, "", *manifest.Roots); found {
		return nil, refuse(StepRead, "", nil, "data at %q is outside of the roots %v", outside, *manifest.Roots)
	}
	return data, nil
}

// merge adds from to into, object by object; it stops at a key that both have
// with something other than objects.
func merge(into, from map[string]any) (conflict string, ok bool) {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		old, exists := into[key]
		if !exists {
			into[key] = from[key]
			continue
		}
		a, aok := old.(map[string]any)
		b, bok := from[key].(map[string]any)
		if !aok || !bok {
			return key, false
		}
		if conflict, ok := merge(a, b); !ok {
			return key + "/" + conflict, false
		}
	}
	return "", true
}

// outsideRoots finds a value that no root contains; objects above a root are
// the way to it.
func outsideRoots(data map[string]any, prefix string, roots []string) (string, bool) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		at := path.Join(prefix, key)
		if bundle.RootPathsContain(roots, at) {
			continue
		}
		child, ok := data[key].(map[string]any)
		if !ok || !slices.ContainsFunc(roots, func(r string) bool { return strings.HasPrefix(r, at+"/") }) {
			return at, true
		}
		if found, ok := outsideRoots(child, at, roots); ok {
			return found, true
		}
	}
	return "", false
}

// parse parses every module as Rego version 1 and holds its package to the
// roots. It reports all files with problems. Modules do not depend on each other
// here, so that every processor takes its share.
func parse(files []file, manifest bundle.Manifest) (map[string]*ast.Module, error) {
	modules, err := parseEach(files, manifest)
	labelCodes(liveModules(modules))
	return modules, err
}

// parseEach is parse without the labels.
func parseEach(files []file, manifest bundle.Manifest) (map[string]*ast.Module, error) {
	opts := ast.ParserOptions{Capabilities: hermetic(), ProcessAnnotation: true, RegoVersion: ast.RegoV1}
	type parsed struct {
		module   *ast.Module
		problems []gateway.Diagnostic
	}
	results := make([]parsed, len(files))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				if k, _ := classify(files[i].name); k == kindModule {
					results[i].module, results[i].problems = parseModule(files[i], opts, *manifest.Roots)
				}
			}
		})
	}
	workers.Wait()
	modules := map[string]*ast.Module{}
	var problems []gateway.Diagnostic
	for i, r := range results {
		problems = append(problems, r.problems...)
		if r.module != nil {
			modules[files[i].name] = r.module
		}
	}
	return modules, refuseAll(StepParse, problems)
}

func parseModule(f file, opts ast.ParserOptions, roots []string) (*ast.Module, []gateway.Diagnostic) {
	m, err := ast.ParseModuleWithOpts(f.name, string(f.data), opts)
	switch {
	case err != nil:
		return nil, diagnostics(f.name, err)
	case m == nil:
		return nil, []gateway.Diagnostic{{File: f.name, Line: 1, Message: "the module is empty"}}
	}
	at, err := storage.NewPathForRef(m.Package.Path)
	if err != nil || !bundle.RootPathsContain(roots, strings.Join(at, "/")) {
		return m, []gateway.Diagnostic{packageOutside(m, roots)}
	}
	return m, nil
}

func packageOutside(m *ast.Module, roots []string) gateway.Diagnostic {
	return at(m.Package.Location, "package %s is outside of the roots %v",
		strings.TrimPrefix(m.Package.Path.String(), "data."), roots)
}

// newCompiler is a strict compiler with the engine's capabilities; output
// keeps print statements, which are for tests only.
func newCompiler(data map[string]any, output bool) *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(hermetic()).
		WithStrict(true).
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(output).
		WithPathConflictsCheck(func(at []string) (bool, error) { return holds(data, at), nil })
}

// holds reports whether data has a value at the path or on the way to it.
func holds(data map[string]any, at []string) bool {
	var value any = data
	for _, key := range at {
		object, ok := value.(map[string]any)
		if !ok {
			return true // a rule below a plain value
		}
		if value, ok = object[key]; !ok {
			return false
		}
	}
	return true
}

// compile compiles modules, the live ones or all.
func compile(modules map[string]*ast.Module, data map[string]any) (*ast.Compiler, error) {
	compiler := newCompiler(data, false)
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, refuseAll(StepCompile, diagnostics("", compiler.Errors))
	}
	return compiler, refuseAll(StepCompile, danglingRefs(compiler, data))
}

// danglingRefs finds references into data where the bundle has nothing. Rego
// takes them for undefined, so that a misspelt one silently denies nothing.
func danglingRefs(compiler *ast.Compiler, data map[string]any) []gateway.Diagnostic {
	var problems []gateway.Diagnostic
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		ast.WalkRefs(compiler.Modules[name], func(ref ast.Ref) bool {
			prefix := ref.ConstantPrefix()
			if !ref.HasPrefix(ast.DefaultRootRef) || len(prefix) < 2 {
				return false
			}
			if len(compiler.GetRules(prefix)) == 0 && !holdsRef(data, prefix) {
				problems = append(problems, at(ref[0].Location, "%s refers to nothing in this bundle", ref))
			}
			return false
		})
	}
	return problems
}

// holdsRef reports whether data has a value at the reference.
func holdsRef(data map[string]any, ref ast.Ref) bool {
	var value any = data
	for _, term := range ref[1:] {
		key, ok := term.Value.(ast.String)
		if !ok {
			return true // below the constant part the data decides
		}
		object, ok := value.(map[string]any)
		if !ok {
			_, list := value.([]any)
			return list
		}
		if value, ok = object[string(key)]; !ok {
			return false
		}
	}
	return true
}

// number reads a whole number out of METADATA, where it may have come from
// YAML or JSON.
func number(x any) (int64, error) {
	n, err := json.Number(fmt.Sprint(x)).Int64()
	if err != nil {
		return 0, fmt.Errorf("%v is not a whole number", x)
	}
	return n, nil
}
