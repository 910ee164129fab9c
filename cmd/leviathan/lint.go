package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/backlog"
)

// Where a target keeps its two files.
const (
	backlogFile = ".leviathan/backlog.yaml"
	policyFile  = ".leviathan/policy.yaml"
)

// A linted is one file that was checked.
type linted struct {
	File        string               `json:"file"`
	Valid       bool                 `json:"valid"`
	Summary     string               `json:"summary,omitempty"`
	Diagnostics []gateway.Diagnostic `json:"diagnostics"`
}

// fail adds a problem that has no place of its own.
func (l *linted) fail(message string) {
	l.Diagnostics = append(l.Diagnostics, gateway.Diagnostic{File: l.File, Message: message})
}

// settle makes the verdict: valid is what has nothing worse than warnings.
func (l *linted) settle() {
	l.Valid = !slices.ContainsFunc(l.Diagnostics, func(d gateway.Diagnostic) bool { return !d.Warning })
	if l.Diagnostics == nil {
		l.Diagnostics = []gateway.Diagnostic{}
	}
}

// report shows what was checked; the exit code is 1 when anything is wrong.
func report(cmd *cobra.Command, out *format, files []linted) error {
	wrong := 0
	for i := range files {
		if files[i].settle(); !files[i].Valid {
			wrong++
		}
	}
	list := struct {
		Items []linted `json:"items"`
	}{files}
	err := out.show(cmd, list, func(w io.Writer) error {
		for _, f := range files {
			for _, d := range f.Diagnostics {
				if _, err := fmt.Fprintln(w, printable(d.String())); err != nil {
					return err
				}
			}
			if f.Valid {
				if _, err := fmt.Fprintf(w, "%s: ok: %s\n", printable(f.File), printable(f.Summary)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && wrong > 0 {
		return &exitError{code: exitNo, err: fmt.Errorf("%s of %d with errors", plural(wrong, "file"), len(files))}
	}
	return err
}

func (o operator) config() *cobra.Command {
	var out format
	lint := &cobra.Command{
		Use:     "lint PATH",
		Aliases: []string{"check"},
		Short:   "Check an autonomy config, or a folder of them, as the gateway would load it",
		Args:    named("PATH"),
	}
	out.flag(lint)
	lint.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := o.lintConfig(args[0])
		if err != nil {
			return err
		}
		return report(cmd, &out, files)
	}
	return family("config", "The autonomy config", lint, o.configTry())
}

// lintConfig loads a file or a folder with the loader of the gateway.
func (o operator) lintConfig(path string) ([]linted, error) {
	set, err := autonomy.Open(path, slog.New(slog.DiscardHandler), o.now)
	if err != nil {
		return nil, err
	}
	targets := set.Targets()
	if len(targets) == 0 {
		return nil, fmt.Errorf("%s has no config: no *.yaml or *.yml file whose name does not begin with a dot", path)
	}
	files := make([]linted, 0, len(targets))
	for _, t := range targets {
		f := linted{File: t.File, Diagnostics: slices.Clone(t.Diagnostics)}
		f.settle()
		if f.Valid && !t.Valid {
			f.fail(t.Reason) // two files contradict each other, or one went away
		}
		if t.Valid && t.Config != nil {
			f.Summary = configSummary(t)
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b linted) int { return cmp.Compare(a.File, b.File) })
	return files, nil
}

func configSummary(t autonomy.State) string {
	word := "off"
	if t.Enabled {
		word = "on"
	}
	return fmt.Sprintf("target %s, autonomy %s, branch %s of %s", t.ID, word, t.Config.TargetBranch, t.Config.TargetRepoURL)
}

func (o operator) backlog() *cobra.Command {
	var out format
	lint := &cobra.Command{
		Use:     "lint PATH",
		Aliases: []string{"check"},
		Short:   "Check a backlog, or a repository's backlog and policy, as the gateway would read them",
		Long: "Check a backlog file, or, of a folder with a checkout, " + backlogFile + " and " + policyFile + ".\n" +
			"Whether a task is eligible is for the policy: see `leviathan tasks why`.",
		Args: named("PATH"),
	}
	out.flag(lint)
	lint.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := lintTarget(args[0])
		if err != nil {
			return err
		}
		return report(cmd, &out, files)
	}
	return family("backlog", "A target's backlog", lint)
}

// lintTarget checks a file, or the two files of a checkout.
func lintTarget(path string) ([]linted, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("checking the backlog: %w", err)
	}
	if !info.IsDir() {
		if name := filepath.Base(path); name == "policy.yaml" || name == "policy.yml" {
			f, err := lintPolicy(path)
			return []linted{f}, err
		}
		f, err := lintBacklog(path)
		return []linted{f}, err
	}
	tasks, err := lintBacklog(filepath.Join(path, backlogFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checking the backlog: %s has no %s", path, backlogFile)
	}
	if err != nil {
		return nil, err
	}
	rules, err := lintPolicy(filepath.Join(path, policyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return []linted{tasks}, nil
	}
	return []linted{tasks, rules}, err
}

func lintBacklog(name string) (linted, error) {
	out := linted{File: name}
	data, err := readLimited(name, backlog.MaxBytes)
	if err != nil {
		return out, fmt.Errorf("checking the backlog: %w", err)
	}
	file, err := backlog.Parse(name, data)
	if err != nil {
		out.absorb(err)
		return out, nil
	}
	out.Diagnostics = file.Diagnostics
	ready := 0
	for _, t := range file.Tasks {
		if t.Ready {
			ready++
		}
	}
	out.Summary = fmt.Sprintf("%s, %d ready", plural(len(file.Tasks), "task"), ready)
	return out, nil
}

func lintPolicy(name string) (linted, error) {
	out := linted{File: name}
	data, err := readLimited(name, backlog.MaxBytes)
	if err != nil {
		return out, fmt.Errorf("checking the target's policy: %w", err)
	}
	_, diagnostics, err := backlog.ParsePolicy(name, data)
	out.Diagnostics = diagnostics
	if err != nil {
		out.absorb(err)
	}
	out.Summary = "a policy that narrows what the operator allows"
	return out, nil
}

// absorb adds what an error says that the diagnostics do not have yet.
func (l *linted) absorb(err error) {
	var bad *backlog.Error
	if !errors.As(err, &bad) {
		l.fail(err.Error())
		return
	}
	for _, d := range bad.Diagnostics {
		if !slices.Contains(l.Diagnostics, d) {
			l.Diagnostics = append(l.Diagnostics, d)
		}
	}
}

// readLimited reads a file of at most limit bytes and one more, by which a
// parser sees that it is too large.
func readLimited(name string, limit int64) (data []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, limit+1))
}
