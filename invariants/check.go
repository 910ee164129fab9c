package invariants

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/invariants/facts"
	"leviathan/invariants/report"
	"leviathan/policies"
)

// Options say what is checked and how. Dir is required.
type Options struct {
	// Dir is the root of the repository.
	Dir string
	// Settings is the file of the settings, from Dir; empty means SettingsFile,
	// if there is one.
	Settings string
	// Categories are the only ones to check, instead of the settings'.
	Categories []string
	// State is the folder of the journal that the verdicts go to; empty means a
	// temporary one, removed at the end.
	State string
	// Baseline is a file of known violations that do not count, or empty.
	Baseline string
	// WriteBaseline is a file that becomes the baseline of what was found, or
	// empty.
	WriteBaseline string
	// ChangedSince is a git revision: violations in files that did not change
	// since the work left it do not count. Empty means that all count.
	ChangedSince string
	// Binary is what the calling program can do.
	Binary facts.Binary
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Check checks a repository. The error says that the check could not run at
// all: no repository, no facts, bad settings, policies that do not load. What
// could not run of a check that did is report.Unknown in the Report. Every
// verdict is in the journal when Check returns.
func Check(ctx context.Context, opts Options) (*report.Report, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	settings, checks, err := load(ctx, opts.Dir, opts.Settings)
	if err != nil {
		return nil, err
	}
	asked := cmpList(opts.Categories, settings.Categories)
	selected, err := choose(checks.List(), asked)
	if err != nil {
		return nil, err
	}
	found, err := facts.Read(ctx, opts.Dir, settings.options(opts.Binary))
	if err != nil {
		return nil, err
	}
	parts, err := questionParts(found, settings)
	if err != nil {
		return nil, err
	}
	var off []string
	if len(asked) == 0 {
		if selected, off, err = present(selected, parts); err != nil {
			return nil, err
		}
	}
	answers := askAll(ctx, checks, selected, parts)
	r := &report.Report{Version: opts.Binary.Version, Revision: checks.Revision(), PolicyDigest: checks.Digest(),
		Off: off, Waived: []report.Waived{}, Baselined: []gateway.Violation{}, Rules: rulesOf(checks.Codes())}
	for _, a := range answers {
		r.Categories = append(r.Categories, a.category())
	}
	judged, err := judgeWaivers(ctx, checks, settings, r, opts.Now())
	if err != nil {
		return nil, err
	}
	answers = append(answers, judged)
	r.Categories = append(r.Categories, judged.category())
	if err := record(ctx, opts, checks, answers, r); err != nil {
		return nil, err
	}
	if err := reduce(ctx, opts, settings, r); err != nil {
		return nil, err
	}
	r.Settle()
	return r, ctx.Err()
}

// load reads the settings and the policies: the built-in ones and the
// repository's own.
func load(ctx context.Context, dir, file string) (s Settings, _ *engine.Checks, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return s, nil, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if s, err = LoadSettings(root, file); err != nil {
		return s, nil, err
	}
	var sources []engine.Source
	for _, folder := range []string{"invariants", "reason"} {
		sub, err := fs.Sub(policies.FS, folder)
		if err != nil {
			return s, nil, fmt.Errorf("open the built-in policies: %w", err)
		}
		sources = append(sources, engine.Source{At: folder, FS: sub})
	}
	if s.Rules != "" {
		sub, err := fs.Sub(root.FS(), s.Rules)
		if err != nil {
			return s, nil, fmt.Errorf("open the repository's own rules: %w", err)
		}
		sources = append(sources, engine.Source{At: "leviathan/custom", FS: sub})
	}
	checks, err := engine.LoadChecks(ctx, engine.Options{}, sources...)
	if err != nil {
		return s, nil, fmt.Errorf("load the rules: %w", err)
	}
	return s, checks, nil
}

func cmpList(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

// choose are the checks to ask, without that of the waivers, which is asked
// last. A name that no check has is an error: what was asked for must run.
func choose(all []engine.Check, names []string) (out []engine.Check, err error) {
	for _, name := range names {
		if !slices.ContainsFunc(all, func(c engine.Check) bool { return c.Name == name }) {
			var known []string
			for _, c := range all {
				known = append(known, c.Name)
			}
			return nil, fmt.Errorf("there are no rules for the category %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	for _, c := range all {
		if c.Name != waiversCategory && (len(names) == 0 || c.Name == treeCategory || slices.Contains(names, c.Name)) {
			out = append(out, c)
		}
	}
	return out, nil
}

// present are the checks that have something to look at where nobody says
// which to ask, and the names of the others. The tree alone says nothing about
// a repository, so that it is an error if nothing else is left.
func present(all []engine.Check, parts engine.Input) (on []engine.Check, off []string, err error) {
	for _, c := range all {
		if c.Named || lacks(c, parts) != "" {
			off = append(off, c.Name)
		} else {
			on = append(on, c)
		}
	}
	if len(on) == 1 && on[0].Name == treeCategory {
		return nil, nil, fmt.Errorf("no category has anything to look at: name those that must hold in %s", SettingsFile)
	}
	return on, off, nil
}

func (s Settings) options(binary facts.Binary) facts.Options {
	return facts.Options{Exclude: s.Exclude, Code: s.Code, Topology: s.Topology, Binary: binary}
}

// An answer is one category's decision, not yet recorded.
type answer struct {
	check  engine.Check
	input  engine.Input
	result engine.Result
	found  []gateway.Violation
	why    string // it is unknown
	id     gateway.DecisionID
}

// questionParts are the parts of every category's question: the facts, and
// what the settings say.
func questionParts(f *facts.Facts, s Settings) (engine.Input, error) {
	parts, err := f.Parts()
	if err != nil {
		return nil, err
	}
	settings, err := engine.PartOf("settings", map[string]any{"parameters": s.Parameters})
	if err != nil {
		return nil, fmt.Errorf("make the settings' part of the question: %w", err)
	}
	return append(parts, settings), nil
}

// Question is what a category is asked about a repository: the parts that all
// categories share, and its name.
func Question(category string, shared engine.Input) (engine.Input, error) {
	part, err := engine.PartOf("category", category)
	if err != nil {
		return nil, fmt.Errorf("make the question of %s: %w", category, err)
	}
	return append(slices.Clone(shared), part), nil
}

// askAll asks every check, as many at once as there are processors.
func askAll(ctx context.Context, checks *engine.Checks, selected []engine.Check, shared engine.Input) []*answer {
	out := make([]*answer, len(selected))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, check := range selected {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			in, err := Question(check.Name, shared)
			out[i] = ask(ctx, checks, check, in)
			if err != nil {
				out[i].why = err.Error()
			}
		})
	}
	wg.Wait()
	return out
}

// ask asks one check.
func ask(ctx context.Context, checks *engine.Checks, check engine.Check, in engine.Input) *answer {
	a := &answer{check: check, input: in, found: []gateway.Violation{}}
	if without := lacks(check, in); without != "" {
		a.result = engine.Refuse("unknown.no_facts", "the category has nothing to look at: no "+without,
			"Check a repository that has it, or leave the category out in the settings.")
		a.why = a.result.Reasons[0].Message
		return a
	}
	a.result = checks.Decide(ctx, check.Name, in)
	var obligations struct {
		Violations *[]gateway.Violation `json:"violations"`
	}
	switch err := json.Unmarshal(a.result.Obligations, &obligations); {
	case err != nil:
		a.why = "the answer cannot be read: " + err.Error()
	case obligations.Violations == nil: // the engine's own denial
		for _, reason := range a.result.Reasons {
			a.why = strings.TrimSpace(a.why + " " + reason.Code + ": " + reason.Message)
		}
		a.why = cmp.Or(a.why, "the answer has no violations")
	default:
		a.found = *obligations.Violations
	}
	return a
}

// hollow are the parts that say nothing.
var hollow = []string{"null", "[]", "{}", `{"source":[]}`, `{"source":{}}`}

// lacks names what a check needs and the facts do not have, "" if they have any
// of it.
func lacks(check engine.Check, in engine.Input) string {
	if len(check.Needs) == 0 {
		return ""
	}
	for _, need := range check.Needs {
		for _, part := range in {
			if part.Name == need && !slices.Contains(hollow, string(part.JSON)) {
				return ""
			}
		}
	}
	return strings.Join(check.Needs, ", no ")
}

func (a *answer) category() report.Category {
	c := report.Category{Name: a.check.Name, Title: a.check.Title, DecisionID: a.id, Why: a.why, Violations: a.found}
	if a.why != "" {
		c.Verdict = report.Unknown
	}
	return c
}

// judgeWaivers asks the category of the waivers, after all others.
func judgeWaivers(ctx context.Context, checks *engine.Checks, s Settings, r *report.Report, now time.Time) (*answer, error) {
	i := slices.IndexFunc(checks.List(), func(c engine.Check) bool { return c.Name == waiversCategory })
	if i < 0 {
		return nil, errors.New("load the rules: there are none for the category waivers")
	}
	in, err := waiverInput(waiverFacts(s, r.Categories), now)
	if err != nil {
		return nil, fmt.Errorf("make the question of the waivers: %w", err)
	}
	return ask(ctx, checks, checks.List()[i], in), nil
}

// reduce takes out of the count what is waived, known or not changed.
func reduce(ctx context.Context, opts Options, s Settings, r *report.Report) error {
	last := r.Categories[len(r.Categories)-1]
	if last.Verdict != report.Unknown {
		waive(r, s.Waivers, last.Violations)
	}
	if opts.WriteBaseline != "" {
		if err := writeBaseline(opts.WriteBaseline, r); err != nil {
			return err
		}
	}
	if opts.Baseline != "" {
		if err := applyBaseline(opts.Baseline, r); err != nil {
			return err
		}
	}
	if opts.ChangedSince == "" {
		return nil
	}
	changed, err := changedFiles(ctx, opts.Dir, opts.ChangedSince)
	if err == nil {
		onlyChanged(r, changed)
	}
	return err
}

func rulesOf(codes []engine.Code) (out []report.Rule) {
	for _, c := range codes {
		severity := gateway.Severity(cmp.Or(c.Severity, string(gateway.SeverityError)))
		out = append(out, report.Rule{Code: c.Code, Severity: severity, Title: c.Title, Description: c.Description, Remedy: c.Remedy})
	}
	return out
}
