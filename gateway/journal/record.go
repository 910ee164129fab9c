package journal

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"leviathan/gateway"
)

// A Kind is what a record is: an event or a decision.
type Kind string

// The kinds of records.
const (
	Event    Kind = "event"
	Decision Kind = "decision"
)

// An Origin says who vouches for a record.
type Origin string

// The origins. Projections that a policy reads are folded from Gateway records
// alone; External ones are claims.
const (
	Gateway  Origin = "gateway"
	External Origin = "external"
)

// A Record is what Append writes. Kind, Origin and Type are required.
type Record struct {
	Kind   Kind
	Origin Origin
	// ID is a ULID, made by Append when empty. An external event keeps the id
	// that it came with: any text of 1 to 256 bytes.
	ID string
	// Type is the event's type or the decision's action, 1 to 128 bytes.
	Type    string
	Target  gateway.TargetID
	Task    gateway.TaskID
	Attempt gateway.AttemptID

	// Actor, Timestamp and SchemaVersion belong to events. Timestamp is when an
	// external event says that it happened; zero means the record's own time.
	Actor         string
	Timestamp     gateway.Time
	SchemaVersion int

	// Body is an event's payload or a decision's body. A json.RawMessage must
	// be canonical (RFC 8785) already and is stored as it is; other byte slices
	// are JSON that is made canonical first, and any other value is marshalled
	// and made canonical. A decision's body is an object of the form of
	// DecisionBody, with more fields where the writer wants them.
	Body any
	// Parts are stored under their digests where they are not yet; one that is
	// stored already costs a look in memory.
	Parts []Part
	// Decision is required for a decision, nil for an event.
	Decision *DecisionIndex
}

// A Part is one piece of a decision's input, stored once however many
// decisions used it. Digest is "sha256:" and the hex SHA-256 of Bytes, which
// are one canonical JSON value.
type Part struct {
	Digest string
	Bytes  []byte
}

// A DecisionIndex is what decisions are found by. It is part of the record's
// body, so that the index can be rebuilt; the action is the record's type.
type DecisionIndex struct {
	Allow        bool
	DryRun       bool
	Revision     string
	PolicyDigest string
	Codes        []string // the codes of the reasons; order and repeats do not matter
	AskedBy      string
	// Masked says that parts of the input were erased before it was recorded:
	// the decision cannot be made again. See DecisionHead.
	Masked bool
}

// A DecisionBody is the form that the queries expect of a decision's body.
// A part of the input stands in Inline or, by its digest, in Parts; the
// result stands in Result or, by its digest, in ResultDigest.
type DecisionBody struct {
	Decision     DecisionHead               `json:"decision"`
	Inline       map[string]json.RawMessage `json:"inline"`
	Parts        map[string]string          `json:"parts"`
	Result       json.RawMessage            `json:"result,omitempty"`
	ResultDigest string                     `json:"result_digest,omitempty"`
	Masked       bool                       `json:"masked,omitempty"`
	Erased       []string                   `json:"erased,omitempty"`
}

// A DecisionHead is what a decision's body says of it besides its input and
// result, and besides what its DecisionIndex says.
type DecisionHead struct {
	EvaluatedAt gateway.Time     `json:"evaluated_at"`
	InputDigest string           `json:"input_digest"`
	Reasons     []gateway.Reason `json:"reasons"`
	// Masked says that the policy's mask took something out of the input or the
	// result before this was recorded, and Erased what: JSON pointers. They
	// stand beside the head, as OPA's decision log has them.
	Masked bool     `json:"-"`
	Erased []string `json:"-"`
}

// Appended is where a record stands. Its place is final when Commit returns
// without error.
type Appended struct {
	Seq  int64
	ID   string
	At   gateway.Time
	Leaf [32]byte
}

// Recorded is the wire form of a.
func (a Appended) Recorded() gateway.Recorded {
	return gateway.Recorded{Seq: a.Seq, At: a.At, Leaf: fmt.Sprintf("%x", a.Leaf)}
}

// BodyDigest is the digest that the record's body gets ("sha256:" and hex):
// equal for two external events that say the same. See Tx.HasEvent.
func (r Record) BodyDigest() (string, error) {
	body, err := r.encode(nil)
	if err != nil {
		return "", err
	}
	return digestText(sum(body)), nil
}

// check reports what keeps the record from being appended at all.
func (r *Record) check() error {
	switch {
	case r.Kind != Event && r.Kind != Decision:
		return invalid("append record: kind %q is neither event nor decision", r.Kind)
	case r.Origin != Gateway && r.Origin != External:
		return invalid("append record: origin %q is neither gateway nor external", r.Origin)
	case r.Kind == Decision && r.Origin != Gateway:
		return invalid("append decision: only the gateway decides")
	case (r.Kind == Decision) != (r.Decision != nil):
		return invalid("append %s: a decision has an index and an event has none", r.Kind)
	case !plain(r.Type, 128) || r.Type == "":
		return invalid("append record: type %q is not 1 to 128 bytes of plain text", r.Type)
	case !plain(r.ID, 256):
		return invalid("append record: id %q is not at most 256 bytes of plain text", r.ID)
	case r.Origin == Gateway && r.ID != "" && !gateway.DecisionID(r.ID).Valid():
		return invalid("append record: id %q is not a ULID", r.ID)
	case r.Origin == Gateway && r.Target != "" && !r.Target.Valid():
		return invalid("append record: target %q is not a target id", r.Target)
	case r.Origin == Gateway && r.Attempt != "" && !r.Attempt.Valid():
		return invalid("append record: attempt %q is not a ULID", r.Attempt)
	case !plain(string(r.Target), 256), !plain(string(r.Task), 256), !plain(string(r.Attempt), 256):
		return invalid("append record: target, task or attempt is not at most 256 bytes of plain text")
	case r.SchemaVersion > gateway.SchemaVersion:
		return invalid("append record: schema version %d is newer than %d", r.SchemaVersion, gateway.SchemaVersion)
	}
	return nil
}

// plain reports whether s is valid UTF-8 of at most n bytes without control
// characters.
func plain(s string, n int) bool {
	return len(s) <= n && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

func invalid(format string, args ...any) error {
	return gateway.Errorf(gateway.Invalid, format, args...)
}
