package engine

import (
	"context"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Options bound what is loaded, and say whom a bundle has to come from.
type Options struct {
	// MaxBytes is the most that a bundle's files may have together, before
	// compression. 0 means 16 MiB.
	MaxBytes int64
	// Keys are the public keys that a signature is verified with; any one of
	// them may have made it. A signature is always verified where there is a
	// key; without keys it is not, and the read step says so.
	Keys []Key
	// KeyID is the name that a signature must give its key: the header kid, or
	// the claim keyid. Empty: any.
	KeyID string
	// Scope is the claim that a signature must have; by default, none.
	Scope string
	// RequireSignature refuses a bundle that is not signed by one of Keys.
	RequireSignature bool
	// Tested says that the bundle went through [Gate] before, byte for byte. Only
	// what the decision and the mask depend on is parsed and compiled then, and
	// the rest of it, the checks of repositories and all tests, when it is first
	// asked for. The answers are the same.
	Tested bool
	// Interpreted evaluates by OPA's interpreter alone, some five times slower
	// and with the same answers: to hold the two against each other.
	Interpreted bool
	// Logger hears about a watch that has to fall back to polling, and of a plan
	// that is not trusted any longer. nil: nobody.
	Logger *slog.Logger
}

func (o Options) maxBytes() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return defaultMaxBytes
}

func (o Options) logger() *slog.Logger {
	if o.Logger != nil {
		return o.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// A Snapshot is one bundle, loaded, compiled and prepared. One that exists is
// valid. It never changes, and all its methods are safe for concurrent use.
// The nil Snapshot denies everything as unknown.policy_undefined.
type Snapshot struct {
	opts      Options
	files     []file
	packed    []byte
	digest    string
	revision  string
	store     storage.Store
	compiler  *ast.Compiler
	query     rego.PreparedEvalQuery
	machine   *machine                // nil: the query is interpreted
	answered  atomic.Uint64           // questions that the machine answered
	distrust  atomic.Bool             // it was wrong: the query is interpreted
	mask      *rego.PreparedEvalQuery // nil if the bundle masks nothing
	deadlines deadlines
	codes     []Code       // of a tested bundle those of the rules that decide
	steps     []StepResult // of loading

	documented map[string]bool // codes, and those of the engine

	// parsed are all modules, tests too, by file, from loading until the tests
	// have used them; see modules.
	parsed atomic.Pointer[map[string]*ast.Module]

	checksMu sync.Mutex
	checks   *Checks // made when they are first asked for

	codesMu  sync.Mutex
	allCodes []Code // of a tested bundle, when they are first asked for
}

// LoadDir loads the bundle in a directory: its *.rego, data.json, data.yaml
// and .manifest files, held to .signatures.json if there is one; any other file
// is left alone. Symbolic links are followed inside dir. Every refusal is a
// *LoadError.
func LoadDir(ctx context.Context, dir string, opts Options) (*Snapshot, error) {
	return load(ctx, opts, func() (content, error) { return readDir(ctx, dir, opts) })
}

// LoadFS loads the bundle in a file system, as LoadDir does.
func LoadFS(ctx context.Context, fsys fs.FS, opts Options) (*Snapshot, error) {
	return load(ctx, opts, func() (content, error) { return readFS(ctx, fsys, opts) })
}

// LoadBytes loads a bundle from a tar.gz, such as Bytes or `opa build` made.
func LoadBytes(ctx context.Context, archive []byte, opts Options) (*Snapshot, error) {
	return load(ctx, opts, func() (content, error) { return unpack(ctx, archive, opts) })
}

// Revision is the revision that the bundle's manifest gives; without one, the
// first twelve digits of the digest.
func (s *Snapshot) Revision() string { return s.revision }

// Digest is "sha256:" and the SHA-256 of Bytes. It depends on the names and
// contents of the bundle's files, not on their order, times or archive.
func (s *Snapshot) Digest() string { return s.digest }

// Bytes is the bundle as the one tar.gz that these files have, to be stored by
// its digest. LoadBytes makes an equal Snapshot of it.
func (s *Snapshot) Bytes() ([]byte, error) { return slices.Clone(s.packed), nil }

// Deadline is how long a decision about the action may take.
func (s *Snapshot) Deadline(action string) time.Duration { return s.deadlines.of(action) }

// liveModules are the modules that decide: all but the tests.
func liveModules(modules map[string]*ast.Module) map[string]*ast.Module {
	live := make(map[string]*ast.Module, len(modules))
	for name, m := range modules {
		if !isTest(name) {
			live[name] = m
		}
	}
	return live
}

// newStore holds the bundle's data, ready to be read by evaluations; nothing
// writes to it afterwards.
func newStore(data map[string]any) storage.Store {
	return inmem.NewFromObjectWithOpts(data, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
}

// prepare makes the query that every decision evaluates. Preparing once is
// what makes a decision cost microseconds.
func prepare(ctx context.Context, compiler *ast.Compiler, store storage.Store) (rego.PreparedEvalQuery, error) {
	query, err := rego.New(
		rego.Query(resultVar+" = "+entrypoint),
		rego.Compiler(compiler),
		rego.Store(store),
		rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(term *ast.Term, _ *rego.EvalContext) (any, error) { return term.Value, nil }),
	).PrepareForEval(ctx)
	if err != nil {
		return query, refuse(StepEntrypoint, "", err, "prepare %s: %v", entrypoint, err)
	}
	return query, nil
}
