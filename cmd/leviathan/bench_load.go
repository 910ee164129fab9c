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
	"slices"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/policies"
)

// A load is what one step under load showed.
type load struct {
	perSecond float64
	p50, p99  time.Duration
	count     int
	errors    int
}

// drive posts the body over n connections for d and checks every answer.
func drive(ctx context.Context, n int, d time.Duration, url, token string, body []byte, good func([]byte) bool) load {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var mu sync.Mutex
	var all []time.Duration
	failed := 0
	var wg sync.WaitGroup
	began := time.Now()
	for range n {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			var mine []time.Duration
			bad := 0
			for ctx.Err() == nil {
				at := time.Now()
				ok, err := post(ctx, client, url, token, body, good)
				if ctx.Err() != nil {
					break // the step is over; what was cut off does not count
				}
				if err != nil || !ok {
					bad++
					continue
				}
				mine = append(mine, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, mine...), failed+bad
		})
	}
	wg.Wait()
	took := time.Since(began)
	l := load{count: len(all), errors: failed, perSecond: float64(len(all)) / took.Seconds()}
	if len(all) > 0 {
		slices.Sort(all)
		l.p50, l.p99 = all[len(all)/2], all[len(all)*99/100]
	}
	return l
}

func post(ctx context.Context, client *http.Client, url, token string, body []byte, good func([]byte) bool) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return false, err
	}
	return resp.StatusCode == http.StatusOK && good(answer), nil
}

// decisions measures durable decisions through HTTP beside the stock opa
// server, which evaluates the same policy on the same input document.
func (b *bench) decisions(ctx context.Context) error {
	w, err := b.world(ctx, "decisions", 1, map[string]string{"docs/a.md": "a\n",
		".leviathan/backlog.yaml": "tasks:\n  - {id: one, title: One, scope: docs, ready: true, allowed_paths: [docs/a.md]}\n"})
	if err != nil {
		return err
	}
	defer func() {
		if err := w.close(); err != nil {
			b.failures = append(b.failures, "ending a gateway: "+err.Error())
		}
	}()
	attempt, err := w.running(ctx)
	if err != nil {
		return err
	}
	question := gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: gateway.ActionAttemptHeartbeat},
		Resource: gateway.Entity{Type: "attempt", ID: string(attempt)}}
	answer, err := w.client.Evaluate(ctx, question)
	if err != nil {
		return err
	}
	if !answer.Decision {
		return fmt.Errorf("the question of the bench is denied: %v", answer.Context.Reasons)
	}
	record, err := w.client.Decision(ctx, answer.Context.ID)
	if err != nil {
		return err
	}
	ours, err := json.Marshal(question)
	if err != nil {
		return err
	}
	theirs, err := json.Marshal(map[string]json.RawMessage{"input": record.Input})
	if err != nil {
		return err
	}
	peer, stop, err := b.peer(ctx)
	if err != nil {
		return err
	}
	defer stop()
	return b.sideBySide(ctx, w, peer, ours, theirs)
}

// sideBySide alternates ours and the peer, so that what else the machine does
// hits both.
func (b *bench) sideBySide(ctx context.Context, w *benchWorld, peer string, ours, theirs []byte) error {
	allowed := func(answer []byte) bool { return bytes.Contains(answer, []byte(`"decision":true`)) }
	allows := func(answer []byte) bool { return bytes.Contains(answer, []byte(`"allow":true`)) }
	step := time.Duration(b.size(b.seconds, 1)) * time.Second
	for _, n := range []int{1, 16, 64} {
		drive(ctx, n, step/4, w.url+"/access/v1/evaluation", w.token, ours, allowed) // warm
		var mine, other []load
		for range b.size(3, 1) {
			mine = append(mine, drive(ctx, n, step, w.url+"/access/v1/evaluation", w.token, ours, allowed))
			if peer != "" {
				other = append(other, drive(ctx, n, step, peer+"/v1/data/leviathan/main/decision", "", theirs, allows))
			}
		}
		m := middle(mine)
		f := figure{name: fmt.Sprintf("durable decisions, %d connections", n), ours: m.String(), peer: "not measured"}
		if m.errors > 0 || m.count == 0 {
			return fmt.Errorf("%d of our answers at %d connections were not what they must be", m.errors, n)
		}
		if peer != "" {
			o := middle(other)
			if o.errors > 0 || o.count == 0 {
				return fmt.Errorf("%d of the peer's answers at %d connections were not what they must be", o.errors, n)
			}
			ratio := m.perSecond / o.perSecond
			f.peer, f.target = "opa: "+o.String(), fmt.Sprintf("≥ 1.5× (is %.2f×), p99 ≤ its", ratio)
			f.held = ratio >= 1.5 && m.p99 <= o.p99
		}
		b.add(f)
	}
	return nil
}

func (l load) String() string {
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s", l.perSecond, milliseconds(l.p50), milliseconds(l.p99))
}

// middle is the step with the median throughput.
func middle(steps []load) load {
	slices.SortFunc(steps, func(a, b load) int { return int(a.perSecond - b.perSecond) })
	return steps[len(steps)/2]
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

// peer starts the stock opa server on our policies without their tests.
func (b *bench) peer(ctx context.Context) (url string, stop func(), err error) {
	if b.opa == "" {
		return "", func() {}, nil
	}
	dir := filepath.Join(b.dir, "policies")
	err = fs.WalkDir(policies.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		data, err := policies.FS.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), data, 0o644)
	})
	if err != nil {
		return "", nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, b.opa, "run", "--server", "--addr", addr, "--log-level", "error", "--skip-version-check", "--bundle", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("starting the stock opa: %w", err)
	}
	stop = func() {
		if err := cmd.Process.Kill(); err == nil {
			_ = cmd.Wait() // killed by us: how it ended says nothing
		}
	}
	for range 100 {
		if resp, err := http.Get("http://" + addr + "/health"); err == nil {
			if err := resp.Body.Close(); err == nil && resp.StatusCode == http.StatusOK {
				return "http://" + addr, stop, nil
			}
		}
		select {
		case <-ctx.Done():
			stop()
			return "", nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	stop()
	return "", nil, errors.New("the stock opa did not get ready")
}
