package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/invariants/facts"
)

// A figure is one measured row: ours beside a peer's or a bound's.
type figure struct {
	name   string
	ours   string
	peer   string
	target string
	held   bool
	note   string
}

// A bench measures in a folder of its own, with real processes.
type bench struct {
	dir, self     string
	opa, conftest string // the peers; "" for none
	repository    string // one that the gate is measured on, too; "" for none
	binary        facts.Binary
	seconds       int
	quick         bool
	began         string // how busy the machine was before
	figures       []figure
	failures      []string
}

// A measurement adds figures under one name.
type measurement struct {
	name string
	run  func(*bench, context.Context) error
}

// measurements are the parts of the bench, in the order of the page.
var measurements = []measurement{
	{"decisions", (*bench).decisions},
	{"cycle", (*bench).cycle},
	{"changes", (*bench).changes},
	{"git", (*bench).git},
	{"start", (*bench).start},
	{"policy", (*bench).policy},
	{"forward", (*bench).forward},
	{"invariants", (*bench).invariants},
}

// measurementNames lists them for people.
func measurementNames() string {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

func benchCommand() *cobra.Command {
	var out string
	var only []string
	b := &bench{}
	cmd := &cobra.Command{
		Use: "bench", GroupID: "edit", Args: cobra.NoArgs,
		Short: "Measure beside the peers, in one run",
		Long: `Measure decisions beside the stock opa server on the same policy and input, git
beside git http-backend, the invariant gate beside conftest, cycles, large changes
and the start against their bounds, and the ingest of events with spiders that do
not behave beside one without. Figures of two machines, or of two runs on a busy
one, do not compare.
It fails only if something cannot be measured.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(only); err != nil {
				return err
			}
			b.binary = binaryOf(cmd.Root())
			asked := commandLine(cmd) // as it was typed: the paths are made absolute for the run
			if err := b.run(cmd.Context(), only); err != nil {
				return err
			}
			page := b.page(cmd.Context(), asked)
			if out != "" {
				if err := os.MkdirAll(out, 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(out, "README.md"), []byte(page), 0o644); err != nil {
					return err
				}
			}
			fmt.Fprint(cmd.OutOrStdout(), page)
			if len(b.failures) > 0 {
				return errors.New("not everything could be measured: " + strings.Join(b.failures, "; "))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&b.opa, "opa", "", "path of the stock opa, the peer of decisions; without it they have no peer")
	f.StringVar(&b.conftest, "conftest", "", "path of conftest, the peer of the gate; without it that has no peer")
	f.StringVar(&b.repository, "repository", "", "`DIR` of a repository that the gate is measured on, by .ci/invariants.yaml if it is there")
	f.StringVar(&out, "out", "", "folder in which README.md is written")
	f.StringSliceVar(&only, "only", nil, "measure these alone: "+measurementNames())
	f.IntVar(&b.seconds, "seconds", 5, "length of each step under load")
	f.BoolVar(&b.quick, "quick", false, "small sizes, to see that everything can be measured")
	return cmd
}

func (b *bench) check(only []string) error {
	for _, name := range only {
		if !slices.ContainsFunc(measurements, func(m measurement) bool { return m.name == name }) {
			return fmt.Errorf("--only %q is none of %s", name, measurementNames())
		}
	}
	if b.seconds < 1 {
		return fmt.Errorf("--seconds %d is less than one", b.seconds)
	}
	return nil
}

func (b *bench) run(ctx context.Context, only []string) (err error) {
	b.began = loadAverage()
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "leviathan-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	for _, file := range []*string{&b.opa, &b.conftest, &b.repository} {
		if *file == "" {
			continue
		}
		if *file, err = filepath.Abs(*file); err != nil {
			return err
		}
	}
	for _, m := range measurements {
		if len(only) > 0 && !slices.Contains(only, m.name) {
			continue
		}
		if err := m.run(b, ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b.failures = append(b.failures, m.name+": "+err.Error())
		}
	}
	return nil
}

func (b *bench) add(f figure) { b.figures = append(b.figures, f) }

// size is the full size, or the small one of a quick run.
func (b *bench) size(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

// A benchWorld is a gateway process on a repository of its own.
type benchWorld struct {
	dir, upstream, state, config string
	token, url                   string
	ready                        time.Duration
	process                      *exec.Cmd
	args                         []string // more, of the gateway
	client                       *gateway.Client
}

const benchConfig = `autonomy_enabled: true
target_id: bench
target_repo_url: %s
allowed_path_prefixes: [docs/]
max_open_prs: %d
max_running_attempts: %d
limits: {lease_seconds: 86400, heartbeat_seconds: 10, start_deadline_seconds: 86400, fact_max_age_seconds: 86400, max_files: 200000, max_file_kb: 1024}
`

// world makes a bare repository with the files and starts a gateway on it, with
// the arguments.
func (b *bench) world(ctx context.Context, name string, slots int, files map[string]string, args ...string) (*benchWorld, error) {
	w := &benchWorld{dir: filepath.Join(b.dir, name), args: args}
	w.upstream, w.state, w.config = filepath.Join(w.dir, "upstream.git"), filepath.Join(w.dir, "state"), filepath.Join(w.dir, "config.yaml")
	tree := filepath.Join(w.dir, "tree")
	for path, text := range files {
		file := filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", w.upstream},
		{"-C", tree, "init", "--quiet", "--initial-branch=main"},
		{"-C", tree, "add", "--all"},
		{"-C", tree, "commit", "--quiet", "--message", "Files"},
		{"-C", tree, "push", "--quiet", w.upstream, "main"},
		{"-C", w.upstream, "repack", "-adq"},
	} {
		if err := git(ctx, args...); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(w.config, fmt.Appendf(nil, benchConfig, w.upstream, slots, slots), 0o644); err != nil {
		return nil, err
	}
	return w, w.open(ctx, b.self)
}

// git runs stock git with no configuration of this machine.
func git(ctx context.Context, args ...string) error { return gitAs(ctx, "", args...) }

// gitAs is git with a token for the gateway, which no argument shows.
func gitAs(ctx context.Context, token string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Leviathan", "GIT_AUTHOR_EMAIL=leviathan@leviathan.invalid", "GIT_COMMITTER_NAME=Leviathan", "GIT_COMMITTER_EMAIL=leviathan@leviathan.invalid")
	if token != "" {
		cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=Authorization: Bearer "+token)
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args[:min(3, len(args))], " "), err, said)
	}
	return nil
}

// open starts the gateway's process and waits for its line.
func (w *benchWorld) open(ctx context.Context, self string) error {
	w.token = "token-of-the-bench"
	cmd := exec.CommandContext(ctx, self, append([]string{"gateway", "--state", w.state, "--config", w.config, "--listen", "127.0.0.1:0", "--log-level", "error"}, w.args...)...)
	// Whatever this program is called, what it starts is the command: the test
	// binary tells by the name that it is not to run its tests.
	cmd.Args[0] = "leviathan"
	cmd.Env = append(os.Environ(), "LEVIATHAN_CONTROL_PLANE_TOKEN="+w.token)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	w.process = cmd
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		return errors.Join(errors.New("the gateway ended before it was ready"), w.close())
	}
	w.ready = time.Since(began)
	url, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok {
		return errors.Join(fmt.Errorf("the gateway said %q", lines.Text()), w.close())
	}
	w.url = url
	w.client, err = gateway.NewClient(url, w.token, gateway.ClientOptions{})
	return err
}

// close ends the gateway's process.
func (w *benchWorld) close() error {
	if err := w.process.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := w.process.Wait()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return nil // how it ended is not what is measured
	}
	return err
}

// median of durations; the middle one of an odd count.
func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
