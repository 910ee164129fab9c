package server_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// childEnv names the folder of the world whose gateway a child process runs.
const childEnv = "LEVIATHAN_TEST_GATEWAY_IN"

// TestMain runs the tests, or a gateway to be killed.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	os.Args = append(os.Args[:1], "-test.run=^TestChild$", "-test.timeout=60s")
	os.Exit(m.Run())
}

// TestChild is the gateway of a child process: on the real clock, until it is
// killed, or its standard input ends because its parent was.
func TestChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("only in a child process")
	}
	w := &world{t: t, dir: dir, upstream: filepath.Join(dir, "upstream.git"), config: filepath.Join(dir, "demo.yaml"), clock: &clock{}, real: true}
	w.start()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.server.Run(ctx) }()
	fmt.Println("serving " + w.http.URL)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err == nil {
		t.Error("nothing is said to the child")
	}
	cancel()
	<-ended
}

// child starts a gateway in a process of its own.
func (w *world) child() *exec.Cmd {
	w.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), childEnv+"="+w.dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "serving "); ok {
			w.http = &httptest.Server{URL: url}
			return cmd
		}
	}
	w.t.Fatalf("the child ended: %v", cmd.Wait())
	return nil
}

// acknowledged collects what a gateway said yes to before it was killed.
type acknowledged struct {
	mu        sync.Mutex
	more      chan struct{} // one for each decision
	decisions []gateway.DecisionID
	ended     map[gateway.AttemptID]gateway.AttemptState
}

func (a *acknowledged) decision(id gateway.DecisionID) {
	a.mu.Lock()
	a.decisions = append(a.decisions, id)
	a.mu.Unlock()
	select {
	case a.more <- struct{}{}:
	default: // nobody counts any more
	}
}

// load asks and works until ctx ends or nobody answers.
func (w *world) load(ctx context.Context, acks *acknowledged, taken *sync.Map) {
	client := func(token string) *gateway.Client {
		c, err := gateway.NewClient(w.http.URL, token, gateway.ClientOptions{MaxTries: 1})
		if err != nil {
			w.t.Error(err)
		}
		return c
	}
	for ctx.Err() == nil {
		result, err := client(operator).Cycle(ctx, "demo", gateway.CycleRequest{})
		if err != nil {
			return
		}
		acks.decision(result.DecisionID)
		for _, r := range result.Reserved {
			if _, busy := taken.LoadOrStore(r.AttemptID, true); busy {
				continue
			}
			c := client(r.Token)
			started, err := c.Start(ctx, r.AttemptID, gateway.StartRequest{Instance: "instance-" + string(r.AttemptID)})
			if err != nil {
				return
			}
			acks.decision(started.DecisionID)
			done, err := c.Finish(ctx, r.AttemptID, gateway.FinishRequest{Outcome: "failed", FailureType: gateway.AgentError})
			if err != nil {
				return
			}
			acks.decision(done.DecisionID)
			acks.mu.Lock()
			acks.ended[r.AttemptID] = done.State
			acks.mu.Unlock()
		}
	}
}

func TestS17AKilledGatewayForgetsNothingThatItSaid(t *testing.T) {
	config := strings.NewReplacer("max_attempts_per_task: 2", "max_attempts_per_task: 100", "circuit_breaker_failures: 3", "circuit_breaker_failures: 10000",
		"retry_backoff_seconds: 60", "retry_backoff_seconds: 1, retry_backoff_max_seconds: 1").Replace(baseConfig)
	w := newUpstream(t, tasksOf(30), config)
	acks := &acknowledged{ended: map[gateway.AttemptID]gateway.AttemptState{}, more: make(chan struct{}, 1000)}
	state := filepath.Join(w.dir, "state")
	for round := range 4 {
		cmd := w.child()
		if round == 0 {
			w.onlyOne(state)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var taken sync.Map
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() { w.load(ctx, acks, &taken) })
		}
		limit := time.After(time.Minute)
		for range 8 + rand.IntN(12) {
			select {
			case <-acks.more:
			case <-limit:
				t.Fatal("the gateway acknowledges nothing")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the child ended by itself")
		}
		cancel()
		group.Wait()
		report, err := journal.Verify(context.Background(), filepath.Join(state, journal.DatabaseFile), journal.VerifyOptions{})
		if err != nil || report.Problem != nil {
			t.Fatalf("round %d: the journal does not verify: %+v %v", round, report.Problem, err)
		}
	}
	w.clock = &clock{at: time.Now().UTC().Add(time.Second)}
	w.start()
	for _, id := range acks.decisions {
		if d, ok, err := w.journal.Decision(context.Background(), id); err != nil || !ok || !d.Decision && d.Action != gateway.ActionCyclePlan {
			t.Errorf("decision %s was acknowledged and is %+v %v %v", id, d.Action, ok, err)
		}
	}
	for id, want := range acks.ended {
		if got := w.state(id); got != want {
			t.Errorf("attempt %s was acknowledged as %s and is %s", id, want, got)
		}
	}
	w.fold().within(t, 2, 3)
	if len(acks.decisions) < 12 || len(acks.ended) < 4 {
		t.Errorf("%d decisions, %d ends: nothing was at stake", len(acks.decisions), len(acks.ended))
	}
	// Nothing is left without an end: whatever lives, its time runs out.
	w.clock.add(301 * time.Second)
	w.expire()
	if l := w.fold(); len(l.live) != 0 {
		t.Errorf("%d attempts never end", len(l.live))
	}
	t.Logf("%d decisions, %d ends acknowledged", len(acks.decisions), len(acks.ended))
}

// onlyOne expects that a second gateway does not start on the state folder.
func (w *world) onlyOne(state string) {
	w.t.Helper()
	j, err := journal.Open(context.Background(), journal.Config{Dir: state})
	if err == nil {
		w.t.Fatalf("a second gateway opened the state folder: %v", j.Close())
	}
	if !strings.Contains(err.Error(), "process") && !strings.Contains(err.Error(), "another") {
		w.t.Errorf("the message does not say why: %v", err)
	}
}
