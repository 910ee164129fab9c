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
	"sync/atomic"
	"time"

	"leviathan/gateway"
)

// pathTransport runs git beside a repository on this machine, so that its
// lock files, its config and its hooks are respected.
type pathTransport struct {
	git  string
	path string
	env  []string

	received atomic.Uint32 // how many git-receive-pack were started
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

// prepare begins to start the git-receive-pack of a call that may come, and
// returns what waits for it: a process takes milliseconds to begin, and until
// it is told a command it does nothing. It ends with abandon, or as a call's
// answer does; ctx does not end it. A process that cannot be started is nil:
// the call will start one, and say why not.
func (t *pathTransport) prepare(ctx context.Context) func() *gitProcess {
	started := make(chan *gitProcess, 1)
	go func() {
		p, err := t.start(context.WithoutCancel(ctx), receivePack)
		if err != nil {
			p = nil
		}
		started <- p
	}()
	return func() *gitProcess { return <-started }
}

// callPrepared is call on a process that waits, if there is one. One that has
// ended, or that waits in a repository that is no longer at the path, is not
// used: it was told nothing.
func (t *pathTransport) callPrepared(ctx context.Context, p *gitProcess, body io.Reader, size int64) (io.ReadCloser, error) {
	if p == nil {
		return t.call(ctx, receivePack, body, size)
	}
	if now, err := os.Stat(t.path); err != nil || !os.SameFile(p.place, now) || p.gone() {
		p.abandon()
		return t.call(ctx, receivePack, body, size)
	}
	p.endWith(ctx)
	return p, p.feed(body, size)
}

// receiveConfig spares receive-pack two processes for each push.
//
// It lists the repository's own refs in one, since to it the objects that a
// push waits in have the repository for an alternate. The list only shortens
// its search for what is connected, which knows those refs already and finds
// the same without it.
//
// In the other it looks whether its repository has grown enough to be repacked.
// Thousands of pushes lie between two such times: it looks at each gcEvery-th,
// the first included, if the repository's own config lets it.
func (t *pathTransport) receiveConfig() []string {
	config := []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.alternateRefsCommand", "GIT_CONFIG_VALUE_0=true"}
	if t.received.Add(1)%gcEvery != 1 {
		config[0] = "GIT_CONFIG_COUNT=2"
		config = append(config, "GIT_CONFIG_KEY_1=receive.autoGC", "GIT_CONFIG_VALUE_1=false")
	}
	return config
}

const gcEvery = 32

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
		cmd.Env = append(t.receiveConfig(), t.env...)
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
