package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"leviathan/invariants"
	checkreport "leviathan/invariants/report"
)

// The rules of the gate's figure: what is asked of one manifest, the same file
// for both, and how each of the two is asked it.
var (
	//go:embed bench/rules/kube.rego
	benchRules string
	//go:embed bench/rules/ours.rego
	benchOurRule string
	//go:embed bench/rules/conftest.rego
	benchPeerRule string
	//go:embed bench/manifest.yaml
	benchManifest string
)

// benchBroken is how many manifests there are to one that breaks a rule.
const benchBroken = 50

// invariants measures the gate on a tree of manifests, and conftest with the
// same rules on the same files.
func (b *bench) invariants(ctx context.Context) error {
	n := b.size(2000, 100)
	dir, asked := filepath.Join(b.dir, "gate"), filepath.Join(b.dir, "gate-kustomize")
	if err := errors.Join(writeManifests(dir, n, ""), writeManifests(asked, n, "commonAnnotations: {example.com/team: apps}\n")); err != nil {
		return err
	}
	peerRules := filepath.Join(b.dir, "conftest")
	for name, text := range map[string]string{"kube.rego": benchRules, "main.rego": benchPeerRule} {
		if err := writeTree(filepath.Join(peerRules, name), text); err != nil {
			return err
		}
	}
	want := (n + benchBroken - 1) / benchBroken
	var ours, rendered, peer []checked
	for range b.size(5, 1) {
		run, err := b.checkOurs(ctx, dir, want)
		if err != nil {
			return err
		}
		ours = append(ours, run)
		if run, err = b.checkOurs(ctx, asked, want); err != nil {
			return err
		}
		if rendered = append(rendered, run); b.conftest == "" {
			continue
		}
		if run, err = b.checkPeer(ctx, dir, peerRules, want); err != nil {
			return err
		}
		peer = append(peer, run)
	}
	b.gateFigures(n, want, ours, peer)
	b.add(figure{name: "the same, with an annotation in each kustomization", ours: middle(rendered).String(), peer: "–",
		note: "kustomize itself renders these; those above list files and set a namespace, which is rendered without it"})
	return b.ownRepository(ctx)
}

// ownRepository measures the gate on a repository that is named, in this
// process, which has started: loading the rules is a part of it.
func (b *bench) ownRepository(ctx context.Context) error {
	if b.repository == "" {
		return nil
	}
	settings := ".ci/invariants.yaml"
	if _, err := os.Stat(filepath.Join(b.repository, settings)); err != nil {
		settings = "" // it has none of its own for this, and they are where they are by default
	}
	var took []time.Duration
	var verdict checkreport.Verdict
	var categories int
	for range b.size(5, 1) {
		began := time.Now()
		r, err := invariants.Check(ctx, invariants.Options{Dir: b.repository, Settings: settings, Binary: b.binary})
		if err != nil {
			return fmt.Errorf("checking %s: %w", b.repository, err)
		}
		took, verdict, categories = append(took, time.Since(began)), r.Verdict, len(r.Categories)
	}
	b.add(figure{name: "the gate on a repository of one's own", ours: milliseconds(median(took)), peer: "–", target: "≤ 300 ms", held: median(took) <= 300*time.Millisecond,
		note: fmt.Sprintf("%s, %d categories, %s; in a process that runs, the rules loaded each time; median of %d", filepath.Base(b.repository), categories, verdict, len(took))})
	return nil
}

func (b *bench) gateFigures(n, violations int, ours, peer []checked) {
	mine := middle(ours)
	f := figure{name: fmt.Sprintf("the gate on %d manifests", n), ours: mine.String(), peer: "–", target: "≤ 3000 ms",
		held: mine.wall <= 3*time.Second, note: fmt.Sprintf("the same files and the same eight rules for both, %d violations found by each; ours lists and reads every file of the tree, holds each manifest to the schema of Kubernetes, "+
			"notes the place of every node, renders the kustomizations, finds workloads and rights, asks the rules of the tree and of waivers too, and records what was asked and answered with fsync; medians of %d", violations, len(ours))}
	if len(peer) > 0 {
		theirs := middle(peer)
		ratio := float64(mine.wall) / float64(theirs.wall)
		f.peer = "conftest: " + theirs.String()
		f.target += fmt.Sprintf(", ≤ 0.5× (is %.2f×)", ratio)
		f.held = f.held && ratio <= 0.5
		f.note += fmt.Sprintf(", ours and the peer in turn; the peer reads each file, asks its rules and does none of the rest; by processor time ours is %.2f×", float64(mine.processor)/float64(theirs.processor))
	}
	b.add(f)
	if mine.memory > 0 {
		b.add(figure{name: "memory of that", ours: fmt.Sprintf("%d MB", mine.memory), peer: peerMemory(peer), target: "≤ 300 MB", held: mine.memory <= 300})
	}
}

func peerMemory(peer []checked) string {
	if len(peer) == 0 || middle(peer).memory == 0 {
		return "–"
	}
	return fmt.Sprintf("conftest: %d MB", middle(peer).memory)
}

// A checked is one run over the manifests.
type checked struct {
	wall, processor time.Duration
	memory          int // MB at the most; 0 where the system does not tell
}

func (c checked) String() string {
	return fmt.Sprintf("%d ms, %d ms of processor time", c.wall.Milliseconds(), c.processor.Milliseconds())
}

// middle is the run with the median of the wall time.
func middle(runs []checked) checked {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b checked) int { return int(a.wall - b.wall) })
	return sorted[len(sorted)/2]
}

// checkOurs runs the gate, which must find so many violations.
func (b *bench) checkOurs(ctx context.Context, dir string, want int) (checked, error) {
	out, run, err := runTimed(ctx, b.self, "leviathan", "invariants", "check", dir, "-o", "json")
	if err != nil {
		return run, err
	}
	var r checkreport.Report
	if err := json.Unmarshal(out, &r); err != nil {
		return run, fmt.Errorf("reading the gate's report: %w", err)
	}
	if n := len(r.Violations()); n != want || r.Verdict != checkreport.Violated {
		return run, fmt.Errorf("the gate found %d violations, of %d, and said %s", n, want, r.Verdict)
	}
	return run, nil
}

// checkPeer runs conftest, which must find as many.
func (b *bench) checkPeer(ctx context.Context, dir, rules string, want int) (checked, error) {
	out, run, err := runTimed(ctx, b.conftest, "conftest", "test", "--policy", rules, "--output", "json", filepath.Join(dir, "apps"))
	if err != nil {
		return run, err
	}
	var files []struct {
		Failures []json.RawMessage `json:"failures"`
	}
	if err := json.Unmarshal(out, &files); err != nil {
		return run, fmt.Errorf("reading conftest's report: %w", err)
	}
	n := 0
	for _, file := range files {
		n += len(file.Failures)
	}
	if n != want {
		return run, fmt.Errorf("conftest found %d violations, of %d", n, want)
	}
	return run, nil
}

// runTimed runs a program to its end. That it found something, exit code 1, is what
// it is run for.
func runTimed(ctx context.Context, program string, args ...string) (out []byte, run checked, err error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Args = args
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, run, err
	}
	ended, most := make(chan struct{}), make(chan int)
	go func() { most <- mostMemory(cmd.Process.Pid, ended) }()
	err = cmd.Wait()
	run.wall = time.Since(began)
	close(ended)
	run.memory = <-most
	run.processor = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	var exited *exec.ExitError
	if err != nil && !(errors.As(err, &exited) && exited.ExitCode() == 1) {
		return nil, run, fmt.Errorf("%s: %w: %s", args[0], err, stderr.String())
	}
	return []byte(stdout.String()), run, nil
}

// mostMemory looks at a process until it has ended.
func mostMemory(pid int, ended <-chan struct{}) (most int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return most
		case <-tick.C:
			if mb, err := memoryMB(pid, "VmHWM"); err == nil { // the system tells nothing, or the process has just ended
				most = max(most, mb)
			}
		}
	}
}

// writeManifests writes n files of three resources each, such as a cluster's
// repository has, in kustomizations of fifty that say more than that, with the
// settings that check them. One in so many breaks a rule.
func writeManifests(dir string, n int, more string) error {
	files := map[string]string{"README.md": "# Manifests\n", ".leviathan/invariants.yaml": "version: 1\ncategories: [bench]\nrules: .leviathan/rules\n",
		".leviathan/rules/kube.rego": benchRules, ".leviathan/rules/ours.rego": benchOurRule}
	for i := range n {
		name := fmt.Sprintf("app-%04d", i)
		text := strings.ReplaceAll(benchManifest, "NAME", name)
		if i%benchBroken == 0 {
			text = strings.Replace(text, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", 1)
		}
		files[fmt.Sprintf("apps/group-%02d/%s.yaml", i/50, name)] = text
	}
	for group := range (n + 49) / 50 {
		var list strings.Builder
		list.WriteString("namespace: apps\n" + more + "resources:\n")
		for i := group * 50; i < min(n, group*50+50); i++ {
			fmt.Fprintf(&list, "  - app-%04d.yaml\n", i)
		}
		files[fmt.Sprintf("apps/group-%02d/kustomization.yaml", group)] = list.String()
	}
	for name, text := range files {
		if err := writeTree(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// writeTree writes a file and the folders that it needs.
func writeTree(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}
