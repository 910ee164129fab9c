package repository

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	p, err := t.start(ctx, uploadPack, "--advertise-refs")
	if err != nil {
		return nil, err
	}
	return p, p.feed(nil, 0)
}

func (t *pathTransport) call(ctx context.Context, service string, body io.Reader, size int64) (io.ReadCloser, error) {
	p, err := t.start(ctx, service)
	if err != nil {
		return nil, err
	}
	return p, p.feed(body, size)
}

// prepare starts the git-receive-pack of a call that may come: a process takes
// milliseconds to begin, and until it is told a command it does nothing. It
// ends with abandon, or as a call's answer does; ctx does not end it. A process
// that cannot be started is nil: the call will start one, and say why not.
func (t *pathTransport) prepare(ctx context.Context) *gitProcess {
	p, err := t.start(context.WithoutCancel(ctx), receivePack)
	if err != nil {
		return nil
	}
	return p
}

// callPrepared is call on a process that waits. One that waits in a repository
// that is no longer at the path is not used.
func (t *pathTransport) callPrepared(ctx context.Context, p *gitProcess, body io.Reader, size int64) (io.ReadCloser, error) {
	if now, err := os.Stat(t.path); err != nil || !os.SameFile(p.place, now) {
		p.abandon()
		return t.call(ctx, receivePack, body, size)
	}
	p.endWith(ctx)
	return p, p.feed(body, size)
}

// noAlternateRefs keeps receive-pack from listing the repository's own refs in
// one more process: to it, the objects that a push waits in have the
// repository for an alternate. The list only shortens its search for what is
// connected, which knows those refs already; it finds the same.
var noAlternateRefs = []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.alternateRefsCommand", "GIT_CONFIG_VALUE_0=true"}

// start begins a service that waits to be fed.
func (t *pathTransport) start(ctx context.Context, service string, flags ...string) (*gitProcess, error) {
	place, err := os.Stat(t.path)
	if err != nil {
		return nil, gateway.Errorf(gateway.Unknown, "the upstream cannot be read: %v", err)
	}
	args := append([]string{strings.TrimPrefix(service, "git-"), "--stateless-rpc"}, flags...)
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, t.git, append(args, t.path)...)
	cmd.Env, cmd.Dir = t.env, "/"
	if service == receivePack {
		cmd.Env = append(noAlternateRefs, t.env...)
	}
	cmd.WaitDelay = 5 * time.Second
	p := &gitProcess{cmd: cmd, cancel: cancel, place: place}
	cmd.Stderr = &p.stderr
	if err := p.start(); err != nil {
		cancel()
		return nil, gateway.Errorf(gateway.Unknown, "run git %s: %v", args[0], err)
	}
	return p, nil
}
