package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"leviathan/gateway"
)

// gitSettings are handed to every git process in its environment, where they
// outrank every file. With them, git runs nothing that a repository, a
// checkout or a home could name: no hook, no fsmonitor, no filter (none is
// configured, so an attribute names nothing), no credential helper, no
// transport but http and https, no submodule.
var gitSettings = [][2]string{
	{"core.hooksPath", "/dev/null"},
	{"core.fsmonitor", "false"},
	{"core.attributesFile", "/dev/null"},
	{"core.excludesFile", "/dev/null"},
	{"core.bare", "false"},
	{"core.autocrlf", "false"},
	{"core.protectHFS", "true"},
	{"core.protectNTFS", "true"},
	{"core.untrackedCache", "false"},
	{"core.sshCommand", "false"},
	{"credential.helper", ""},
	{"protocol.allow", "never"},
	{"protocol.http.allow", "always"},
	{"protocol.https.allow", "always"},
	{"http.followRedirects", "false"},
	{"submodule.recurse", "false"},
	{"fetch.recurseSubmodules", "false"},
	{"push.recurseSubmodules", "no"},
	{"commit.gpgSign", "false"},
	{"push.gpgSign", "false"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"advice.detachedHead", "false"},
}

// A git runs the git binary on the attempt's git directory, hardened.
type git struct {
	binary string
	dir    string // the git directory
	home   string // an empty folder
	tree   string // the work tree; empty for none
	index  string // the index file; empty for git's own
	url    string // the gateway's URL, to which the header goes
	token  string
	caFile string
}

// A gitError is a git process that failed, with the end of what it said.
type gitError struct {
	verb   string
	exit   int
	stdout []byte
	stderr string
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: exit code %d: %s", e.verb, e.exit, strings.TrimSpace(e.stderr))
}

// final reports whether the gateway answered with a refusal (a 4xx other than
// "too many requests"); trying again would be asking again.
func (e *gitError) final() bool {
	_, status, ok := strings.Cut(e.stderr, "The requested URL returned error: 4")
	return ok && !strings.HasPrefix(status, "29") || strings.Contains(e.stderr, "could not read Username") ||
		strings.Contains(e.stderr, "Authentication failed")
}

// run runs git and returns its standard output. Only a network call has the
// token, and in its environment alone: neither argv nor a config file.
func (g git) run(ctx context.Context, network bool, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, g.binary, args...)
	cmd.Env = g.env(network, traceParent(ctx))
	cmd.Dir = g.dir
	if g.tree != "" {
		cmd.Dir = g.tree
	}
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], context.Cause(ctx))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, &gitError{verb: args[0], exit: exit.ExitCode(), stdout: stdout.Bytes(), stderr: last(stderr.String(), 4000)}
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return stdout.Bytes(), nil
}

// env is git's environment. A place in a trace goes to the gateway beside the
// token, and like it to nobody else.
func (g git) env(network bool, traceParent string) []string {
	env := map[string]string{
		"PATH": searchPath, "HOME": g.home, "XDG_CONFIG_HOME": g.home, "LC_ALL": "C", "TZ": "UTC",
		"GIT_DIR": g.dir, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_GLOBAL": "/dev/null",
		"GIT_ATTR_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "SSH_ASKPASS": "/bin/false",
		"GIT_ALLOW_PROTOCOL": "http:https", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1",
	}
	if g.tree != "" {
		env["GIT_WORK_TREE"] = g.tree
	}
	if g.index != "" {
		env["GIT_INDEX_FILE"] = g.index
	}
	settings := gitSettings
	if network {
		settings = append(settings[:len(settings):len(settings)], [2]string{"http." + g.url + "/.extraHeader", "Authorization: Bearer " + g.token})
		if traceParent != "" {
			settings = append(settings, [2]string{"http." + g.url + "/.extraHeader", traceHeader + ": " + traceParent})
		}
		if g.caFile != "" {
			env["GIT_SSL_CAINFO"] = g.caFile
		}
	}
	env["GIT_CONFIG_COUNT"] = fmt.Sprint(len(settings))
	for i, setting := range settings {
		env[fmt.Sprintf("GIT_CONFIG_KEY_%d", i)], env[fmt.Sprintf("GIT_CONFIG_VALUE_%d", i)] = setting[0], setting[1]
	}
	return list(env)
}

// clone makes the git directory and fetches the attempt's base commit, which
// the gateway shows as HEAD. Nothing is checked out. What another try cannot
// mend is marked permanent.
func (g git) clone(ctx context.Context, cloneURL string, base gateway.OID) error {
	if _, err := g.run(ctx, false, nil, "init", "--quiet", "--bare", "--template=", g.dir); err != nil {
		return backoff.Permanent(err)
	}
	if _, err := g.run(ctx, true, nil, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-gc",
		cloneURL, "+HEAD:refs/leviathan/base"); err != nil {
		return err
	}
	got, err := g.run(ctx, false, nil, "rev-parse", "--verify", "refs/leviathan/base^{commit}")
	if err != nil {
		return backoff.Permanent(err)
	}
	if oid := gateway.OID(bytes.TrimSpace(got)); oid != base {
		return backoff.Permanent(fmt.Errorf("the gateway shows %s as HEAD, and the attempt's base is %s", oid, base))
	}
	return nil
}

// checkout writes the tree of treeish into dir, with an index of its own, so
// that nothing that happened in another checkout counts.
func (g git) checkout(ctx context.Context, treeish, dir, index string) (git, error) {
	g.tree, g.index = dir, index
	if _, err := g.run(ctx, false, nil, "read-tree", "--no-recurse-submodules", treeish); err != nil {
		return g, err
	}
	_, err := g.run(ctx, false, nil, "checkout-index", "--all", "--quiet", "--prefix="+filepath.Clean(dir)+"/")
	return g, err
}

// last is the end of s, at most n bytes of it.
func last(s string, n int) string {
	return strings.ToValidUTF8(s[max(0, len(s)-n):], "?")
}
