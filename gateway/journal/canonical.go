package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/gowebpki/jcs"

	"leviathan/gateway"
)

// Canonical is the RFC 8785 form of v's JSON.
func Canonical(v any) ([]byte, error) {
	raw, ok := v.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("marshal %T: %w", v, err)
		}
	}
	b, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("make JSON of %T canonical: %w", v, err)
	}
	return b, nil
}

// canonicalBody is a record's body in canonical form.
func canonicalBody(v any) ([]byte, error) {
	if raw, ok := v.(json.RawMessage); ok {
		if !json.Valid(raw) {
			return nil, invalid("append record: the body is not JSON")
		}
		return raw, nil
	}
	if v == nil {
		return []byte("{}"), nil
	}
	b, err := Canonical(v)
	if err != nil {
		return nil, invalid("append record: %v", err)
	}
	return b, nil
}

type digest = [sha256.Size]byte

func sum(b []byte) digest { return sha256.Sum256(b) }

func digestText(d digest) string { return "sha256:" + hex.EncodeToString(d[:]) }

func parseDigest(s string) (d digest, err error) {
	if len(s) != 71 || s[:7] != "sha256:" {
		return d, fmt.Errorf("digest %q is not sha256: and 64 hex digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(s[7:])); err != nil {
		return d, fmt.Errorf("digest %q: %w", s, err)
	}
	return d, nil
}

// appendText appends s as RFC 8785 writes a string. s must be valid UTF-8.
func appendText(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(b, '"')
}

// columns are the journal's columns but the leaf.
type columns struct {
	Seq        int64
	ID         string
	Kind       Kind
	Origin     Origin
	Type       string
	At         int64
	Target     gateway.TargetID
	Task       gateway.TaskID
	Attempt    gateway.AttemptID
	BodyDigest digest
}

// appendLeafJSON appends what the leaf is the hash of, after a zero byte: the
// canonical JSON of every column, its names in order.
func (c *columns) appendLeafJSON(b []byte) []byte {
	b = append(b, `{"at":`...)
	b = strconv.AppendInt(b, c.At, 10)
	b = appendText(append(b, `,"attempt":`...), string(c.Attempt))
	b = append(b, `,"body_digest":"sha256:`...)
	b = hex.AppendEncode(b, c.BodyDigest[:])
	b = appendText(append(b, `","id":`...), c.ID)
	b = appendText(append(b, `,"kind":`...), string(c.Kind))
	b = appendText(append(b, `,"origin":`...), string(c.Origin))
	b = strconv.AppendInt(append(b, `,"seq":`...), c.Seq, 10)
	b = appendText(append(b, `,"target":`...), string(c.Target))
	b = appendText(append(b, `,"task":`...), string(c.Task))
	b = appendText(append(b, `,"type":`...), c.Type)
	return append(b, '}')
}

// leaf is the record's leaf hash, as RFC 6962 makes it.
func (c *columns) leaf(scratch []byte) (digest, []byte) {
	scratch = c.appendLeafJSON(append(scratch[:0], 0))
	return sum(scratch), scratch
}

// encode is the record's body as it is stored and digested, over scratch: for
// an event {actor, payload} and, when external, schema_version and timestamp;
// for a decision {body, index}.
func (r *Record) encode(scratch []byte) ([]byte, error) {
	body, err := canonicalBody(r.Body)
	if err != nil {
		return nil, err
	}
	b := scratch[:0]
	if r.Kind == Decision {
		b = append(append(b, `{"body":`...), body...)
		b = r.Decision.append(append(b, `,"index":`...))
		return append(b, '}'), r.utf8(b)
	}
	b = appendText(append(b, `{"actor":`...), r.Actor)
	b = append(append(b, `,"payload":`...), body...)
	if r.Origin == External {
		b = strconv.AppendInt(append(b, `,"schema_version":`...), int64(r.SchemaVersion), 10)
		b = appendText(append(b, `,"timestamp":`...), r.Timestamp.String())
	}
	return append(b, '}'), r.utf8(b)
}

func (r *Record) utf8(b []byte) error {
	if !utf8.Valid(b) {
		return invalid("append record: the body is not UTF-8")
	}
	return nil
}

// append appends the index as canonical JSON, codes sorted and once each.
func (d *DecisionIndex) append(b []byte) []byte {
	b = strconv.AppendBool(append(b, `{"allow":`...), d.Allow)
	b = appendText(append(b, `,"asked_by":`...), d.AskedBy)
	b = append(b, `,"codes":[`...)
	for i, c := range sorted(d.Codes) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, c)
	}
	b = strconv.AppendBool(append(b, `],"dry_run":`...), d.DryRun)
	if d.Masked { // records of a release that masked nothing read the same
		b = append(b, `,"masked":true`...)
	}
	b = appendText(append(b, `,"policy_digest":`...), d.PolicyDigest)
	b = appendText(append(b, `,"revision":`...), d.Revision)
	return append(b, '}')
}

func micros(t gateway.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) gateway.Time {
	if us == 0 {
		return gateway.Time{}
	}
	return gateway.At(time.UnixMicro(us))
}
