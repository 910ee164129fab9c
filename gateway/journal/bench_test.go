package journal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"leviathan/gateway/journal"
)

// benchRecord is a decision as the server writes one: a body of some 700
// bytes, four parts that are stored already, two codes.
func benchRecord(b *testing.B, i int, parts []journal.Part) journal.Record {
	body := fmt.Sprintf(`{"decision":{"dry_run":false,"evaluated_at":"2026-11-24T10:00:00.000000Z","id":"%026d","input_digest":"%s","obligations":{},`+
		`"policy_digest":"%s","reasons":[{"code":"limits.open_prs","message":"one pull request is open and one is allowed","rule":"leviathan.limits"}],`+
		`"revision":"r1"},"parts":{"backlog":"%s","changes":"%s","config":"%s","state":"%s"},`+
		`"question":{"action":{"name":"cycle.plan"},"resource":{"id":"demo","type":"target"},"subject":{"id":"scheduler","type":"component"}}}`,
		i, parts[0].Digest, parts[0].Digest, parts[0].Digest, parts[1].Digest, parts[2].Digest, parts[3].Digest)
	return journal.Record{
		Kind: journal.Decision, Origin: journal.Gateway, Type: "cycle.plan", Target: "demo", Body: json.RawMessage(body), Parts: parts,
		Decision: &journal.DecisionIndex{
			Revision: "r1", PolicyDigest: parts[0].Digest, Codes: []string{"limits.open_prs", "limits.capacity"}, AskedBy: "tok",
		},
	}
}

func BenchmarkCommitDecision(b *testing.B) {
	for _, clients := range []int{1, 16, 64, 128} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			j := open(b, b.TempDir(), newClock())
			var parts []journal.Part
			for i := range 4 {
				p, err := journal.NewPart(map[string]int{"n": i})
				if err != nil {
					b.Fatal(err)
				}
				parts = append(parts, p)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range clients {
				wg.Go(func() {
					for i := c; i < b.N; i += clients {
						r := benchRecord(b, i, parts)
						err := j.Commit(context.Background(), func(tx *journal.Tx) error {
							_, err := tx.Append(r)
							return err
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

// filled is an open journal of n decisions over small inputs, some parts of
// which are large and shared.
func filled(b *testing.B, n int) (*journal.Journal, string) {
	dir := b.TempDir()
	j := open(b, dir, newClock())
	backlog := large("backlog")
	for done := 0; done < n; done += 500 {
		commit(b, j, func(tx *journal.Tx) error {
			for i := done; i < min(done+500, n); i++ {
				r := asked(b, journal.Record{Type: "cycle.plan", Target: "demo", Decision: &journal.DecisionIndex{
					Revision: "r1", PolicyDigest: journal.PartOf(nil).Digest, Codes: []string{"limits.open_prs"}, AskedBy: "scheduler"}},
					journal.DecisionHead{InputDigest: journal.PartOf(fmt.Append(nil, i)).Digest}, `{"allow":false,"obligations":{},"reasons":[{"code":"limits.open_prs"}]}`,
					map[string]string{"backlog": backlog, "subject": `{"id":"scheduler","type":"component"}`, "clock": fmt.Sprintf(`{"now_us":%d}`, i),
						"config": `{"autonomy":{"enabled":true},"limits":{"max_open_prs":1}}`, "state": `{"open":1,"in_flight":0,"live":0}`})
				if _, err := tx.Append(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return j, dir
}

func BenchmarkEachDecision(b *testing.B) {
	const n = 50_000
	j, _ := filled(b, n)
	b.ReportAllocs()
	for b.Loop() {
		seen := 0
		err := j.EachDecision(context.Background(), journal.DecisionRange{}, func(d journal.StoredDecision) error {
			seen++
			return nil
		})
		if err != nil || seen != n {
			b.Fatalf("%d decisions, %v", seen, err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "decisions/s")
}
