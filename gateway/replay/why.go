package replay

import (
	"context"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// Explain decides one recorded decision again with every step shown, by the
// policy that decided it, which policy finds by its digest. A decision that is
// not known is gateway.NotFound; one whose input was pruned or masked is
// gateway.Conflict.
func Explain(ctx context.Context, j *journal.Journal, id gateway.DecisionID,
	policy func(ctx context.Context, digest string) (*engine.Snapshot, error)) (engine.Explanation, error) {
	record, ok, err := j.Decision(ctx, id)
	if err != nil {
		return engine.Explanation{}, err
	}
	if !ok {
		return engine.Explanation{}, gateway.Errorf(gateway.NotFound, "no decision %q", id)
	}
	var out engine.Explanation
	seq := record.Recorded.Seq
	err = j.EachDecision(ctx, journal.DecisionRange{AfterSeq: seq - 1, UpToSeq: seq}, func(d journal.StoredDecision) error {
		if !d.Replayable {
			return gateway.Errorf(gateway.Conflict, "decision %s cannot be decided again: its input was %s", id, d.Why)
		}
		by, err := policy(ctx, d.PolicyDigest)
		if err != nil {
			return err
		}
		in, err := newPartCache().input(&d)
		if err != nil {
			return err
		}
		if category, verdict := categoryOf(d); verdict {
			checks, err := by.Checks(ctx)
			if err == nil {
				out, err = checks.Explain(ctx, category, in)
			}
			return err
		}
		out, err = by.Explain(ctx, d.Action, in)
		return err
	})
	return out, err
}
