package journal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"leviathan/gateway"
)

// A DecisionFilter selects decisions; empty fields select all. Outcome is
// allow or deny. Since and Until bound the record's time: since ≤ time < until.
type DecisionFilter struct {
	Action   string
	Outcome  string
	Code     string
	Target   gateway.TargetID
	Task     gateway.TaskID
	Attempt  gateway.AttemptID
	Revision string
	Masked   bool // only those that a mask took something from
	Since    gateway.Time
	Until    gateway.Time
	Page
}

// hasCode is a condition on a fresh decision.
const hasCode = "EXISTS (SELECT 1 FROM json_each(d.codes) c WHERE c.value = ?)"

const selectDecision = `SELECT d.seq, j.id, d.action, d.allow, d.dry_run, d.target, d.task, d.attempt, d.revision, d.policy_digest,
	d.asked_by, j.at, j.leaf, b.bytes, d.masked `

// sqlDecisions is the statement for a filter, over the fresh decisions or the
// indexed ones. The seqs of the page are found in an index first, so that
// bodies are read for them alone.
func sqlDecisions(f DecisionFilter, fresh bool, low, before int64, limit int) (string, []any, error) {
	from := "FROM decision d "
	var w where
	switch {
	case fresh:
		from = "FROM decision_fresh d "
		w.and("d.seq < ? AND d.seq >= ?", before, low)
		if f.Code != "" {
			w.and(hasCode, f.Code)
		}
	case f.Code != "":
		from = "FROM decision_code c CROSS JOIN decision d ON d.seq = c.seq "
		w.and("c.code = ? AND c.seq < ? AND c.seq >= ?", f.Code, before, low)
	default:
		w.and("d.seq < ? AND d.seq >= ?", before, low)
	}
	switch f.Outcome {
	case "":
	case "allow":
		w.and("d.allow = 1")
	case "deny":
		w.and("d.allow = 0")
	default:
		return "", nil, &gateway.Error{Kind: gateway.Invalid, Field: "outcome", Detail: "outcome must be allow or deny"}
	}
	if f.Attempt != "" {
		w.and("d.attempt = ? AND d.attempt <> ''", f.Attempt)
	}
	if f.Task != "" {
		w.and("d.task = ? AND d.task <> ''", f.Task)
	}
	if f.Target != "" {
		w.and("d.target = ? AND d.target <> ''", f.Target)
	}
	if f.Action != "" {
		w.and("d.action = ?", f.Action)
	}
	if f.Revision != "" {
		w.and("d.revision = ?", f.Revision)
	}
	if f.Masked {
		w.and("d.masked = 1")
	}
	joined := from + "CROSS JOIN journal j ON j.seq = d.seq LEFT JOIN body b ON b.seq = j.seq "
	if !f.Since.IsZero() {
		w.and("j.at >= ?", f.Since)
	}
	if !f.Until.IsZero() {
		w.and("j.at < ?", f.Until)
	}
	order := " ORDER BY d.seq DESC LIMIT ?"
	if f.Code != "" && !fresh {
		order = " ORDER BY c.seq DESC LIMIT ?"
	}
	return selectDecision + joined + w.String() + order, append(w.args, limit), nil
}

// Decisions lists decisions, newest first, without their inputs.
func (j *Journal) Decisions(ctx context.Context, f DecisionFilter) (gateway.DecisionList, error) {
	out := gateway.DecisionList{Items: []gateway.DecisionItem{}}
	limit, before, err := f.bounds()
	if err != nil {
		return out, err
	}
	err = j.list(ctx, "list decisions", func(db *conn) error {
		low, high, err := seqsBetween(ctx, db, f.Since, f.Until)
		if err != nil {
			return err
		}
		for _, fresh := range []bool{true, false} { // all that is fresh is newer
			sql, args, err := sqlDecisions(f, fresh, low, min(before, high), limit+1-len(out.Items))
			if err != nil {
				return err
			}
			err = db.query(ctx, sql, args, func(r row) error {
				if len(out.Items) == limit {
					out.NextPageToken = token(out.Items[limit-1].Recorded.Seq)
					return nil
				}
				d, err := j.scanDecision(r)
				if err == nil {
					out.Items = append(out.Items, d.DecisionItem)
				}
				return err
			})
			if err != nil || out.NextPageToken != "" {
				return err
			}
		}
		return nil
	})
	return out, err
}

// seqsBetween narrows a span of time to one of records by bisection. Where the
// clock was ever set back it does not: then only the time itself is compared.
func seqsBetween(ctx context.Context, db *conn, since, until gateway.Time) (low, high int64, err error) {
	low, high = 1, noBound
	if since.IsZero() && until.IsZero() {
		return low, high, nil
	}
	r, _, err := db.one(ctx, `SELECT coalesce(max(seq), 0), EXISTS (SELECT 1 FROM journal WHERE kind = 'event' AND type = ?)
		FROM journal`, gateway.EventClockAccepted)
	if err != nil || r.bool(1) {
		return low, high, err
	}
	first := func(t gateway.Time) (int64, error) {
		lo, hi := int64(1), r.int64(0)+1
		for lo < hi {
			mid := (lo + hi) / 2
			at, found, err := db.one(ctx, `SELECT at FROM journal WHERE seq = ?`, mid)
			if err != nil {
				return 0, err
			}
			if !found {
				return 0, fmt.Errorf("record %d is missing", mid)
			}
			if at.int64(0) < micros(t) {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		return lo, nil
	}
	if !since.IsZero() {
		if low, err = first(since); err != nil {
			return low, high, err
		}
	}
	if !until.IsZero() {
		high, err = first(until)
	}
	return low, high, err
}

// A DecisionRecord is one decision with all that is kept of it.
type DecisionRecord struct {
	gateway.DecisionItem
	AskedBy string            `json:"asked_by"`
	Body    json.RawMessage   `json:"-"` // as it was appended
	Parts   map[string]string `json:"-"` // digests of the input's parts, by name
	// Pruned names the parts of the input that are no longer kept; Input lacks
	// them.
	Pruned []string `json:"pruned,omitempty"`
	// Erased are the places that a mask took out, when Masked.
	Erased []string `json:"erased,omitempty"`

	inline       map[string]json.RawMessage
	resultDigest string
}

// Decision is one decision with its input put together from its parts, found
// false when there is none of the id.
func (j *Journal) Decision(ctx context.Context, id gateway.DecisionID) (out DecisionRecord, found bool, err error) {
	err = j.list(ctx, "read decision", func(db *conn) error {
		r, ok, err := db.one(ctx, selectDecision+sqlOneDecision, id)
		if err == nil && !ok {
			r, ok, err = db.one(ctx, selectDecision+sqlOneFresh, id)
		}
		if err != nil || !ok {
			return err
		}
		if out, err = j.scanDecision(r); err != nil {
			return err
		}
		found = true
		return j.loadInput(ctx, db, &out)
	})
	return out, found, err
}

const (
	sqlOneDecision = `FROM journal j JOIN decision d ON d.seq = j.seq LEFT JOIN body b ON b.seq = j.seq WHERE j.id = ?`
	sqlOneFresh    = `FROM journal j JOIN decision_fresh d ON d.seq = j.seq LEFT JOIN body b ON b.seq = j.seq WHERE j.id = ?`
)

// scanDecision reads a row of selectDecision.
func (j *Journal) scanDecision(r row) (out DecisionRecord, err error) {
	out.DecisionItem = gateway.DecisionItem{
		ID: gateway.DecisionID(r.str(1)), Action: r.str(2), Decision: r.bool(3), DryRun: r.bool(4),
		Target: gateway.TargetID(r.str(5)), TaskID: gateway.TaskID(r.str(6)), AttemptID: gateway.AttemptID(r.str(7)),
		Revision: r.str(8), PolicyDigest: r.str(9),
		Recorded: gateway.Recorded{Seq: r.int64(0), At: r.time(11), Leaf: hex.EncodeToString(r.bytes(12))},
	}
	out.AskedBy, out.Masked = r.str(10), r.bool(14)
	if r[13] == nil {
		return out, fmt.Errorf("record %d has no body", r.int64(0))
	}
	packed, err := j.codec.unpack(r.bytes(13))
	if err != nil {
		return out, fmt.Errorf("record %d: %w", r.int64(0), err)
	}
	var whole indexed
	var body DecisionBody
	if err := json.Unmarshal(packed, &whole); err != nil {
		return out, fmt.Errorf("read body of record %d: %w", r.int64(0), err)
	}
	if err := json.Unmarshal(whole.Body, &body); err != nil {
		return out, fmt.Errorf("read body of record %d: %w", r.int64(0), err)
	}
	out.Body, out.Parts, out.Result = whole.Body, body.Parts, body.Result
	out.inline, out.resultDigest, out.Erased = body.Inline, body.ResultDigest, body.Erased
	out.Subject, out.Resource = rawOrNull(body.Inline["subject"]), rawOrNull(body.Inline["resource"])
	out.Reasons, out.InputDigest = body.Decision.Reasons, body.Decision.InputDigest
	if out.Reasons == nil {
		out.Reasons = []gateway.Reason{}
	}
	return out, nil
}

// loadInput puts the input together from the parts that are kept, and finds
// the result where it is not in the body.
func (j *Journal) loadInput(ctx context.Context, db *conn, d *DecisionRecord) error {
	all := map[string]json.RawMessage{}
	maps.Copy(all, d.inline)
	for name, digest := range d.Parts {
		b, found, err := j.loadPart(ctx, db, digest)
		if err != nil {
			return fmt.Errorf("read part %s: %w", name, err)
		}
		if !found {
			d.Pruned = append(d.Pruned, name)
			continue
		}
		all[name] = b
	}
	slices.Sort(d.Pruned)
	if d.resultDigest != "" {
		b, found, err := j.loadPart(ctx, db, d.resultDigest)
		if err != nil {
			return fmt.Errorf("read result: %w", err)
		}
		if !found {
			d.Pruned = append(d.Pruned, "result")
		}
		d.Result = b
	}
	input := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(input) > 1 {
			input = append(input, ',')
		}
		input = append(append(appendText(input, name), ':'), all[name]...)
	}
	d.Input = append(input, '}')
	d.Subject, d.Resource = rawOrNull(all["subject"]), rawOrNull(all["resource"])
	return nil
}

func (j *Journal) loadPart(ctx context.Context, db *conn, digest string) ([]byte, bool, error) {
	key, err := parseDigest(digest)
	if err != nil {
		return nil, false, err
	}
	return j.codec.load(ctx, db, key)
}
