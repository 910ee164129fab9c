package journal_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// numbered is decision n of a log, whose filters each select some of them.
func numbered(t testing.TB, n int) journal.Record {
	r := journal.Record{
		ID: string(attempt(n)), Type: []string{"cycle.plan", "change.push"}[n%2], Target: "demo", Task: gateway.TaskID(fmt.Sprint("t", n%3)),
		Decision: &journal.DecisionIndex{Allow: n%5 == 0, Revision: fmt.Sprint("r", n/200), Masked: n%7 == 0},
	}
	if n%5 != 0 {
		r.Decision.Codes = []string{"limits.backoff", fmt.Sprint("x.c", n%4)}
	}
	return decision(t, r, nil)
}

// Decisions are found alike whether they have their indexes already or not:
// before the 256th record, at it, after it, and with some of each.
func TestFreshDecisionsAreFoundLikeIndexedOnes(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	j := open(t, dir, c)
	filters := map[string]struct {
		journal.DecisionFilter
		holds func(n int) bool
	}{
		"all":           {journal.DecisionFilter{}, func(int) bool { return true }},
		"action":        {journal.DecisionFilter{Action: "cycle.plan"}, func(n int) bool { return n%2 == 0 }},
		"code":          {journal.DecisionFilter{Code: "x.c3"}, func(n int) bool { return n%5 != 0 && n%4 == 3 }},
		"allowed":       {journal.DecisionFilter{Outcome: "allow"}, func(n int) bool { return n%5 == 0 }},
		"task":          {journal.DecisionFilter{Target: "demo", Task: "t1"}, func(n int) bool { return n%3 == 1 }},
		"revision":      {journal.DecisionFilter{Revision: "r1"}, func(n int) bool { return n/200 == 1 }},
		"masked code":   {journal.DecisionFilter{Masked: true, Code: "limits.backoff"}, func(n int) bool { return n%7 == 0 && n%5 != 0 }},
		"other attempt": {journal.DecisionFilter{Attempt: attempt(1)}, func(int) bool { return false }},
	}
	check := func(last int) {
		t.Helper()
		for name, f := range filters {
			var want, got []int64
			for n := last; n > 0; n-- {
				if f.holds(n) {
					want = append(want, int64(n))
				}
			}
			for f.Limit = 37; ; {
				page, err := j.Decisions(t.Context(), f.DecisionFilter)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range page.Items {
					got = append(got, d.Recorded.Seq)
				}
				if f.Token = page.NextPageToken; f.Token == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d records, %s: %v, want %v", last, name, got, want)
			}
		}
		codes, masked := map[journal.RuleCount]int64{}, int64(0)
		for n := 1; n <= last; n++ {
			r := numbered(t, n)
			for _, code := range r.Decision.Codes {
				codes[journal.RuleCount{Code: code, Action: r.Type}]++
			}
			if r.Decision.Masked {
				masked++
			}
		}
		counts, err := j.RuleCounts(t.Context(), gateway.Time{})
		if err != nil || len(counts) != len(codes) || !slices.IsSortedFunc(counts, func(a, b journal.RuleCount) int {
			return slices.Compare([]string{a.Code, a.Action}, []string{b.Code, b.Action})
		}) {
			t.Fatalf("%d records: %d counts, want %d, in order: %v, %v", last, len(counts), len(codes), counts, err)
		}
		for _, c := range counts {
			if want := codes[journal.RuleCount{Code: c.Code, Action: c.Action}]; c.Count != want {
				t.Errorf("%d records: %+v, want %d", last, c, want)
			}
		}
		if got, err := j.MaskedDecisions(t.Context()); err != nil || got != masked {
			t.Errorf("%d records: %d masked, want %d: %v", last, got, masked, err)
		}
		all := each(t, j, journal.DecisionRange{})
		for i, d := range all {
			if d.Seq != int64(i+1) {
				t.Fatalf("%d records: decision %d is read in place %d", last, d.Seq, i+1)
			}
		}
		if len(all) != last {
			t.Errorf("%d of %d decisions are read", len(all), last)
		}
		for _, n := range []int{1, last} {
			if d, found, err := j.Decision(t.Context(), gateway.DecisionID(attempt(n))); err != nil || !found || d.Recorded.Seq != int64(n) {
				t.Errorf("decision %d: found %v, %v", n, found, err)
			}
		}
	}
	last := 0
	for _, upTo := range []int{100, 255, 256, 300, 512, 700} {
		commit(t, j, func(tx *journal.Tx) error {
			for ; last < upTo; last++ {
				if _, err := tx.Append(numbered(t, last+1)); err != nil {
					return err
				}
			}
			return nil
		})
		check(last)
	}
	before := projections(t, j)
	if err := j.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := projections(t, j); after != before {
		t.Error("rebuilt, the projections differ")
	}
	check(last)
}

// A turn that fails at the record after which decisions get their indexes
// leaves them fresh, and the next one indexes them.
func TestAFailedTurnIndexesNothing(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	add := func(n int, last error) error {
		return j.Commit(t.Context(), func(tx *journal.Tx) error {
			for range n {
				if _, err := tx.Append(decision(t, journal.Record{Type: "cycle.plan"}, nil)); err != nil {
					return err
				}
			}
			return last
		})
	}
	rows := func() string {
		s, err := j.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(s.Projected["decision"], " ", s.Projected["decision_fresh"])
	}
	no := errors.New("no")
	for _, step := range []struct {
		n    int
		last error
		want string
	}{{255, nil, "0 255"}, {2, no, "0 255"}, {1, no, "0 255"}, {1, nil, "256 0"}, {1, nil, "256 1"}} {
		if err := add(step.n, step.last); !errors.Is(err, step.last) {
			t.Fatal(err)
		}
		if got := rows(); got != step.want {
			t.Errorf("after %d more, ending with %v: %s, want %s", step.n, step.last, got, step.want)
		}
	}
}

// A journal of a release that indexed each decision at once opens, and its
// decisions are found.
func TestAJournalWithoutFreshDecisionsOpens(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, newClock())
	for n := range 10 {
		append1(t, j, numbered(t, n+1))
	}
	before := projections(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	db := journal.OpenUnlocked(t, filepath.Join(dir, journal.DatabaseFile))
	for _, sql := range []string{
		`INSERT INTO decision SELECT seq, action, allow, dry_run, target, task, attempt, revision, policy_digest, asked_by, masked FROM decision_fresh`,
		`INSERT INTO decision_code SELECT value, seq, action FROM decision_fresh, json_each(codes)`,
		`DROP TABLE decision_fresh`,
		`UPDATE meta SET value = '1:0123456789abcdef' WHERE key = 'projections'`,
	} {
		if err := db.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	j = open(t, dir, newClock())
	if after := projections(t, j); after != before {
		t.Error("opened again, the projections differ")
	}
	if all := each(t, j, journal.DecisionRange{}); len(all) != 10 {
		t.Errorf("%d of 10 decisions are read", len(all))
	}
}
