package forge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"leviathan/gateway"
)

// permitted is every git subcommand that this package runs, and the rule for
// its arguments and input. All but two only read: hash-object writes a blob
// that no ref names yet, and update-ref creates the two refs of a pull request.
var permitted = map[string]func(args []string, stdin string) bool{
	"cat-file":     always,
	"diff-tree":    always,
	"for-each-ref": always,
	"merge-base":   always,
	"patch-id":     always,
	"rev-list":     always,
	"rev-parse":    always,
	"version":      always,
	"hash-object":  func(args []string, _ string) bool { return strings.Join(args, " ") == "-w --stdin" },
	"update-ref": func(args []string, stdin string) bool {
		return strings.Join(args, " ") == "--no-deref --stdin" && creations.MatchString(stdin)
	},
}

// creations is a transaction that creates a pull request and nothing else:
// "create" fails where the ref exists.
var creations = regexp.MustCompile(`^start\ncreate refs/pull/[1-9][0-9]*/head [0-9a-f]{40}\n` +
	`create refs/leviathan/pulls/[1-9][0-9]* [0-9a-f]{40}\nprepare\ncommit\n$`)

func always([]string, string) bool { return true }

// maxOutput bounds what is read of one git process; a repository with more
// than this in its refs or history is an error, not a part of an answer.
const maxOutput = 256 << 20

// A git runs the git binary on one repository.
type git struct {
	binary string
	dir    string
}

// command prepares one process. A cancelled one is asked to end first, so that
// it takes its lock files with it.
func (g git) command(ctx context.Context, stdin, sub string, args []string) (*exec.Cmd, *headBuffer, error) {
	allowed, ok := permitted[sub]
	if !ok || !allowed(args, stdin) {
		return nil, nil, gateway.Errorf(gateway.InternalError, "git %s is not among the commands of the local forge", sub)
	}
	cmd := exec.CommandContext(ctx, g.binary, append([]string{"--git-dir=" + g.dir, sub}, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + filepath.Dir(g.binary) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/nonexistent",
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_ATTR_NOSYSTEM=1",
		// The repository may belong to another user: the operator named it.
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		// A branch that is named like an object id is nothing to complain of.
		"GIT_CONFIG_KEY_1=core.warnAmbiguousRefs", "GIT_CONFIG_VALUE_1=false",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_LITERAL_PATHSPECS=1",
		"GIT_NO_LAZY_FETCH=1",
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdin = strings.NewReader(stdin)
	complaint := &headBuffer{}
	cmd.Stderr = complaint
	return cmd, complaint, nil
}

// run returns the standard output of one git process. A process that fails or
// complains is an error: git skips a ref that it cannot read with a warning,
// and here a missing ref means that a pull request was closed.
func (g git) run(ctx context.Context, stdin, sub string, args ...string) (string, error) {
	cmd, complaint, err := g.command(ctx, stdin, sub, args)
	if err != nil {
		return "", err
	}
	out := &boundedBuffer{}
	cmd.Stdout = out
	err = g.outcome(ctx, sub, cmd.Run(), complaint)
	return out.String(), err
}

// pipe runs two git processes, the first one's output being the second one's
// input, and returns the output of the second.
func (g git) pipe(ctx context.Context, stdin string, first, second []string) (string, error) {
	from, fromSays, err := g.command(ctx, stdin, first[0], first[1:])
	if err != nil {
		return "", err
	}
	to, toSays, err := g.command(ctx, "", second[0], second[1:])
	if err != nil {
		return "", err
	}
	r, w := io.Pipe()
	out := &boundedBuffer{}
	from.Stdout, to.Stdin, to.Stdout = w, r, out
	done := make(chan error, 1)
	go func() {
		err := g.outcome(ctx, first[0], from.Run(), fromSays)
		w.CloseWithError(err) // nil is the end of the input
		done <- err
	}()
	err = g.outcome(ctx, second[0], to.Run(), toSays)
	r.CloseWithError(io.ErrClosedPipe) // a second that ended early ends the first
	return out.String(), errors.Join(<-done, err)
}

// outcome makes the error of a process that ended. Its kind is unknown: what
// git could not read is not known.
func (g git) outcome(ctx context.Context, sub string, err error, complaint *headBuffer) error {
	said := complaint.String()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
	case said != "":
		err = errors.New("it complains")
	default:
		return nil
	}
	detail := fmt.Sprintf("git %s on %s: %v", sub, g.dir, err)
	if said != "" {
		detail += ": " + said
	}
	return &gateway.Error{Kind: gateway.Unknown, Detail: detail, Err: err}
}

// exitCode is the exit code of the git process that err is about, if it ended
// by itself and without a word; else -1.
func exitCode(err error) int {
	var e *gateway.Error
	var exit *exec.ExitError
	if errors.As(err, &e) && errors.As(e.Err, &exit) && strings.HasSuffix(e.Detail, exit.Error()) {
		return exit.ExitCode()
	}
	return -1
}

// headBuffer keeps the first 2 KiB of what a process complains, on one line.
type headBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *headBuffer) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b.Write(p[:min(len(p), max(0, 2048-h.b.Len()))])
	return len(p), nil
}

func (h *headBuffer) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(strings.Fields(clean(h.b.String())), " ")
}

// boundedBuffer refuses more than maxOutput bytes.
type boundedBuffer struct{ bytes.Buffer }

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("output is larger than %d MiB", maxOutput>>20)
	}
	return b.Buffer.Write(p)
}
