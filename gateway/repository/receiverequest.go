package repository

import (
	"errors"
	"io"
	"strings"

	"leviathan/gateway"
)

// ErrProbe is what Receive returns for the four-byte request by which git
// asks, before a large push, whether it may send one, and for an empty body.
// The answer is 200 with an empty body.
var ErrProbe = errors.New("receive-pack: probe request")

// A command is one line of a push: ref from old to new.
type command struct {
	old, new gateway.OID
	ref      string
}

// A receiveRequest is what comes before the pack.
type receiveRequest struct {
	commands    []command
	dropped     int // commands beyond those kept
	caps        map[string]bool
	certificate bool
	options     bool
}

const (
	maxCommands     = 100
	maxReceiveLines = 100_000
)

// decodeReceive reads the command list. Unlike go-git's decoder it takes the
// shallow lines of a push from a shallow clone, with their newline.
func decodeReceive(p *pktReader) (receiveRequest, error) {
	q := receiveRequest{caps: map[string]bool{}}
	for lines := 0; ; lines++ {
		kind, line, err := p.line()
		if err == io.EOF && lines == 0 {
			return q, ErrProbe
		}
		if err != nil {
			return q, gateway.Errorf(gateway.Invalid, "receive-pack request: %v", noEOF(err))
		}
		if kind == pktFlush && lines == 0 {
			return q, ErrProbe
		}
		if kind == pktFlush {
			break
		}
		if kind != pktData || lines > maxReceiveLines {
			return q, gateway.Errorf(gateway.Invalid, "receive-pack request is malformed")
		}
		if err := q.take(line); err != nil {
			return q, err
		}
	}
	if q.caps["push-options"] {
		if err := q.skipOptions(p); err != nil {
			return q, err
		}
	}
	if len(q.commands) == 0 {
		return q, gateway.Errorf(gateway.Invalid, "receive-pack request has no command")
	}
	return q, nil
}

func (q *receiveRequest) take(line string) error {
	if strings.HasPrefix(line, "shallow ") && gateway.OID(line[8:]).Valid() {
		return nil // what the client lacks does not matter: the mirror has the base
	}
	if caps, ok := strings.CutPrefix(line, "push-cert\x00"); ok {
		q.certificate = true
		q.takeCaps(caps)
		return nil
	}
	if q.certificate && !isCommand(line) {
		return nil // the certificate's own text
	}
	line, caps, hasCaps := strings.Cut(line, "\x00")
	if hasCaps && len(q.commands) == 0 {
		q.takeCaps(caps)
	}
	if !isCommand(line) {
		return gateway.Errorf(gateway.Invalid, "receive-pack request line is not a command")
	}
	if len(q.commands) >= maxCommands {
		q.dropped++
		return nil
	}
	q.commands = append(q.commands, command{gateway.OID(line[:40]), gateway.OID(line[41:81]), line[82:]})
	return nil
}

func isCommand(line string) bool {
	return len(line) > 82 && line[40] == ' ' && line[81] == ' ' && gateway.OID(line[:40]).Valid() && gateway.OID(line[41:81]).Valid()
}

func (q *receiveRequest) takeCaps(caps string) {
	for c := range strings.FieldsSeq(caps) {
		q.caps[c] = true
	}
}

func (q *receiveRequest) skipOptions(p *pktReader) error {
	for lines := 0; ; lines++ {
		kind, _, err := p.next()
		if err != nil || lines > maxReceiveLines {
			return gateway.Errorf(gateway.Invalid, "receive-pack push options: %v", err)
		}
		if kind == pktFlush {
			return nil
		}
		q.options = true
	}
}

// hasPack reports whether a pack follows: not where refs are only deleted.
func (q *receiveRequest) hasPack() bool {
	for _, c := range q.commands {
		if c.new != gateway.ZeroOID {
			return true
		}
	}
	return false
}

// shape finds what no pack is needed to refuse.
func (q *receiveRequest) shape(out *problems) {
	if n := len(q.commands) + q.dropped; n > 1 {
		out.add(codeMultipleRefs, "", "the push updates several refs; it must update one")
	}
	for _, c := range q.commands {
		if c.new == gateway.ZeroOID {
			out.add(codeDeletion, "", "the push deletes "+sanitize(c.ref)+"; nothing may be deleted")
		}
	}
	if c := q.commands[0]; !validRef(c.ref) || !strings.HasPrefix(c.ref, "refs/heads/") {
		out.add(codeBadRef, "", sanitize(c.ref)+" is not a branch")
	}
	if q.certificate {
		out.add(codeCertificate, "", "the push is signed; push without --signed")
	}
	if q.options {
		out.add(codeOptions, "", "the push carries options; push without --push-option")
	}
}
