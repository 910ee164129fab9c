package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
	"leviathan/policies"
)

// policy measures what a change of policy costs: the gate of the shipped
// bundle, and the replay of a journal by it.
func (b *bench) policy(ctx context.Context) (err error) {
	if err := b.gate(ctx); err != nil {
		return err
	}
	w, err := b.world(ctx, "policy", 1, map[string]string{"docs/a.md": "a\n",
		".leviathan/backlog.yaml": "tasks:\n  - {id: one, title: One, scope: docs, ready: true, allowed_paths: [docs/a.md]}\n"})
	if err != nil {
		return err
	}
	attempt, err := w.running(ctx)
	var record gateway.DecisionItem
	if err == nil {
		record, err = w.ask(ctx, gateway.Question{Subject: gateway.Entity{Type: "component", ID: "worker"}, Action: gateway.Action{Name: gateway.ActionAttemptHeartbeat},
			Resource: gateway.Entity{Type: "attempt", ID: string(attempt)}})
	}
	if err = errors.Join(err, w.close()); err != nil {
		return err
	}
	return b.replay(ctx, w.state, record)
}

// gate measures the way of a bundle from bytes to "may govern", without the
// replay, which has a row of its own.
func (b *bench) gate(ctx context.Context) error {
	const modules, tests = 50, 200
	dir := filepath.Join(b.dir, "bundle")
	for name, text := range benchBundle(modules, tests/modules) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	made, err := engine.LoadDir(ctx, dir, engine.Options{})
	if err != nil {
		return err
	}
	data, err := made.Bytes()
	if err != nil {
		return err
	}
	var took []time.Duration
	for range b.size(5, 1) {
		began := time.Now()
		candidate, err := engine.LoadBytes(ctx, data, engine.Options{})
		if err != nil {
			return err
		}
		report, err := candidate.Test(ctx, engine.TestOptions{MinCoverage: 90})
		if err != nil {
			return err
		}
		if len(report.Tests) != tests {
			return fmt.Errorf("the bundle of the bench has %d tests", len(report.Tests))
		}
		took = append(took, time.Since(began))
	}
	b.add(figure{name: fmt.Sprintf("a bundle of %d modules and %d tests through the gate", modules, tests), ours: milliseconds(median(took)), peer: "–", target: "≤ 250 ms",
		held: median(took) <= 250*time.Millisecond, note: "read, parsed, compiled, tested, its coverage measured; the replay is a row of its own"})
	return nil
}

// benchBundle is a bundle of so many packages, each with a rule that denies
// and tests of it, and the entrypoint that asks them all.
func benchBundle(modules, tests int) map[string]string {
	files := map[string]string{}
	imports, union := "", ""
	for i := range modules {
		name := fmt.Sprintf("rule%02d", i)
		files[name+"/"+name+".rego"] = fmt.Sprintf(`package leviathan.%[1]s

import rego.v1

# METADATA
# title: Too large
# description: The number of this rule is larger than it may be.
# custom:
#   code: %[1]s.too_large
#   message: the number is too large
#   remedy: Use a smaller one.
deny contains {"code": "%[1]s.too_large", "message": "the number is too large"} if {
	input.request.%[1]s > _limit
}

_limit := %[2]d
`, name, i+10)
		test := fmt.Sprintf("package leviathan.%[1]s_test\n\nimport rego.v1\n\nimport data.leviathan.%[1]s\n", name)
		for k := range tests {
			test += fmt.Sprintf("\ntest_%[2]d if {\n\tcount(%[1]s.deny) == %[3]d with input as {\"request\": {\"%[1]s\": %[4]d}}\n}\n", name, k, k%2, i+10+k%2)
		}
		files[name+"/"+name+"_test.rego"] = test
		imports += "import data.leviathan." + name + "\n"
		if union != "" {
			union += " | "
		}
		union += name + ".deny"
	}
	files["main/main.rego"] = "package leviathan.main\n\nimport rego.v1\n\n" + imports + `
# METADATA
# title: The decision
# description: What all rules say.
# entrypoint: true
# custom:
#   deadline_ms: {default: 250}
decision := {"allow": count(_against) == 0, "reasons": [r | some r in _against], "obligations": {}}

_against := ` + union + "\n"
	return files
}

// replay measures decisions of one kind, each at another time, decided again.
func (b *bench) replay(ctx context.Context, state string, record gateway.DecisionItem) (err error) {
	n := b.size(10_000, 200)
	shipped, err := engine.LoadFS(ctx, policies.FS, engine.Options{})
	if err != nil {
		return err
	}
	j, err := journal.Open(ctx, journal.Config{Dir: filepath.Join(b.dir, "replay")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := fillDecisions(ctx, j, shipped, record, n); err != nil {
		return err
	}
	collectSeldom() // as the gateway does, in which every replay runs
	before := cpuTime(os.Getpid())
	report, err := replay.Run(ctx, j, shipped, replay.Options{})
	if err != nil {
		return err
	}
	each := (cpuTime(os.Getpid()) - before) / time.Duration(n)
	if report.Compared != n || report.Unchanged != n {
		return fmt.Errorf("the replay compared %d of %d decisions, %d unchanged", report.Compared, n, report.Unchanged)
	}
	rate := float64(n) / report.Seconds
	b.add(figure{name: fmt.Sprintf("replay of %d decisions", n), ours: fmt.Sprintf("%.0f/s", rate), peer: "–", target: "≥ 20000/s", held: rate >= 20_000,
		note: fmt.Sprintf("heartbeats by the shipped policies, each at a time of its own; none flipped; %d µs of processor time each", each.Microseconds())})
	return nil
}

// fillDecisions journals the recorded question n times, a second apart each.
func fillDecisions(ctx context.Context, j *journal.Journal, policy *engine.Snapshot, record gateway.DecisionItem, n int) error {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(record.Input, &parts); err != nil {
		return err
	}
	var at struct {
		NowUS int64 `json:"now_us"`
	}
	if err := json.Unmarshal(parts["time"], &at); err != nil {
		return err
	}
	for done := 0; done < n; {
		var records []journal.Record
		for range min(500, n-done) {
			done++
			now := gateway.At(time.UnixMicro(at.NowUS + int64(done)*1000))
			var in engine.Input
			for name, value := range parts {
				var v any = value
				if name == "time" {
					v = map[string]any{"now": now, "now_us": now.UnixMicro(), "clock": map[string]any{"known": true, "behind_seconds": 0}}
				}
				part, err := engine.NewPart(name, v)
				if err != nil {
					return err
				}
				in = append(in, part)
			}
			r, err := decisionRecord(policy, record, in, policy.Decide(ctx, record.Action, in))
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		err := j.Commit(ctx, func(tx *journal.Tx) error {
			for _, r := range records {
				if _, err := tx.Append(r); err != nil {
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

func decisionRecord(policy *engine.Snapshot, record gateway.DecisionItem, in engine.Input, result engine.Result) (journal.Record, error) {
	var parts []journal.NamedPart
	for _, p := range in {
		parts = append(parts, journal.NamedPart{Name: p.Name, Part: journal.Part{Digest: p.Digest, Bytes: p.JSON}})
	}
	body, blobs, err := journal.NewBody(journal.DecisionHead{EvaluatedAt: record.Recorded.At, InputDigest: in.Digest(), Reasons: result.Reasons}, parts, result.JSON)
	return journal.Record{Kind: journal.Decision, Origin: journal.Gateway, Type: record.Action, Target: record.Target, Body: body, Parts: blobs,
		Decision: &journal.DecisionIndex{Allow: result.Allow, Revision: policy.Revision(), PolicyDigest: policy.Digest(), AskedBy: "bench"}}, err
}

// verifying measures a verification of a journal that lies in a state folder.
func (b *bench) verifying(ctx context.Context, state string) error {
	began := time.Now()
	report, err := journal.Verify(ctx, filepath.Join(state, journal.DatabaseFile), journal.VerifyOptions{})
	if err != nil {
		return err
	}
	if report.Problem != nil {
		return fmt.Errorf("the journal of the bench does not verify: %s", report.Problem.What)
	}
	rate := float64(report.Records) / time.Since(began).Seconds()
	b.add(figure{name: fmt.Sprintf("verify, journal of %d records", report.Records), ours: fmt.Sprintf("%.0f/s", rate), peer: "–", target: "≥ 200000/s", held: rate >= 200_000,
		note: "every record, body, order, tree and checkpoint"})
	return nil
}
