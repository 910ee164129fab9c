package journal

import (
	"context"

	"leviathan/gateway"
)

const sqlEachAttempt = selectAttempt + `WHERE a.attempt > ? ORDER BY a.attempt LIMIT ?`

// EachAttempt calls each with every attempt, live or ended, in the order of
// their ids. No snapshot is held while each works: one that begins meanwhile
// may be seen. It ends with each's first error, unchanged, or with ctx.
func (j *Journal) EachAttempt(ctx context.Context, each func(*Attempt) error) error {
	for after := gateway.AttemptID(""); ; {
		var page []*Attempt
		err := j.list(ctx, "read attempts", func(db *conn) error {
			return db.query(ctx, sqlEachAttempt, []any{after, maxLimit}, collectAttempt(&page))
		})
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := each(a); err != nil {
				return err
			}
			after = a.ID
		}
		if len(page) < maxLimit {
			return nil
		}
	}
}
