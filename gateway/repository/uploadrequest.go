package repository

import (
	"io"
	"strconv"
	"strings"

	"leviathan/gateway"
)

// An uploadRequest is the first part of an upload-pack request: all but the
// negotiation.
type uploadRequest struct {
	wants   []objectID
	shallow []objectID
	depth   int
	caps    map[string]bool
}

// The limits of one request.
const (
	maxWants    = 1000
	maxShallows = 100_000
	// infiniteDepth is what git sends for --unshallow.
	infiniteDepth = 0x7fffffff
)

// decodeUploadRequest reads up to the first flush. A request without a line
// is a client that wants nothing.
func decodeUploadRequest(p *pktReader) (uploadRequest, error) {
	q := uploadRequest{caps: map[string]bool{}}
	for {
		kind, line, err := p.line()
		if err == io.EOF && len(q.wants) == 0 {
			return q, nil
		}
		if err != nil {
			return q, gateway.Errorf(gateway.Invalid, "upload-pack request: %v", noEOF(err))
		}
		if kind == pktFlush {
			return q, nil
		}
		if err := q.take(line); err != nil {
			return q, err
		}
		if len(q.wants) > maxWants || len(q.shallow) > maxShallows {
			return q, gateway.Errorf(gateway.TooLarge, "upload-pack request has too many lines")
		}
	}
}

func (q *uploadRequest) take(line string) error {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "want":
		id, caps, _ := strings.Cut(value, " ")
		oid, err := parseID(gateway.OID(id))
		if err != nil {
			return err
		}
		if len(q.wants) == 0 {
			for c := range strings.FieldsSeq(caps) {
				q.caps[c] = true
			}
		}
		q.wants = append(q.wants, oid)
	case "shallow":
		oid, err := parseID(gateway.OID(value))
		if err != nil {
			return err
		}
		q.shallow = append(q.shallow, oid)
	case "deepen":
		depth, err := strconv.Atoi(value)
		if err != nil || depth < 1 || depth > infiniteDepth {
			return gateway.Errorf(gateway.Invalid, "upload-pack request has a bad depth")
		}
		q.depth = depth
	default:
		return gateway.Errorf(gateway.Invalid, "upload-pack request line %q is not supported", sanitize(key))
	}
	return nil
}
