package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/scheduler"
	"leviathan/worker"
)

// schedulerOptions are the flags of a scheduler.
type schedulerOptions struct {
	target, launcher, workspaces, logLevel string
	once                                   bool
	cluster                                clusterOptions
}

func schedulerCommand() *cobra.Command {
	var o schedulerOptions
	cmd := &cobra.Command{
		Use: "scheduler", GroupID: "run", Args: cobra.NoArgs,
		Short: "Ask for cycles and launch workers",
		Long: `Ask the gateway for cycles of one target and launch a worker for each attempt
that a cycle reserves: a local process, or a Kubernetes Job. With --once it asks
for one cycle, waits for the workers that are its processes (Jobs it leaves
running), and prints one JSON line that says what the cycle was:

  exit 0  worked, idle, or off by switch, halt or breaker
  exit 1  denied for another reason
  exit 3  unknown, or the gateway or the Kubernetes API cannot be reached`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runScheduler(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.target, "target", "", "id of the target (required)")
	f.StringVar(&o.launcher, "launcher", "local", "how workers are run: local or kubernetes")
	f.StringVar(&o.workspaces, "workspaces", filepath.Join(os.TempDir(), "leviathan-workspaces"), "folder in which each worker gets one of its own (local)")
	f.BoolVar(&o.once, "once", false, "ask for one cycle, wait for its processes, and end")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	o.cluster.connect(cmd)
	o.cluster.jobs(cmd)
	clientFlags(cmd)
	cmd.AddCommand(jobTemplateCommand())
	return cmd
}

// runScheduler runs the cycles of one target, or one of them.
func runScheduler(cmd *cobra.Command, o schedulerOptions) error {
	if o.launcher != "local" && o.launcher != "kubernetes" {
		return fmt.Errorf("--launcher %q: workers are run by local or kubernetes", o.launcher)
	}
	if o.target == "" {
		return errors.New("--target is required")
	}
	logger, err := newLogger(o.logLevel, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	tracing, err := openTracing(cmd.Context(), "leviathan-scheduler", logger)
	if err != nil {
		return err
	}
	defer tracing.Close()
	client, err := newClient(cmd, tracing.client())
	if err != nil {
		return err
	}
	var last gateway.CycleResult
	c := scheduler.Config{Client: client, Target: gateway.TargetID(o.target), Logger: logger, Tracer: tracing.provider, OnCycle: func(r gateway.CycleResult) { last = r }}
	var s *scheduler.Scheduler
	if o.launcher == "kubernetes" {
		o.cluster.options.Trace = traceVariables()
		if c.Launcher, err = o.cluster.launcher(client, c.Target, logger); err != nil {
			return err
		}
		s = scheduler.New(c)
	} else {
		local, err := newLocal(client.URL(), o.workspaces, logger)
		if err != nil {
			return err
		}
		c.Launcher = local
		s = scheduler.New(c)
		defer drainWorkers(s, local, logger)
	}
	if !o.once {
		return finished(cmd.Context(), s.Run(cmd.Context()), nil)
	}
	if _, err := s.Cycle(cmd.Context()); err != nil {
		return finished(cmd.Context(), err, nil)
	}
	if o.launcher == "local" {
		if err := s.Settle(cmd.Context()); err != nil {
			return finished(cmd.Context(), err, nil)
		}
	}
	return sayCycle(cmd.OutOrStdout(), last)
}

// newLocal is the launcher of child processes, from this binary.
func newLocal(gatewayURL, workspaces string, logger *slog.Logger) (*scheduler.Local, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program's own file: %w", err)
	}
	if workspaces, err = filepath.Abs(workspaces); err != nil {
		return nil, err
	}
	return scheduler.NewLocal(scheduler.LocalConfig{Self: self, GatewayURL: gatewayURL, Workspaces: workspaces, Env: os.LookupEnv, Logger: logger})
}

// drainWorkers stops the workers that still run, and then has those reported
// that could not say themselves that they ended. Attempts that no worker has
// started stay reserved for the next scheduler.
func drainWorkers(s *scheduler.Scheduler, local *scheduler.Local, logger *slog.Logger) {
	running := len(local.Live())
	local.Close()
	if running == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Reconcile(ctx); err != nil {
		logger.Warn("reporting the workers that were stopped", "error", err)
	}
}

// finished is the error of a command that ran until err and then closed what
// it had open. Who interrupts it is told by the exit code alone.
func finished(ctx context.Context, err, closing error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return &exitError{code: exitInterrupted, err: closing}
	}
	return errors.Join(err, closing)
}

// sayCycle prints a cycle as one JSON line and turns it into an exit code.
func sayCycle(w io.Writer, r gateway.CycleResult) error {
	reasons := []string{}
	off := false
	for _, reason := range r.Reasons {
		reasons = append(reasons, reason.Code)
		off = off || slices.Contains([]string{"guard.switched_off", "guard.halted", "guard.halted_all", "limits.circuit_open"}, reason.Code)
	}
	line, err := json.Marshal(map[string]any{"target": r.Target, "outcome": r.Outcome, "cycle_id": r.CycleID, "decision_id": r.DecisionID,
		"reserved": len(r.Reserved), "skipped": len(r.Skipped), "reasons": reasons, "off": off})
	if err != nil {
		return err
	}
	fmt.Fprintln(w, string(line))
	switch {
	case r.Outcome == gateway.CycleUnknown:
		return &exitError{code: exitUnreachable}
	case r.Outcome == gateway.CycleDenied && !off:
		return &exitError{code: exitNo}
	}
	return nil
}

func workerCommand() *cobra.Command {
	var url, attempt, tokenFile, workspace, logLevel string
	cmd := &cobra.Command{
		Use: "worker", GroupID: "run", Args: cobra.NoArgs,
		Short: "Run one attempt: clone, agent, verify, push, propose",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" || attempt == "" || tokenFile == "" || workspace == "" {
				return errors.New("--gateway, --attempt, --token-file and --workspace are required")
			}
			if err := worker.Undumpable(); err != nil {
				return fmt.Errorf("protecting the token: %w", err)
			}
			logger, err := newLogger(logLevel, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			token, err := readToken(tokenFile, cmd.InOrStdin())
			if err != nil {
				return err
			}
			spans, err := openTracing(cmd.Context(), "leviathan-worker", logger)
			if err != nil { // the work is worth more than its spans
				logger.Warn("nothing is traced", "error", err)
				spans = &tracing{}
			}
			defer spans.Close()
			client, err := gateway.NewClient(url, token, gateway.ClientOptions{HTTPClient: spans.client()})
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding this program's own file: %w", err)
			}
			git, err := exec.LookPath("git")
			if err != nil {
				return fmt.Errorf("a worker needs git: %w", err)
			}
			if workspace, err = filepath.Abs(workspace); err != nil {
				return err
			}
			outcome, err := worker.Run(cmd.Context(), worker.Config{Client: client, Attempt: gateway.AttemptID(attempt), Token: token,
				Workspace: workspace, GitBinary: git, Self: self, Env: environment(), Plain: scheduler.TraceVariables(), Logger: logger, Tracer: spans.provider})
			if err != nil {
				return err
			}
			logger.Info("attempt ended", "attempt", attempt, "state", outcome.State)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&url, "gateway", "", "URL of the gateway (required)")
	f.StringVar(&attempt, "attempt", "", "id of the attempt (required)")
	f.StringVar(&tokenFile, "token-file", "", "file with the attempt's token; - reads it from standard input (required)")
	f.StringVar(&workspace, "workspace", "", "empty folder for checkout, git folder and temporary files (required)")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// readToken reads a token from a file, or from r for "-".
func readToken(name string, r io.Reader) (string, error) {
	var data []byte
	var err error
	if name == "-" {
		data, err = io.ReadAll(io.LimitReader(r, 64<<10))
	} else {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", fmt.Errorf("the token file %s is empty", name)
	}
	return token, nil
}

// environment is this process's environment as a map: the launcher put into
// it exactly what the agent may have.
func environment() map[string]string {
	env := map[string]string{}
	for _, entry := range os.Environ() {
		if name, value, ok := strings.Cut(entry, "="); ok {
			env[name] = value
		}
	}
	return env
}
