package invariants

import (
	"context"
	"errors"
	"fmt"
	"os"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/invariants/report"
)

// askedBy is who asks, as the journal of a check says it.
const askedBy = "invariants"

// record appends every answer to the journal, as the decisions that they are,
// in one commit, and gives the categories their ids.
func record(ctx context.Context, opts Options, checks *engine.Checks, answers []*answer, r *report.Report) (err error) {
	dir := opts.State
	if dir == "" {
		if dir, err = os.MkdirTemp("", "leviathan-invariants-"); err != nil {
			return fmt.Errorf("make a temporary journal: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	j, err := journal.Open(ctx, journal.Config{Dir: dir, Now: opts.Now})
	if err != nil {
		return fmt.Errorf("open the journal of the verdicts: %w", err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	err = j.Commit(ctx, func(tx *journal.Tx) error {
		for i, a := range answers {
			made, err := RecordOf(a.input, a.result, checks.Revision(), checks.Digest(), askedBy, tx.Now())
			if err != nil {
				return err
			}
			appended, err := tx.Append(made)
			if err != nil {
				return err
			}
			r.Categories[i].DecisionID = gateway.DecisionID(appended.ID)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record the verdicts: %w", err)
	}
	return nil
}

// RecordOf is the journal's record of a category's decision: the action
// invariants.check, the whole input by its parts, and the result as the engine
// gave it. A gateway that is asked about the same input with the same policies
// writes the same input digest and the same result.
func RecordOf(in engine.Input, result engine.Result, revision, digest, by string, at gateway.Time) (journal.Record, error) {
	input := make([]journal.NamedPart, len(in))
	for i, part := range in {
		input[i] = journal.NamedPart{Name: part.Name, Part: journal.Part{Digest: part.Digest, Bytes: part.JSON}}
	}
	codes := make([]string, 0, len(result.Reasons))
	for _, reason := range result.Reasons {
		codes = append(codes, reason.Code)
	}
	body, parts, err := journal.NewBody(journal.DecisionHead{EvaluatedAt: at, InputDigest: in.Digest(), Reasons: result.Reasons}, input, result.JSON)
	if err != nil {
		return journal.Record{}, fmt.Errorf("record a verdict: %w", err)
	}
	return journal.Record{Kind: journal.Decision, Origin: journal.Gateway, Type: gateway.ActionInvariantsCheck, Body: body, Parts: parts,
		Decision: &journal.DecisionIndex{Allow: result.Allow, Revision: revision, PolicyDigest: digest, Codes: codes, AskedBy: by}}, nil
}
