package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"leviathan/gateway"
)

// exitTimeout is the exit code of a verification that took too long, as
// timeout(1) has it.
const exitTimeout = 124

var errVerifyTimeout = errors.New("the verification took too long")

// verify runs every verification of the start answer, each on a fresh checkout
// of the tree that will be pushed and with nothing of the agent's: no secret,
// no port, no file that it left outside the tree. It returns the names of
// those that failed.
func (r *run) verify(ctx context.Context, tree gateway.OID) ([]string, error) {
	var failed []string
	evidence := gateway.Evidence{Tree: tree}
	for i, v := range r.start.Verify {
		r.lease.at("verifying: %s", v.Name)
		result, err := r.verifyOne(ctx, tree, i, v)
		if err != nil {
			return nil, fmt.Errorf("verification %s: %w", v.Name, err)
		}
		evidence.Results = append(evidence.Results, result)
		if result.ExitCode != 0 {
			failed = append(failed, fmt.Sprintf("%s (exit code %d)", v.Name, result.ExitCode))
		}
	}
	if len(r.start.Verify) == 0 {
		return nil, nil
	}
	if err := r.Client.Evidence(ctx, r.Attempt, evidence); err != nil {
		return nil, fmt.Errorf("recording the evidence: %w", err)
	}
	return failed, r.events.add(eventVerified, evidence)
}

func (r *run) verifyOne(ctx context.Context, tree gateway.OID, number int, v gateway.VerifySpec) (gateway.EvidenceResult, error) {
	result := gateway.EvidenceResult{Name: v.Name, Artifact: verifyLog(number, v.Name, r.start.Verify)}
	if err := r.emptyDirs("verify", "verify-tmp"); err != nil {
		return result, err
	}
	if _, err := r.git.checkout(ctx, string(tree), r.dir("verify"), r.dir("git", "verify-index")); err != nil {
		return result, err
	}
	log, err := r.newLog(ctx, result.Artifact, r.start.Agent.OutputMaxKB)
	if err != nil {
		return result, err
	}
	limit := time.Duration(v.TimeoutSeconds) * time.Second
	if limit <= 0 {
		limit = 300 * time.Second
	}
	runCtx, cancel := context.WithTimeoutCause(ctx, limit, errVerifyTimeout)
	defer cancel()
	began := time.Now()
	report, err := r.supervised(runCtx, command{output: log, spec: sandboxSpec{
		Argv: v.Command, Env: list(baseEnv(r.dir("verify-tmp"))), Dir: r.dir("verify"),
		Mode: verifyMode(r.start.Sandbox.Mode), Read: r.start.Sandbox.Read,
		WriteDirs: []string{r.dir("verify"), r.dir("verify-tmp")}, MemoryMB: r.start.Agent.MemoryMB,
	}})
	result.Seconds, result.ExitCode = time.Since(began).Seconds(), report.Exit
	switch {
	case report.Setup != "":
		log.note("%s", report.Setup)
	case report.Start != "":
		log.note("%s", report.Start)
	case report.Stopped && errors.Is(context.Cause(runCtx), errVerifyTimeout):
		result.ExitCode = exitTimeout
		log.note("stopped after %s", limit)
	}
	log.note("%s; exit code %d", report.Note, result.ExitCode)
	err = errors.Join(err, log.Close(ctx))
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	if err == nil && report.Setup != "" {
		err = &sandboxError{report.Setup}
	}
	return result, err
}

// verifyLog is the name of a verification's artifact: the name, as far as an
// artifact may have it, and its number where that is not its own.
func verifyLog(number int, name string, all []gateway.VerifySpec) string {
	slug := artifactSlug(name)
	for i, other := range all {
		if i != number && artifactSlug(other.Name) == slug {
			return fmt.Sprintf("verify-%d-%s.log", number+1, slug)
		}
	}
	return "verify-" + slug + ".log"
}

func artifactSlug(name string) string {
	slug := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			return c
		}
		return '_'
	}, strings.ToLower(name))
	return slug[:min(len(slug), 48)]
}

// emptyDirs makes folders of the workspace anew. What ran in them may have
// taken its own permissions away.
func (r *run) emptyDirs(names ...string) error {
	for _, name := range names {
		if err := removeAll(r.root, name); err != nil {
			return fmt.Errorf("emptying %s: %w", name, err)
		}
		if err := r.root.Mkdir(name, 0o700); err != nil {
			return fmt.Errorf("making %s: %w", name, err)
		}
	}
	return nil
}

func removeAll(root *os.Root, name string) error {
	err := root.RemoveAll(name)
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	if err := openUp(root, name); err != nil {
		return err
	}
	return root.RemoveAll(name)
}
