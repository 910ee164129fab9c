package engine

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// checksUnder is the package whose children are the checks; the rule deny of
// each is its entrypoint.
const checksUnder = "data.leviathan.invariants"

// checkDeadline bounds one check: the facts of a large repository are large.
const checkDeadline = 30 * time.Second

// A Check is one package right under leviathan.invariants that denies. Its
// texts are its package's METADATA.
type Check struct {
	Name        string
	Title       string
	Description string
	// Needs names the parts of the input without any of which the check has
	// nothing to look at (custom.needs).
	Needs []string
	// Named checks are about what only some repositories have, so that they run
	// only where they are asked for by name (custom.named).
	Named bool
}

// Checks are the invariant checks of one bundle, compiled and prepared. They
// never change, and all methods are safe for concurrent use.
type Checks struct {
	digest, revision string
	list             []Check
	codes            []Code
	prepared         map[string]preparedCheck
}

// A preparedCheck is a check with a Snapshot that has its query, its codes and
// the bundle's files, and nothing else.
type preparedCheck struct {
	Check
	query *Snapshot
}

// A Source is a tree of policy files and the folder of the bundle at which it
// is mounted.
type Source struct {
	At string
	FS fs.FS
}

// LoadChecks loads the checks of a bundle that is put together from sources.
// It needs no main.decision, so that a gate loads nothing but its own rules.
// A bundle without a check is refused; every refusal is a *LoadError.
func LoadChecks(ctx context.Context, opts Options, sources ...Source) (*Checks, error) {
	var files []file
	for _, source := range sources {
		read, err := readFS(ctx, source.FS, opts)
		if err != nil {
			return nil, err
		}
		if _, err := read.verify(opts); err != nil {
			return nil, err
		}
		for _, f := range read.files {
			files = append(files, file{name: path.Join(source.At, f.name), data: f.data})
		}
	}
	c := collector{content: content{files: files}}
	whole, err := c.finish()
	if err != nil {
		return nil, err
	}
	files = whole.files
	packed, err := pack(files)
	if err != nil {
		return nil, refuse(StepRead, "", err, "%v", err)
	}
	manifest, err := readManifest(files)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{opts: opts, files: files, packed: packed, digest: digestOf(packed), revision: manifest.Revision}
	if s.revision == "" {
		s.revision = s.digest[len("sha256:"):][:12]
	}
	modules, err := parse(slices.DeleteFunc(slices.Clone(files), func(f file) bool { return isTest(f.name) }), manifest)
	if err != nil {
		return nil, err
	}
	s.parsed.Store(&modules)
	return s.Checks(ctx)
}

// Checks are the invariant checks that the bundle contains. The first call
// compiles the bundle once more, which takes as long as loading it; the others
// get what that made. It fails if the bundle has no check.
func (s *Snapshot) Checks(ctx context.Context) (*Checks, error) {
	s.checksMu.Lock()
	defer s.checksMu.Unlock()
	if s.checks == nil {
		made, err := s.prepareChecks(ctx)
		if err != nil {
			return nil, err
		}
		s.checks = made
	}
	return s.checks, nil
}

func (s *Snapshot) prepareChecks(ctx context.Context) (*Checks, error) {
	manifest, err := readManifest(s.files)
	if err != nil {
		return nil, err
	}
	data, err := readData(s.files, manifest)
	if err != nil {
		return nil, err
	}
	live, err := s.liveParsed()
	if err != nil {
		return nil, err
	}
	codes, err := readCodes(live)
	if err != nil {
		return nil, err
	}
	compiler, err := compile(live, data)
	if err != nil {
		return nil, err
	}
	store := newStore(data)
	c := &Checks{digest: s.digest, revision: s.revision, codes: codes, list: findChecks(live), prepared: map[string]preparedCheck{}}
	for _, check := range c.list {
		under := checksUnder + "." + check.Name
		ref := under + "." + denyRule
		query, err := rego.New(
			rego.Query(resultVar+" = "+ref),
			rego.Compiler(compiler),
			rego.Store(store),
			rego.StrictBuiltinErrors(true),
			rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil }),
		).PrepareForEval(ctx)
		if err != nil {
			return nil, refuse(StepEntrypoint, "", err, "prepare %s: %v", ref, err)
		}
		own := slices.DeleteFunc(slices.Clone(codes), func(code Code) bool { return "data."+code.Package != under })
		c.prepared[check.Name] = preparedCheck{check, &Snapshot{query: query, files: s.files, codes: own}}
	}
	if len(c.list) == 0 {
		return nil, refuse(StepEntrypoint, "", nil, "no rules: no package under %s has the rule %s", checksUnder, denyRule)
	}
	return c, nil
}

// findChecks finds the packages with a rule deny right under checksUnder.
func findChecks(modules map[string]*ast.Module) []Check {
	under := ast.MustParseRef(checksUnder)
	found := map[string]Check{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		if len(m.Package.Path) != len(under)+1 || !m.Package.Path.HasPrefix(under) {
			continue
		}
		if slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool { return ruleName(r) == denyRule }) {
			last, _ := m.Package.Path[len(under)].Value.(ast.String)
			if _, ok := found[string(last)]; !ok {
				found[string(last)] = Check{Name: string(last)}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		last, _ := m.Package.Path[len(m.Package.Path)-1].Value.(ast.String)
		check, ok := found[string(last)]
		if !ok || len(m.Package.Path) != len(under)+1 || !m.Package.Path.HasPrefix(under) {
			continue
		}
		for _, a := range m.Annotations {
			if a.Scope != "package" {
				continue
			}
			check.Title, check.Description = strings.TrimSpace(a.Title), strings.TrimSpace(a.Description)
			needs, _ := a.Custom["needs"].([]any)
			for _, need := range needs {
				check.Needs = append(check.Needs, fmt.Sprint(need))
			}
			check.Named = a.Custom["named"] == true
			found[string(last)] = check
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
}

// List lists the checks by name.
func (c *Checks) List() []Check { return slices.Clone(c.list) }

// Codes lists the codes of all rules of the bundle, as Snapshot.Codes does.
func (c *Checks) Codes() []Code { return slices.Clone(c.codes) }

// Revision is the bundle's, as Snapshot.Revision has it.
func (c *Checks) Revision() string { return c.revision }

// Digest is the bundle's, as Snapshot.Digest has it.
func (c *Checks) Digest() string { return c.digest }

// Decide asks one check. It never fails, as Snapshot.Decide never does: what
// goes wrong, and a check that has nothing to look at, is a deny with a reason of
// the engine's own; see [Failures]. The Result allows if the check found no error;
// its Obligations are an object with the one key violations, a list of
// gateway.Violation, except for the engine's own denials, whose Obligations are {}.
func (c *Checks) Decide(ctx context.Context, name string, in Input) Result {
	check, ok := c.prepared[name]
	if !ok {
		return failed(CodeUndefined, fmt.Sprintf("there is no check %q", name))
	}
	if without := check.Lacks(in); without != "" {
		return failed(CodeNoFacts, "no "+without)
	}
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}
	object, err := in.object()
	if err != nil {
		return failed(CodeError, err.Error())
	}
	value, failure := check.query.evaluate(ctx, checkDeadline, object)
	if failure != nil {
		return *failure
	}
	result, err := readFindings(value)
	if err != nil {
		return failed(CodeResult, err.Error())
	}
	return result
}

// Explain decides one check again with every step of its rules shown, as
// Snapshot.Explain does.
func (c *Checks) Explain(ctx context.Context, name string, in Input) (Explanation, error) {
	check, ok := c.prepared[name]
	if !ok {
		return Explanation{}, fmt.Errorf("explain the check %q: the policy has none of that name", name)
	}
	if without := check.Lacks(in); without != "" {
		return Explanation{}, fmt.Errorf("explain the check %s: it had nothing to look at: no %s", name, without)
	}
	return check.query.explain(ctx, name, in, readFindings)
}

// hollow are the parts that say nothing.
var hollow = []string{"null", "[]", "{}", `{"source":[]}`, `{"source":{}}`}

// Lacks names the parts that the check needs, if the input has something of
// none of them; "" if the check has something to look at.
func (c Check) Lacks(in Input) string {
	for _, part := range in {
		if slices.Contains(c.Needs, part.Name) && !slices.Contains(hollow, string(part.JSON)) {
			return ""
		}
	}
	return strings.Join(c.Needs, ", no ")
}
