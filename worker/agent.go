package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"leviathan/gateway"
)

// agentLog is the artifact that has the agent's output.
const agentLog = "agent.log"

var errAgentTimeout = errors.New("the agent took too long")

// runAgent runs the agent on the checkout. When it returns, no process of the
// agent is left. The summary is what the agent wrote for the reviewer.
func (r *run) runAgent(ctx context.Context) (string, error) {
	r.lease.at("agent running")
	if missing := missingEnv(r.start.Agent, r.Env); len(missing) > 0 {
		return "", fail(gateway.Launch, "the launcher gave no value for %s, which the agent's env_from lists", joined(missing))
	}
	checkout, err := r.root.OpenRoot("checkout")
	if err != nil {
		return "", fmt.Errorf("opening the checkout: %w", err)
	}
	defer checkout.Close()
	switch r.start.Agent.Type {
	case gateway.AgentScaffold:
		return r.runScaffold(ctx, checkout)
	case gateway.AgentCommand:
		return r.runCommand(ctx, checkout)
	}
	return "", fail(gateway.Internal, "the agent %s is of type %q, which this release does not know", r.start.Agent.Name, r.start.Agent.Type)
}

func (r *run) runScaffold(ctx context.Context, checkout *os.Root) (string, error) {
	log, err := r.newLog(ctx, agentLog, r.start.Agent.OutputMaxKB)
	if err != nil {
		return "", err
	}
	written, err := scaffold(checkout, r.start.Task)
	for _, name := range written {
		log.note("created %s", name)
	}
	if err != nil {
		log.note("%v", err)
		return "", errors.Join(fail(gateway.AgentError, "scaffold: %v", err), log.Close(ctx))
	}
	if len(written) == 0 {
		log.note("every allowed file exists already")
	}
	return summaryOf("Skeleton made from the acceptance criteria: "+joined(written), r.secrets), log.Close(ctx)
}

func (r *run) runCommand(ctx context.Context, checkout *os.Root) (string, error) {
	agent := r.start.Agent
	if len(agent.Command) == 0 {
		return "", fail(gateway.Internal, "the agent %s has no command", agent.Name)
	}
	if err := checkRead(r.start.Sandbox.Read, r.Workspace); err != nil {
		return "", fail(gateway.Sandbox, "%v", err)
	}
	tmp, err := r.root.OpenRoot("tmp")
	if err != nil {
		return "", fmt.Errorf("opening the agent's folder: %w", err)
	}
	defer tmp.Close()
	if err := r.writeTask(tmp); err != nil {
		return "", err
	}
	places, err := prepare(checkout, r.start.Task.AllowedPaths)
	if err != nil {
		return "", fail(gateway.Sandbox, "%v", err)
	}
	if err := r.superviseAgent(ctx, places); err != nil {
		return "", err
	}
	if err := r.clear(checkout, places); err != nil {
		return "", err
	}
	return readSummary(tmp, r.secrets)
}

// superviseAgent runs the command and says how it ended.
func (r *run) superviseAgent(ctx context.Context, places *prepared) error {
	agent := r.start.Agent
	log, err := r.newLog(ctx, agentLog, agent.OutputMaxKB)
	if err != nil {
		return err
	}
	spec := sandboxSpec{Argv: agent.Command, Env: r.agentEnv(), Dir: r.dir("checkout"), Mode: r.start.Sandbox.Mode,
		Read: append([]string{r.dir("checkout")}, r.start.Sandbox.Read...), WriteDirs: []string{r.dir("tmp")},
		ConnectPorts: r.start.Sandbox.ConnectPorts, MemoryMB: agent.MemoryMB}
	for _, dir := range places.dirs {
		spec.WriteDirs = append(spec.WriteDirs, r.dir("checkout", dir))
	}
	for _, file := range places.files {
		spec.WriteFiles = append(spec.WriteFiles, r.dir("checkout", file))
	}
	var stdin []byte
	if agent.Stdin == "prompt" {
		stdin = prompt(r.start.Task)
	}
	limit := time.Duration(max(1, r.start.TimeoutSeconds)) * time.Second
	runCtx, cancel := context.WithTimeoutCause(ctx, limit, errAgentTimeout)
	defer cancel()
	began := time.Now()
	report, err := r.supervised(runCtx, command{spec: spec, stdin: stdin, output: log})
	seconds := time.Since(began).Seconds()
	timedOut := report.Stopped && errors.Is(context.Cause(runCtx), errAgentTimeout)
	for _, line := range []string{report.Setup, report.Start} {
		if line != "" {
			log.note("%s", line)
		}
	}
	if timedOut {
		log.note("stopped after %s", limit)
	}
	log.note("%s; exit code %d; %d processes were left and are killed", report.Note, report.Exit, report.Left)
	// A stop must not wait for a gateway that is slow to take the rest of a log.
	closeCtx, cancelClose := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancelClose()
	err = errors.Join(err, log.Close(closeCtx), r.events.add(eventAgentEnded, map[string]any{
		"exit_code": report.Exit, "seconds": seconds, "timed_out": timedOut, "sandbox": report.Note, "processes_left": report.Left}))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	case report.Setup != "":
		return &sandboxError{report.Setup}
	case timedOut:
		return fail(gateway.Timeout, "the agent was stopped after %s; its last output: %s", limit, log.last())
	case report.Start != "":
		return fail(gateway.AgentError, "%s (%s)", report.Start, report.Note)
	case report.Exit != 0:
		return fail(gateway.AgentError, "the agent ended with exit code %d (%s); its last output: %s", report.Exit, report.Note, log.last())
	}
	return nil
}

// clear takes away what the worker itself put into the checkout and refuses a
// checkout in which git could find more than files.
func (r *run) clear(checkout *os.Root, places *prepared) error {
	if err := openUp(r.root, "checkout"); err != nil {
		return err
	}
	at, err := nestedGit(checkout)
	if err != nil {
		return err
	}
	if at != "" {
		return fail(gateway.Denied, "the agent left %s: a repository in the checkout is refused", r.secrets.text(path.Clean(at)))
	}
	return places.undo()
}

// joined lists names for a sentence.
func joined(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
