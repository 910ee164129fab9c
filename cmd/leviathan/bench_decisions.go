package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/policies"
)

// decisionPath is where the stock opa answers the gateway's question.
const decisionPath = "/v1/data/leviathan/main/decision"

// decisions measures durable decisions through HTTP beside the stock opa
// server, which evaluates the same policy on the same input document.
func (b *bench) decisions(ctx context.Context) (err error) {
	w, err := b.world(ctx, "decisions", 1, map[string]string{"docs/a.md": "a\n",
		".leviathan/backlog.yaml": "tasks:\n  - {id: one, title: One, scope: docs, ready: true, allowed_paths: [docs/a.md]}\n"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	attempt, err := w.running(ctx)
	if err != nil {
		return err
	}
	question := gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: gateway.ActionAttemptHeartbeat},
		Resource: gateway.Entity{Type: "attempt", ID: string(attempt)}}
	record, err := w.ask(ctx, question)
	if err != nil {
		return err
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	ours, err := endpointOf(w.url, "/access/v1/evaluation", w.token, body, holds(`"decision":true`))
	if err != nil {
		return err
	}
	ours.pid = w.process.Process.Pid
	peer, pid, stop, err := b.peer(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if peer == "" {
		return b.sideBySide(ctx, w, ours, nil)
	}
	if body, err = json.Marshal(map[string]json.RawMessage{"input": record.Input}); err != nil {
		return err
	}
	if err := sameAnswer(ctx, peer, body, record.Result); err != nil {
		return err
	}
	theirs, err := endpointOf(peer, decisionPath, "", body, holds(`"allow":true`))
	if err != nil {
		return err
	}
	theirs.pid = pid
	return b.sideBySide(ctx, w, ours, &theirs)
}

// holds reports whether an answer contains the text.
func holds(text string) func([]byte) bool {
	return func(answer []byte) bool { return bytes.Contains(answer, []byte(text)) }
}

// ask asks once, and returns what was recorded.
func (w *benchWorld) ask(ctx context.Context, q gateway.Question) (gateway.DecisionItem, error) {
	answer, err := w.client.Evaluate(ctx, q)
	if err != nil {
		return gateway.DecisionItem{}, err
	}
	if !answer.Decision {
		return gateway.DecisionItem{}, fmt.Errorf("the question of the bench is denied: %v", answer.Context.Reasons)
	}
	return w.client.Decision(ctx, answer.Context.ID)
}

// sameAnswer makes sure that the peer does the same work: its answer to the
// input is the one that the gateway recorded.
func sameAnswer(ctx context.Context, peer string, body []byte, recorded json.RawMessage) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, peer+decisionPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var theirs struct{ Result any }
	var ours any
	if err := errors.Join(json.Unmarshal(data, &theirs), json.Unmarshal(recorded, &ours)); err != nil {
		return fmt.Errorf("reading the peer's answer %.300s: %w", data, err)
	}
	if !reflect.DeepEqual(theirs.Result, ours) {
		return fmt.Errorf("the peer answers %.300s and the gateway %.300s: they do not do the same work", data, recorded)
	}
	return nil
}

// sideBySide alternates ours and the peer, so that what else the machine does
// hits both, and holds the journal to what was answered.
func (b *bench) sideBySide(ctx context.Context, w *benchWorld, ours endpoint, theirs *endpoint) error {
	step := time.Duration(b.seconds) * time.Second
	if b.quick {
		step = 200 * time.Millisecond
	}
	for _, n := range []int{1, 16, 64} {
		before, err := w.records(ctx)
		if err != nil {
			return err
		}
		answered := series{drive(ctx, n, step/4, ours)} // warm
		if theirs != nil {
			drive(ctx, n, step/4, *theirs)
		}
		var mine, other series
		for range b.size(3, 1) {
			mine = append(mine, drive(ctx, n, step, ours))
			if theirs != nil {
				other = append(other, drive(ctx, n, step, *theirs))
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := mine.failure(); err != nil {
			return fmt.Errorf("the gateway at %d connections: %w", n, err)
		}
		after, err := w.records(ctx)
		if err != nil {
			return err
		}
		if count := append(answered, mine...).count(); after-before < count {
			return fmt.Errorf("%d decisions were answered and %d recorded", count, after-before)
		}
		if err := b.addDecisions(n, mine, other); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) addDecisions(n int, mine, other series) error {
	f := figure{name: fmt.Sprintf("durable decisions, %d connections", n), ours: mine.String(), peer: "not measured",
		note: fmt.Sprintf("%d answers, none an error, all of them in the journal; each step %s a second; %s of processor time each", mine.count(), mine.rates(), mine.cost())}
	if len(other) > 0 {
		if err := other.failure(); err != nil {
			return fmt.Errorf("the peer at %d connections: %w", n, err)
		}
		rate, _, p99 := mine.medians()
		peerRate, _, peerP99 := other.medians()
		f.peer, f.target = "opa: "+other.String(), fmt.Sprintf("≥ 1.5× (is %.2f×), p99 ≤ its", rate/peerRate)
		f.held = rate/peerRate >= 1.5 && p99 <= peerP99
		f.note += fmt.Sprintf("; the peer: %d answers, none an error; each step %s a second; %s of processor time each", other.count(), other.rates(), other.cost())
	}
	b.add(f)
	return nil
}

// records is how many records the journal has: the second line of its
// checkpoint.
func (w *benchWorld) records(ctx context.Context) (int, error) {
	note, err := w.client.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(note, "\n")
	if len(lines) < 3 {
		return 0, fmt.Errorf("the checkpoint is %q", note)
	}
	return strconv.Atoi(lines[1])
}

// running reserves one attempt and starts it.
func (w *benchWorld) running(ctx context.Context) (gateway.AttemptID, error) {
	result, err := w.client.Cycle(ctx, "bench", gateway.CycleRequest{})
	if err != nil {
		return "", err
	}
	if len(result.Reserved) == 0 {
		return "", fmt.Errorf("nothing was reserved: %v %v", result.Reasons, result.Skipped)
	}
	r := result.Reserved[0]
	worker, err := gateway.NewClient(w.url, r.Token, gateway.ClientOptions{})
	if err != nil {
		return "", err
	}
	_, err = worker.Start(ctx, r.AttemptID, gateway.StartRequest{Instance: "instance-of-the-bench"})
	return r.AttemptID, err
}

// peer starts the stock opa server on our policies without their tests. The
// URL is empty if there is none.
func (b *bench) peer(ctx context.Context) (url string, pid int, stop func(), err error) {
	if b.opa == "" {
		return "", 0, func() {}, nil
	}
	dir := filepath.Join(b.dir, "policies")
	if err := writePolicies(dir); err != nil {
		return "", 0, nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", 0, nil, err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return "", 0, nil, err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, b.opa, "run", "--server", "--addr", addr, "--log-level", "error", "--skip-version-check", "--bundle", dir)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return "", 0, nil, fmt.Errorf("starting the stock opa: %w", err)
	}
	stop = func() {
		if err := cmd.Process.Kill(); err == nil {
			_ = cmd.Wait() // killed by us: how it ended says nothing
		}
	}
	if err := awaitHealth(ctx, "http://"+addr+"/health"); err != nil {
		stop()
		return "", 0, nil, fmt.Errorf("the stock opa did not get ready: %w: %s", err, said.Bytes())
	}
	return "http://" + addr, cmd.Process.Pid, stop, nil
}

// writePolicies writes the built-in bundle without its tests.
func writePolicies(dir string) error {
	return fs.WalkDir(policies.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		data, err := policies.FS.ReadFile(name)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, data, 0o644)
	})
}

// awaitHealth waits until the URL answers 200.
func awaitHealth(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			if err := resp.Body.Close(); err == nil && resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
