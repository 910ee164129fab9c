package journal

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"leviathan/gateway"
)

// A RuleCount is how often a code was a reason of decisions about an action.
type RuleCount struct {
	Code   string
	Action string
	Count  int64
}

// The codes that there are, each found in one step from the one before it.
const sqlCodes = `WITH RECURSIVE one(code) AS (
	SELECT min(code) FROM decision_code
	UNION ALL
	SELECT (SELECT min(c.code) FROM decision_code c WHERE c.code > one.code) FROM one WHERE one.code IS NOT NULL
) SELECT code FROM one WHERE code IS NOT NULL`

const sqlCount = `SELECT action, count(*) FROM decision_code WHERE code = ? AND seq >= ? GROUP BY action ORDER BY action`

// Where the clock was set back, a record's time tells and not its place.
const sqlCountByTime = `SELECT c.action, count(*) FROM decision_code c CROSS JOIN journal j ON j.seq = c.seq
	WHERE c.code = ? AND j.at >= ? GROUP BY c.action ORDER BY c.action`

// Those of the fresh decisions, which are few.
const sqlCountFresh = `SELECT c.value, action, count(*) FROM decision_fresh CROSS JOIN json_each(decision_fresh.codes) c
	CROSS JOIN journal j ON j.seq = decision_fresh.seq WHERE j.at >= ? GROUP BY c.value, action`

// RuleCounts counts, for decisions since a time (zero: all), how often each
// code was a reason, by code and action in order. A code that was no reason in
// that time is not listed. Masked, pruned and dry-run decisions count.
func (j *Journal) RuleCounts(ctx context.Context, since gateway.Time) ([]RuleCount, error) {
	out := []RuleCount{}
	err := j.list(ctx, "count reasons", func(db *conn) error {
		sql, bound := sqlCount, any(int64(0))
		if !since.IsZero() {
			low, _, err := seqsBetween(ctx, db, since, gateway.Time{})
			if err != nil {
				return err
			}
			if bound = any(low); low <= 1 { // all, or the clock was set back
				sql, bound = sqlCountByTime, any(since)
			}
		}
		var codes []string
		err := db.query(ctx, sqlCodes, nil, func(r row) error {
			codes = append(codes, r.str(0))
			return nil
		})
		for i := 0; err == nil && i < len(codes); i++ {
			err = db.query(ctx, sql, []any{codes[i], bound}, func(r row) error {
				out = append(out, RuleCount{Code: codes[i], Action: r.str(0), Count: r.int64(1)})
				return nil
			})
		}
		if err != nil {
			return err
		}
		out, err = addFresh(ctx, db, out, since)
		return err
	})
	return out, err
}

// addFresh adds the fresh decisions' counts; a record's time tells for them.
func addFresh(ctx context.Context, db *conn, counts []RuleCount, since gateway.Time) ([]RuleCount, error) {
	order := func(a, b RuleCount) int {
		return cmp.Or(strings.Compare(a.Code, b.Code), strings.Compare(a.Action, b.Action))
	}
	err := db.query(ctx, sqlCountFresh, []any{since}, func(r row) error {
		c := RuleCount{Code: r.str(0), Action: r.str(1), Count: r.int64(2)}
		if i, found := slices.BinarySearchFunc(counts, c, order); found {
			counts[i].Count += c.Count
		} else {
			counts = slices.Insert(counts, i, c)
		}
		return nil
	})
	return counts, err
}

const sqlMasked = `SELECT (SELECT count(*) FROM decision WHERE masked = 1) + (SELECT count(*) FROM decision_fresh WHERE masked = 1)`

// MaskedDecisions counts the decisions that a mask took something from.
func (j *Journal) MaskedDecisions(ctx context.Context) (n int64, err error) {
	err = j.list(ctx, "count masked decisions", func(db *conn) error {
		r, _, err := db.one(ctx, sqlMasked)
		if err == nil {
			n = r.int64(0)
		}
		return err
	})
	return n, err
}
