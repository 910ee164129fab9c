package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"leviathan/gateway"
)

// git measures clone and push through the gateway beside git http-backend on
// the same repository. A push through the gateway is checked, decided,
// recorded and forwarded; the peer's is only received.
func (b *bench) git(ctx context.Context) (err error) {
	n, rounds := b.size(5000, 100), b.size(5, 1)
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("src/%03d/%05d.txt", i%100, i)] = fmt.Sprintf("file %d\n%s", i, strings.Repeat(fmt.Sprintf("line %d of some text\n", i), 30))
	}
	var backlog strings.Builder
	backlog.WriteString("tasks:\n")
	for i := range rounds {
		fmt.Fprintf(&backlog, "  - {id: task-%d, title: Task, scope: docs, ready: true, allowed_paths: [docs/]}\n", i)
	}
	files[".leviathan/backlog.yaml"] = backlog.String()
	w, err := b.world(ctx, "git", rounds, files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	peer, stop, err := httpBackend(ctx, w)
	if err != nil {
		return err
	}
	defer stop()
	result, err := w.client.Cycle(ctx, "bench", gateway.CycleRequest{})
	if err != nil {
		return err
	}
	if len(result.Reserved) != rounds {
		return fmt.Errorf("%d of %d attempts were reserved: %v", len(result.Reserved), rounds, result.Reasons)
	}
	var clones, peerClones, pushes, peerPushes []time.Duration
	for i, r := range result.Reserved {
		message, err := w.startFor(ctx, r)
		if err != nil {
			return err
		}
		dir := filepath.Join(w.dir, fmt.Sprint("clone-", i))
		if err := inTurn(i,
			func() error {
				return timed(&clones, func() error { return gitAs(ctx, r.Token, "clone", "--quiet", w.url+r.CloneURL, dir) })
			},
			func() error {
				return timed(&peerClones, func() error { return git(ctx, "clone", "--quiet", peer, dir+"-peer") })
			}); err != nil {
			return err
		}
		for _, tree := range []string{dir, dir + "-peer"} {
			if err := commitOne(ctx, tree, message); err != nil {
				return err
			}
		}
		if err := inTurn(i,
			func() error {
				return timed(&pushes, func() error {
					return gitAs(ctx, r.Token, "-C", dir, "push", "--quiet", "origin", "HEAD:refs/heads/"+r.Branch)
				})
			},
			func() error {
				return timed(&peerPushes, func() error {
					return git(ctx, "-C", dir+"-peer", "push", "--quiet", "origin", fmt.Sprint("HEAD:refs/heads/peer-", i))
				})
			}); err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(dir+"-peer")); err != nil {
			return err
		}
	}
	b.add(beside(fmt.Sprintf("clone of %d files", n), clones, peerClones, 2))
	b.add(beside("push of one file", pushes, peerPushes, 1))
	return nil
}

// inTurn does both, in an order that alternates: who comes second finds the
// machine warm.
func inTurn(i int, ours, peer func() error) error {
	first, second := ours, peer
	if i%2 == 1 {
		first, second = peer, ours
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}

// beside is a row of two medians and the bound of their ratio.
func beside(name string, ours, peer []time.Duration, bound float64) figure {
	ratio := float64(median(ours)) / float64(median(peer))
	return figure{name: name, ours: milliseconds(median(ours)), peer: "git http-backend: " + milliseconds(median(peer)),
		target: fmt.Sprintf("≤ %.0f× (is %.2f×)", bound, ratio), held: ratio <= bound, note: fmt.Sprintf("medians of %d, ours and the peer in turn", len(ours))}
}

func timed(into *[]time.Duration, f func() error) error {
	began := time.Now()
	err := f()
	*into = append(*into, time.Since(began))
	return err
}

// startFor begins an attempt and returns the message that its commit must have.
func (w *benchWorld) startFor(ctx context.Context, r gateway.Reservation) (string, error) {
	worker, err := gateway.NewClient(w.url, r.Token, gateway.ClientOptions{})
	if err != nil {
		return "", err
	}
	started, err := worker.Start(ctx, r.AttemptID, gateway.StartRequest{Instance: "instance-" + string(r.AttemptID)})
	return started.Commit.Message, err
}

// commitOne commits one new file as Leviathan's own author, which git takes
// from the environment that it is run with.
func commitOne(ctx context.Context, tree, message string) error {
	file := filepath.Join(tree, "docs", "a.md")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte("# One file\n"), 0o644); err != nil {
		return err
	}
	if err := git(ctx, "-C", tree, "add", "docs/a.md"); err != nil {
		return err
	}
	return git(ctx, "-C", tree, "commit", "--quiet", "--cleanup=verbatim", "--message", message)
}

// httpBackend serves a copy of the upstream with git's own smart HTTP.
func httpBackend(ctx context.Context, w *benchWorld) (url string, stop func(), err error) {
	root := filepath.Join(w.dir, "peer")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", nil, err
	}
	if err := git(ctx, "clone", "--quiet", "--bare", w.upstream, filepath.Join(root, "repo.git")); err != nil {
		return "", nil, err
	}
	if err := git(ctx, "-C", filepath.Join(root, "repo.git"), "config", "http.receivepack", "true"); err != nil {
		return "", nil, err
	}
	where, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return "", nil, err
	}
	backend := filepath.Join(strings.TrimSpace(string(where)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return "", nil, fmt.Errorf("the peer of git: %w", err)
	}
	s := httptest.NewServer(&cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1"}})
	return s.URL + "/repo.git", s.Close, nil
}
