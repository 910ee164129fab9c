package invariants

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/invariants/report"
)

// askedBy is who asks, as the journal of a check says it.
const askedBy = "invariants"

// A localJudge decides in this process, and keeps a journal of its own.
type localJudge struct {
	checks *engine.Checks
	state  string // the journal's folder; "" for a temporary one
	now    func() time.Time

	journal   *journal.Journal // opened with the first verdict
	temporary string           // a folder to remove
}

func (l *localJudge) about() policyInfo {
	return policyInfo{revision: l.checks.Revision(), digest: l.checks.Digest(), checks: l.checks.List(), rules: rulesOf(l.checks.Codes())}
}

func rulesOf(codes []engine.Code) (out []report.Rule) {
	for _, c := range codes {
		severity := gateway.Severity(cmp.Or(c.Severity, string(gateway.SeverityError)))
		out = append(out, report.Rule{Code: c.Code, Severity: severity, Title: c.Title, Description: c.Description, Remedy: c.Remedy})
	}
	return out
}

// An answer is one category's decision, not yet recorded.
type answer struct {
	input  engine.Input
	result engine.Result
	err    error
}

func (l *localJudge) verdicts(ctx context.Context, selected []engine.Check, shared engine.Input) ([]report.Category, error) {
	answers := l.askAll(ctx, selected, shared)
	ids, err := l.record(ctx, answers)
	if err != nil {
		return nil, err
	}
	out := make([]report.Category, len(selected))
	for i, check := range selected {
		out[i] = categoryOf(check, ids[i], answers[i].result.Reasons, answers[i].result.Obligations)
	}
	return out, nil
}

// askAll asks every check, as many at once as there are processors.
func (l *localJudge) askAll(ctx context.Context, selected []engine.Check, shared engine.Input) []answer {
	out := make([]answer, len(selected))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, check := range selected {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			a := &out[i]
			if a.input, a.err = Question(check.Name, shared); a.err == nil {
				a.result = l.checks.Decide(ctx, check.Name, a.input)
			}
		})
	}
	wg.Wait()
	return out
}

// record appends every answer to the journal, as the decisions that they are, in
// one commit, and returns their ids.
func (l *localJudge) record(ctx context.Context, answers []answer) (ids []gateway.DecisionID, err error) {
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	err = l.journal.Commit(ctx, func(tx *journal.Tx) error {
		ids = nil
		for _, a := range answers {
			if a.err != nil {
				return a.err
			}
			made, err := recordOf(a.input, a.result, l.checks, tx.Now())
			if err != nil {
				return err
			}
			appended, err := tx.Append(made)
			if err != nil {
				return err
			}
			ids = append(ids, gateway.DecisionID(appended.ID))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record the verdicts: %w", err)
	}
	return ids, nil
}

func (l *localJudge) open(ctx context.Context) (err error) {
	if l.journal != nil {
		return nil
	}
	dir := l.state
	if dir == "" {
		if dir, err = os.MkdirTemp("", "leviathan-invariants-"); err != nil {
			return fmt.Errorf("make a temporary journal: %w", err)
		}
		l.temporary = dir
	}
	if l.journal, err = journal.Open(ctx, journal.Config{Dir: dir, Now: l.now}); err != nil {
		return fmt.Errorf("open the journal of the verdicts: %w", err)
	}
	return nil
}

func (l *localJudge) close() (err error) {
	if l.journal != nil {
		err = l.journal.Close()
	}
	if l.temporary != "" {
		err = errors.Join(err, os.RemoveAll(l.temporary))
	}
	return err
}

// recordOf is the journal's record of a category's decision: the action
// invariants.check, the whole input by its parts, and the result as the engine
// gave it. A gateway that is asked about the same input, with the same rules,
// writes the same input digest and the same result.
func recordOf(in engine.Input, result engine.Result, by *engine.Checks, at gateway.Time) (journal.Record, error) {
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
		Decision: &journal.DecisionIndex{Allow: result.Allow, Revision: by.Revision(), PolicyDigest: by.Digest(), Codes: codes, AskedBy: askedBy}}, nil
}
