package repository

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"leviathan/gateway"
)

// The codes of Forward's errors.
const (
	// CodeUpstreamMoved is a gateway.Conflict: the upstream's ref is not
	// what the push was made on.
	CodeUpstreamMoved = "delivery.upstream_moved"
	// CodeUpstreamRefused is a gateway.Forbidden: a hook or a protection of
	// the upstream said no. The error's Reasons have its text.
	CodeUpstreamRefused = "delivery.upstream_refused"
)

// Forward sends exactly New to the upstream at Ref, expecting Old there (Old
// of gateway.ZeroOID creates), reads the ref back, and only then takes the
// objects into the mirror. An upstream that has New already is a success.
//
// Errors: gateway.Conflict where the upstream's ref is another,
// gateway.Forbidden where the upstream refuses, gateway.Unknown where it
// cannot be reached or what happened is not clear (then only UpstreamRef
// tells), gateway.Invalid for a push with Problems.
func (p *Push) Forward(ctx context.Context) error { return p.ForwardThen(ctx, func() {}) }

// ForwardThen is Forward that calls shown once, as soon as the upstream is seen
// to have the commit, while the mirror takes the objects and the upstream's
// receive-pack ends. It returns after all of them. Where the upstream does not
// have the commit shown is not called; after an error it may have been.
func (p *Push) ForwardThen(ctx context.Context, shown func()) error {
	if len(p.problems) > 0 || p.pack == nil || p.dir == "" {
		return gateway.Errorf(gateway.Invalid, "a push with problems is not forwarded")
	}
	if err := p.m.lock(ctx); err != nil {
		return err
	}
	defer p.m.unlock()
	// What the mirror will take is made durable while the upstream works.
	synced := inBackground(p.syncPack)
	defer func() { _ = synced() }() // its error counts only for install
	// No question before it: the upstream's receive-pack compares the old
	// value itself, and what it made of it is read back in any case.
	result, sendErr := p.send(ctx)
	if p.m.local == nil || sendErr != nil {
		sendErr = cmp.Or(sendErr, result.end())
	}
	if sendErr != nil && gateway.KindOf(sendErr) == gateway.Forbidden {
		return sendErr
	}
	have, err := p.m.UpstreamRef(ctx, p.Ref())
	if err == nil && have == p.New() {
		return p.taken(result, synced, shown)
	}
	// What the upstream has to say, it has said when it ended.
	sendErr = cmp.Or(sendErr, result.end())
	switch {
	case err != nil && sendErr != nil:
		return caused("", "whether the upstream has the commit is not known", sendErr)
	case err != nil:
		return gateway.Errorf(gateway.Unknown, "whether the upstream has the commit is not known: %v", err)
	case have != p.Old():
		return p.moved(have)
	case sendErr != nil:
		return asUnknown(sendErr, "forward to the upstream")
	case result.stale():
		return p.moved(have)
	case result.reason == "":
		return gateway.Errorf(gateway.Unknown, "the upstream reports success, and does not have the commit")
	}
	return result.refusal()
}

// taken ends a push that the upstream has: its receive-pack may still run
// hooks and look after its repository, while the mirror takes the objects.
func (p *Push) taken(result *sendResult, synced func() error, shown func()) error {
	ended, installed := inBackground(result.end), inBackground(func() error { return p.install(synced) })
	shown()
	err := installed()
	_ = ended() // the ref has been read: how the process ended changes nothing
	return err
}

func (p *Push) moved(have gateway.OID) error {
	e := gateway.Errorf(gateway.Conflict, "the upstream has %s at %s, not %s", describeOID(have), p.Ref(), describeOID(p.Old()))
	e.Code = CodeUpstreamMoved
	return e
}

func describeOID(id gateway.OID) string {
	if id == gateway.ZeroOID {
		return "nothing"
	}
	return string(id)
}

// A sendResult is what the upstream's receive-pack reported.
type sendResult struct {
	reason string // "" for ok
	lines  []string

	rest   io.Reader     // of the answer, behind the report; nil if there is none
	answer io.ReadCloser // nil once it has ended
}

// stale reports a refusal that means that another value was there.
func (r *sendResult) stale() bool {
	for _, s := range []string{"failed to update ref", "cannot lock ref", "failed to lock", "fetch first", "stale info", "already exists", "non-fast-forward"} {
		if strings.Contains(r.reason, s) {
			return true
		}
	}
	return false
}

func (r *sendResult) refusal() error {
	e := gateway.Errorf(gateway.Forbidden, "the upstream refuses the commit: %s", sanitize(r.reason))
	e.Code = CodeUpstreamRefused
	for _, line := range r.lines {
		e.Reasons = append(e.Reasons, gateway.Reason{Code: CodeUpstreamRefused, Message: line})
	}
	return e
}

// send makes the one request, a command and the pack behind it, and reads the
// report, behind which the answer goes on until the result's end.
// The capabilities asked for are those of every git since 2008.
func (p *Push) send(ctx context.Context) (*sendResult, error) {
	result := &sendResult{}
	var head bytes.Buffer
	if err := writePkt(&head, "%s %s %s\x00 report-status side-band-64k agent=%s\n", p.Old(), p.New(), p.Ref(), agentName); err != nil {
		return result, err
	}
	head.WriteString("0000")
	size := int64(head.Len()) + p.pack.size
	body := io.MultiReader(&head, io.NewSectionReader(p.pack.file, 0, p.pack.size))
	answer, err := p.call(ctx, body, size)
	if err != nil {
		return result, err
	}
	result.answer = answer
	result.rest = io.LimitReader(&bandReader{p: newPktReader(answer), say: result.say}, 1<<20)
	return result, result.decode(result.rest, p.Ref())
}

// call asks the upstream's receive-pack, the one that waits if there is one.
func (p *Push) call(ctx context.Context, body io.Reader, size int64) (io.ReadCloser, error) {
	if ready := p.ready; ready != nil {
		p.ready = nil
		return p.m.local.callPrepared(ctx, ready(), body, size)
	}
	return p.m.upstream.call(ctx, receivePack, body, size)
}

// end reads the answer to its end and lets go of it; it may be called again.
func (r *sendResult) end() error {
	if r.answer == nil {
		return nil
	}
	_, err := io.Copy(io.Discard, r.rest)
	err = cmp.Or(err, r.answer.Close())
	r.answer = nil
	return err
}

const maxRemoteLines = 20

// say keeps the upstream's messages, line by line.
func (r *sendResult) say(_ byte, text string) {
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
		if line = sanitize(line); line != "" && len(r.lines) < maxRemoteLines {
			r.lines = append(r.lines, line)
		}
	}
}

// decode reads a report-status.
func (r *sendResult) decode(in io.Reader, ref string) error {
	p := newPktReader(in)
	answered := false
	for {
		kind, line, err := p.line()
		if err != nil {
			return fmt.Errorf("read the upstream's report: %w", noEOF(err))
		}
		if kind == pktFlush {
			break
		}
		switch {
		case line == "unpack ok":
		case strings.HasPrefix(line, "unpack "):
			r.reason, answered = line, true
		case line == "ok "+ref:
			answered = true
		case strings.HasPrefix(line, "ng "+ref+" "):
			if answered = true; r.reason == "" {
				r.reason = strings.TrimPrefix(line, "ng "+ref+" ")
			}
		}
	}
	if !answered {
		return errors.New("the upstream's report does not name the ref")
	}
	return nil
}
