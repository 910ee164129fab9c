package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/policies"
)

// cycle measures one cycle over a large backlog: parse and plan when the
// backlog is new, and the plan alone when it is not.
func (b *bench) cycle(ctx context.Context) (err error) {
	n := b.size(10_000, 200)
	var backlog strings.Builder
	backlog.WriteString("tasks:\n")
	for i := range n {
		fmt.Fprintf(&backlog, "  - {id: task-%05d, title: Task number %d, scope: docs, ready: true, allowed_paths: [docs/%05d.md], acceptance_criteria: [it is there]}\n", i, i, i)
	}
	w, err := b.world(ctx, "cycle", 2, map[string]string{".leviathan/backlog.yaml": backlog.String()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	one := func() (time.Duration, error) {
		began := time.Now()
		result, err := w.client.Cycle(ctx, "bench", gateway.CycleRequest{})
		if err == nil && len(result.Skipped) < n-4 {
			err = fmt.Errorf("only %d of %d tasks were explained: %v", len(result.Skipped), n, result.Reasons)
		}
		return time.Since(began), err
	}
	cold, err := one()
	if err != nil {
		return err
	}
	var warm []time.Duration
	for range b.size(5, 1) {
		d, err := one()
		if err != nil {
			return err
		}
		warm = append(warm, d)
	}
	b.add(figure{name: fmt.Sprintf("one cycle, %d ready tasks", n), ours: milliseconds(median(warm)), peer: "–", target: "≤ 500 ms", held: median(warm) <= 500*time.Millisecond,
		note: fmt.Sprintf("median of %d; the first cycle, which also parses the backlog, took %s", len(warm), milliseconds(cold))})
	return nil
}

// changes measures the decision about one large change: the parts are built
// and the policy is asked, as the gateway does for a push.
func (b *bench) changes(ctx context.Context) (err error) {
	n := b.size(100_000, 1000)
	w, err := b.world(ctx, "changes", 1, map[string]string{
		".leviathan/backlog.yaml": "tasks:\n  - {id: one, title: One, scope: docs, ready: true, allowed_paths: [docs/]}\n"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	attempt, err := w.running(ctx)
	if err != nil {
		return err
	}
	change := gateway.Change{Path: "docs/a.md", Op: gateway.Add, NewMode: "100644", Size: 100}
	answer, err := w.client.Evaluate(ctx, gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: gateway.ActionChangePush},
		Resource: gateway.Entity{Type: "changeset", ID: string(attempt), Properties: map[string]any{"changes": []gateway.Change{change}}}})
	if err != nil {
		return err
	}
	record, err := w.client.Decision(ctx, answer.Context.ID)
	if err != nil {
		return err
	}
	if !answer.Decision {
		return fmt.Errorf("the change of the bench is denied: %v", answer.Context.Reasons)
	}
	return b.decideChanges(ctx, record.Input, n)
}

func (b *bench) decideChanges(ctx context.Context, recorded json.RawMessage, n int) error {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(recorded, &parts); err != nil {
		return err
	}
	snapshot, err := engine.LoadFS(ctx, policies.FS, engine.Options{})
	if err != nil {
		return err
	}
	changes := make([]gateway.Change, n)
	for i := range changes {
		changes[i] = gateway.Change{Path: fmt.Sprintf("docs/%03d/%05d.md", i%500, i), Op: gateway.Add, NewMode: "100644", NewID: gateway.OID(fmt.Sprintf("%040x", i+1)), Size: int64(100 + i%900)}
	}
	var took []time.Duration
	for range b.size(5, 1) {
		var in engine.Input
		began := time.Now()
		for name, value := range parts {
			var v any = value
			if name == "changes" {
				v = changes
			}
			part, err := engine.NewPart(name, v)
			if err != nil {
				return err
			}
			in = append(in, part)
		}
		result := snapshot.Decide(ctx, gateway.ActionChangePush, in)
		took = append(took, time.Since(began))
		if !result.Allow {
			return fmt.Errorf("the large change is denied: %v", result.Reasons)
		}
	}
	b.add(figure{name: fmt.Sprintf("a change of %d paths decided", n), ours: milliseconds(median(took)), peer: "–", target: "≤ 2000 ms", held: median(took) <= 2*time.Second,
		note: "building the input and asking the policy; the rest of a push is measured with git"})
	return nil
}

// start measures how soon a gateway answers on a large journal, and how much
// memory it holds then.
func (b *bench) start(ctx context.Context) (err error) {
	n := b.size(100_000, 1000)
	w, err := b.world(ctx, "start", 1, map[string]string{".leviathan/backlog.yaml": "tasks: []\n"})
	if err != nil {
		return err
	}
	if err := w.close(); err != nil {
		return err
	}
	if err := fillJournal(ctx, w.state, n); err != nil {
		return err
	}
	var ready []time.Duration
	memory := 0
	for range b.size(5, 1) {
		if err := w.open(ctx, b.self); err != nil {
			return err
		}
		ready = append(ready, w.ready)
		_, err := w.client.Status(ctx)
		if err == nil {
			memory, err = memoryMB(w.process.Process.Pid, "VmRSS")
		}
		if err = errors.Join(err, w.close()); err != nil {
			return err
		}
	}
	b.add(figure{name: fmt.Sprintf("gateway ready, journal of %d records", n), ours: milliseconds(median(ready)), peer: "–", target: "≤ 500 ms", held: median(ready) <= 500*time.Millisecond})
	b.add(figure{name: "resident memory then", ours: fmt.Sprintf("%d MB", memory), peer: "–", target: "≤ 150 MB", held: memory <= 150})
	return b.verifying(ctx, w.state)
}

// fillJournal appends decisions as a gateway would, in large batches.
func fillJournal(ctx context.Context, state string, n int) (err error) {
	j, err := journal.Open(ctx, journal.Config{Dir: state})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	for done := 0; done < n; {
		err := j.Commit(ctx, func(tx *journal.Tx) error {
			for range min(1000, n-done) {
				done++
				body := journal.DecisionBody{Decision: journal.DecisionHead{EvaluatedAt: tx.Now(), Reasons: []gateway.Reason{}}, Parts: map[string]string{},
					Inline: map[string]json.RawMessage{"action": json.RawMessage(`"attempt.heartbeat"`), "request": fmt.Appendf(nil, `{"n":%d}`, done)}}
				if _, err := tx.Append(journal.Record{Kind: journal.Decision, Origin: journal.Gateway, Type: gateway.ActionAttemptHeartbeat, Target: "bench", Body: body,
					Decision: &journal.DecisionIndex{Allow: true, Revision: "bench", PolicyDigest: "sha256:00", AskedBy: "bench"}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// memoryMB is a process's memory as the system calls it: VmRSS is what is
// resident, VmHWM the most that was.
func memoryMB(pid int, name string) (int, error) {
	data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kb int
		if _, err := fmt.Sscanf(line, name+": %d kB", &kb); err == nil {
			return kb >> 10, nil
		}
	}
	return 0, errors.New("the system does not tell the resident memory")
}
