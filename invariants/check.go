package invariants

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
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
	// Gateway, if there is one, is asked for the verdicts instead, and its
	// journal has them: State must be empty then, and the settings have no rules
	// of the repository's own.
	Gateway *gateway.Client
	// Binary is what the calling program can do.
	Binary facts.Binary
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Check checks a repository. The error says that the check could not run at
// all: no repository, no facts, bad settings, policies that do not load, a gateway
// that does not answer. What could not run of a check that did is report.Unknown
// in the Report. Every verdict is in a journal when Check returns.
func Check(ctx context.Context, opts Options) (_ *report.Report, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	settings, err := opts.settings()
	if err != nil {
		return nil, err
	}
	// The rules are loaded while the facts are gathered, which takes as long.
	gathering, stop := context.WithCancel(ctx)
	defer stop()
	var parts engine.Input
	var gatherErr error
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		parts, gatherErr = gather(gathering, opts, settings)
	}()
	defer func() { stop(); <-gathered }()
	by, err := opts.judge(ctx, settings)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, by.close()) }()
	about := by.about()
	asked := cmpList(opts.Categories, settings.Categories)
	selected, err := choose(about.checks, asked)
	if err != nil {
		return nil, err
	}
	if <-gathered; gatherErr != nil {
		return nil, gatherErr
	}
	var off []string
	if len(asked) == 0 {
		if selected, off, err = present(selected, parts); err != nil {
			return nil, err
		}
	}
	r := &report.Report{Version: opts.Binary.Version, Revision: about.revision, PolicyDigest: about.digest,
		Off: off, Waived: []report.Waived{}, Baselined: []gateway.Violation{}, Rules: about.rules}
	if r.Categories, err = by.verdicts(ctx, selected, parts); err != nil {
		return nil, err
	}
	judged, err := judgeWaivers(ctx, by, settings, r, opts.Now())
	if err != nil {
		return nil, err
	}
	r.Categories = append(r.Categories, judged...)
	if err := reduce(ctx, opts, settings, r); err != nil {
		return nil, err
	}
	r.Settle()
	return r, ctx.Err()
}

// settings reads the settings of the repository.
func (opts Options) settings() (_ Settings, err error) {
	root, err := os.OpenRoot(opts.Dir)
	if err != nil {
		return Settings{}, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return LoadSettings(root, opts.Settings)
}

// judge opens what judges: the gateway that the options name, or this process.
func (opts Options) judge(ctx context.Context, s Settings) (_ judge, err error) {
	if opts.Gateway != nil {
		return askGateway(ctx, opts, s)
	}
	root, err := os.OpenRoot(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	checks, err := loadRules(ctx, root, s)
	if err != nil {
		return nil, err
	}
	return &localJudge{checks: checks, state: opts.State, now: opts.Now}, nil
}

// gather makes the parts of every category's question.
func gather(ctx context.Context, opts Options, s Settings) (engine.Input, error) {
	found, err := facts.Read(ctx, opts.Dir, s.options(opts.Binary))
	if err != nil {
		return nil, err
	}
	return questionParts(found, s)
}

// loadRules loads the policies: the built-in ones and the repository's own.
func loadRules(ctx context.Context, root *os.Root, s Settings) (*engine.Checks, error) {
	var sources []engine.Source
	for _, folder := range []string{"invariants", "reason"} {
		sub, err := fs.Sub(policies.FS, folder)
		if err != nil {
			return nil, fmt.Errorf("open the built-in policies: %w", err)
		}
		sources = append(sources, engine.Source{At: folder, FS: sub})
	}
	if s.Rules != "" {
		sub, err := fs.Sub(root.FS(), s.Rules)
		if err != nil {
			return nil, fmt.Errorf("open the repository's own rules: %w", err)
		}
		sources = append(sources, engine.Source{At: "leviathan/custom", FS: sub})
	}
	checks, err := engine.LoadChecks(ctx, engine.Options{}, sources...)
	if err != nil {
		return nil, fmt.Errorf("load the rules: %w", err)
	}
	return checks, nil
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
		if c.Named || c.Lacks(parts) != "" {
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
	return facts.Options{Exclude: s.Exclude, Include: s.Include, Code: s.Code, Topology: s.Topology, Binary: binary}
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

// judgeWaivers asks the category of the waivers, after all others.
func judgeWaivers(ctx context.Context, by judge, s Settings, r *report.Report, now time.Time) ([]report.Category, error) {
	all := by.about().checks
	i := slices.IndexFunc(all, func(c engine.Check) bool { return c.Name == waiversCategory })
	if i < 0 {
		return nil, errors.New("load the rules: there are none for the category waivers")
	}
	in, err := waiverInput(waiverFacts(s, r.Categories), now)
	if err != nil {
		return nil, fmt.Errorf("make the question of the waivers: %w", err)
	}
	return by.verdicts(ctx, all[i:i+1], in)
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
