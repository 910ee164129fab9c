package observability_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	"leviathan/policies"
	"leviathan/spider"
)

const operator = "operator-token-of-the-tests"

// A world is a real gateway on a real journal, which a real spider follows; its
// addresses are for who scrapes.
type world struct{ gateway, spider string }

// openWorld has something happen in it that moves every metric.
func openWorld(ctx context.Context, t *testing.T) world {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	quiet, dir := slog.New(slog.DiscardHandler), t.TempDir()
	config := filepath.Join(dir, "demo.yaml")
	must(os.WriteFile(config, fmt.Appendf(nil, "autonomy_enabled: true\ntarget_id: demo\ntarget_repo_url: %s\nallowed_path_prefixes: [docs/]\n", filepath.Join(dir, "upstream.git")), 0o644))
	targets, err := autonomy.Open(config, quiet, time.Now)
	must(err)
	policy, err := engine.LoadFS(ctx, policies.FS, engine.Options{})
	must(err)
	state := filepath.Join(dir, "state")
	first, err := journal.Open(ctx, journal.Config{Dir: state, Logger: quiet})
	must(err)
	record(ctx, t, first)
	must(first.Close()) // leaves a checkpoint
	j, err := journal.Open(ctx, journal.Config{Dir: state, Logger: quiet})
	must(err)
	srv, err := server.New(ctx, server.Config{StateDir: state, Journal: j, Engine: engine.New(policy), Targets: targets, OperatorToken: operator, Logger: quiet, OpenMetrics: true})
	must(err)
	must(srv.BeginPolicy(ctx, "the tests"))
	running, stop := context.WithCancel(ctx)
	web := &httptest.Server{Listener: httptest.NewUnstartedServer(nil).Listener, Config: &http.Server{Handler: srv.Handler()}}
	web.Start()
	client, err := gateway.NewClient(web.URL, operator, gateway.ClientOptions{})
	must(err)
	watcher, err := spider.New(spider.Config{Client: client, Logger: quiet, StatusEvery: time.Second})
	must(err)
	shown := httptest.NewServer(watcher.Handler())
	forwarder, err := server.NewForwarder(server.ForwardConfig{Journal: j, URL: shown.URL, Logger: quiet}, srv.Registry())
	must(err)
	var all sync.WaitGroup
	for _, run := range []func(context.Context) error{srv.Run, watcher.Run, forwarder.Run} {
		all.Go(func() {
			if err := run(running); err != context.Canceled {
				t.Errorf("something ended with %v", err)
			}
		})
	}
	t.Cleanup(func() {
		stop()
		web.CloseClientConnections()
		all.Wait()
		shown.Close()
		web.Close()
		must(srv.Close())
		must(j.Close())
	})
	_, err = client.Cycle(ctx, "demo", gateway.CycleRequest{}) // the upstream cannot be read
	must(err)
	_, err = client.Evaluate(ctx, gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: "pull_request.merge"},
		Resource: gateway.Entity{Type: "target", ID: "demo"}}) // denied for everybody
	must(err)
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	return world{gateway: host(web.URL), spider: host(shown.URL)}
}

// record journals a task's life from ready to merged, and what else there is.
func record(ctx context.Context, t *testing.T, j *journal.Journal) {
	t.Helper()
	target := journal.Subject{TargetID: "demo"}
	task := journal.Subject{TargetID: "demo", TaskID: "guide"}
	about := journal.Subject{TargetID: "demo", TaskID: "guide", AttemptID: gateway.AttemptID(ulid.Make().String())}
	branch, commit := about.AttemptID.Branch(), gateway.OID(strings.Repeat("1", 40))
	for _, p := range []journal.Payload{
		journal.TargetRegistered{Subject: target, Name: "demo"},
		journal.TaskCreated{Subject: task, Title: "T", Status: "pending"},
		journal.AttemptCreated{Subject: about, AttemptNumber: 1, Status: gateway.Reserved, Digest: "d", Agent: "a", Branch: branch},
		journal.AttemptStarted{Subject: about, Status: gateway.Running, Instance: "i"},
		journal.PushIntended{Subject: about, PushIntent: journal.PushIntent{RefName: "refs/heads/" + branch, New: commit, Tree: commit}},
		journal.AttemptPushed{Subject: about, Status: gateway.Pushed, CommitSHA: commit, Tree: commit, BranchName: branch},
		journal.PullIntended{Subject: about, PullIntent: journal.PullIntent{BranchName: branch, CommitSHA: commit, Title: "T"}},
		journal.PullCreated{Subject: about, PRNumber: 1, BranchName: branch, CommitSHA: commit, Title: "T", State: "open"},
		journal.AttemptEnded{Subject: about, End: journal.End{Status: gateway.Succeeded}},
		journal.PullMerged{Subject: about, PRNumber: 1},
		journal.CircuitOpened{Subject: target, Cause: "failures"},
		journal.CycleCompleted{Subject: target, Outcome: gateway.CycleIdle},
	} {
		err := j.Commit(ctx, func(tx *journal.Tx) error {
			_, err := tx.Append(journal.NewEvent("gateway", p))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
