package repository

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
)

// pathTransport runs git beside a repository on this machine, so that its
// lock files, its config and its hooks are respected.
type pathTransport struct {
	git  string
	path string
	env  []string
}

// newPathTransport needs the git binary; the repository itself may come later.
func newPathTransport(up Upstream, dir string) (transport, error) {
	path, err := cleanPath(up.URL)
	if err != nil {
		return nil, err
	}
	git, err := exec.LookPath(cmp.Or(up.GitBinary, "git"))
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "an upstream that is a path needs the git binary: %v", err)
	}
	if git, err = filepath.Abs(git); err != nil {
		return nil, fmt.Errorf("locate git: %w", err)
	}
	if err := refuseSHA256(path); err != nil {
		return nil, err
	}
	// The repository may belong to another user: it is trusted because the
	// operator named it, and nothing else is.
	safe := "[safe]\n"
	for _, p := range []string{path, filepath.Join(path, ".git")} {
		safe += "\tdirectory = \"" + p + "\"\n"
		if real, err := filepath.EvalSymlinks(p); err == nil && real != p && !strings.ContainsAny(real, "\"\\\n") {
			safe += "\tdirectory = \"" + real + "\"\n"
		}
	}
	config, err := filepath.Abs(filepath.Join(dir, "upstream.gitconfig"))
	if err != nil {
		return nil, fmt.Errorf("configure git: %w", err)
	}
	if err := writeFile(config, []byte(safe)); err != nil {
		return nil, err
	}
	return &pathTransport{git: git, path: path, env: []string{
		"PATH=" + filepath.Dir(git) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + filepath.Dir(config),
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + config,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ATTR_NOSYSTEM=1",
	}}, nil
}

func (t *pathTransport) pulls() bool { return true }

func (t *pathTransport) advertise(ctx context.Context) (io.ReadCloser, error) {
	return t.run(ctx, uploadPack, nil, "--advertise-refs")
}

func (t *pathTransport) call(ctx context.Context, service string, body io.Reader, size int64) (io.ReadCloser, error) {
	return t.run(ctx, service, io.LimitReader(body, size))
}

func (t *pathTransport) run(ctx context.Context, service string, stdin io.Reader, flags ...string) (io.ReadCloser, error) {
	if _, err := os.Stat(t.path); err != nil {
		return nil, gateway.Errorf(gateway.Unknown, "the upstream cannot be read: %v", err)
	}
	args := append([]string{strings.TrimPrefix(service, "git-"), "--stateless-rpc"}, flags...)
	cmd := exec.CommandContext(ctx, t.git, append(args, t.path)...)
	cmd.Env, cmd.Stdin, cmd.Dir = t.env, stdin, "/"
	cmd.WaitDelay = 5 * time.Second
	p := &gitProcess{cmd: cmd}
	cmd.Stderr = &p.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("run git %s: %w", args[0], err)
	}
	if err := cmd.Start(); err != nil {
		return nil, gateway.Errorf(gateway.Unknown, "run git %s: %v", args[0], err)
	}
	p.out = out
	return p, nil
}

// gitProcess is the output of a git process. The read that reaches the end
// reports how the process ended.
type gitProcess struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	stderr headBuffer
	waited bool
	err    error
}

func (p *gitProcess) Read(b []byte) (int, error) {
	if p.waited {
		return 0, cmp.Or(p.err, io.EOF)
	}
	n, err := p.out.Read(b)
	if err == io.EOF && n == 0 {
		if werr := p.wait(); werr != nil {
			return 0, werr
		}
	}
	return n, err
}

func (p *gitProcess) wait() error {
	if p.waited {
		return p.err
	}
	p.waited = true
	if err := p.cmd.Wait(); err != nil {
		p.err = gateway.Errorf(gateway.Unknown, "git %s: %v: %s", p.cmd.Args[1], err, sanitize(p.stderr.String()))
	}
	return p.err
}

// Close waits for the process; one that still has much to say is cut off.
func (p *gitProcess) Close() error {
	if !p.waited {
		// what is left is at most the end of an answer that was understood
		if _, err := io.CopyN(io.Discard, p.out, 1<<20); err == nil {
			p.out.Close()
		}
	}
	return p.wait()
}

// headBuffer keeps the first 4 KiB of what a process complains.
type headBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *headBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 4096 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *headBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
