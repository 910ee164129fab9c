package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// ExportOptions select the decisions of an export; zero values select all.
type ExportOptions struct {
	Since  gateway.Time
	Target gateway.TargetID
	Action string
	// AfterSeq and UpToSeq bound the records; see journal.DecisionRange.
	AfterSeq, UpToSeq int64
	// Limit is the most that are written; 0 means all.
	Limit int
}

var errEnough = errors.New("enough decisions")

// Export writes decisions in the form of OPA's decision log, a line of JSON
// each, in the order of the journal, and says how many.
func Export(ctx context.Context, j *journal.Journal, o ExportOptions, w io.Writer) (n int, err error) {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	which := journal.DecisionRange{Since: o.Since, Target: o.Target, Action: o.Action, AfterSeq: o.AfterSeq, UpToSeq: o.UpToSeq}
	err = j.EachDecision(ctx, which, func(d journal.StoredDecision) error {
		event, err := NewLogEvent(d)
		if err != nil {
			return err
		}
		if err := lines.Encode(event); err != nil {
			return fmt.Errorf("write decision %s: %w", d.ID, err)
		}
		if n++; n == o.Limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return n, err
}
