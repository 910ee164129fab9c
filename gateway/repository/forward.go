package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
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
func (p *Push) Forward(ctx context.Context) error {
	if len(p.problems) > 0 || p.pack == nil || p.dir == "" {
		return gateway.Errorf(gateway.Invalid, "a push with problems is not forwarded")
	}
	if err := p.m.lock(ctx); err != nil {
		return err
	}
	defer p.m.unlock()
	// No question before it: the upstream's receive-pack compares the old
	// value itself, and what it made of it is read back in any case.
	result, sendErr := p.send(ctx)
	if sendErr != nil && gateway.KindOf(sendErr) == gateway.Forbidden {
		return sendErr
	}
	have, err := p.m.UpstreamRef(ctx, p.Ref())
	switch {
	case err != nil:
		return gateway.Errorf(gateway.Unknown, "whether the upstream has the commit is not known: %v", errors.Join(sendErr, err))
	case have == p.New():
		return p.install()
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
}

// stale reports a refusal that means that another value was there.
func (r sendResult) stale() bool {
	for _, s := range []string{"failed to update ref", "cannot lock ref", "failed to lock", "fetch first", "stale info", "already exists", "non-fast-forward"} {
		if strings.Contains(r.reason, s) {
			return true
		}
	}
	return false
}

func (r sendResult) refusal() error {
	e := gateway.Errorf(gateway.Forbidden, "the upstream refuses the commit: %s", sanitize(r.reason))
	e.Code = CodeUpstreamRefused
	for _, line := range r.lines {
		e.Reasons = append(e.Reasons, gateway.Reason{Code: CodeUpstreamRefused, Message: line})
	}
	return e
}

// send makes the one request: a command and the pack behind it.
// The capabilities asked for are those of every git since 2008.
func (p *Push) send(ctx context.Context) (sendResult, error) {
	var head bytes.Buffer
	if err := writePkt(&head, "%s %s %s\x00 report-status side-band-64k agent=%s\n", p.Old(), p.New(), p.Ref(), agentName); err != nil {
		return sendResult{}, err
	}
	head.WriteString("0000")
	size := int64(head.Len()) + p.pack.size
	body := io.MultiReader(&head, io.NewSectionReader(p.pack.file, 0, p.pack.size))
	answer, err := p.m.upstream.call(ctx, receivePack, body, size)
	if err != nil {
		return sendResult{}, err
	}
	var result sendResult
	r := &bandReader{p: newPktReader(answer), say: result.say}
	err = result.decode(io.LimitReader(r, 1<<20), p.Ref())
	if closeErr := answer.Close(); err == nil {
		err = closeErr
	}
	return result, err
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

// decode reads a report-status to its end.
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
	_, err := io.Copy(io.Discard, in)
	return err
}

// install takes the objects of a push that the upstream has into the mirror.
// What fails here is Unknown: the effect is there, and Fetch will bring it.
//
// A mirror that was rewritten since the check may have dropped what the push
// builds on: then nothing is taken, and Fetch brings the whole.
func (p *Push) install() error {
	if p.rewrites != p.m.rewrites() {
		return p.Discard()
	}
	if err := p.installPack(); err != nil {
		return gateway.Errorf(gateway.Unknown, "the upstream has the commit; the mirror could not take it: %v", err)
	}
	err := p.m.updateRefs(func(r Refs) { maps.Copy(r, Refs{p.Ref(): p.New()}) })
	if err != nil {
		return gateway.Errorf(gateway.Unknown, "the upstream has the commit; the mirror's ref could not be written: %v", err)
	}
	return nil
}

func (p *Push) installPack() error {
	if p.pack.n == 0 {
		return p.Discard()
	}
	dir := filepath.Join(p.m.dir, "objects/pack")
	name := filepath.Base(p.pack.path)
	target := filepath.Join(dir, name)
	index := func(path string) string { return strings.TrimSuffix(path, ".pack") + ".idx" }
	if _, err := os.Stat(index(target)); err == nil {
		return p.Discard() // the very pack is there already
	}
	if err := errors.Join(syncFile(p.pack.path), syncFile(index(p.pack.path))); err != nil {
		return err
	}
	if err := os.Rename(p.pack.path, target); err != nil {
		return fmt.Errorf("install pack: %w", err)
	}
	if err := os.Rename(index(p.pack.path), index(target)); err != nil {
		return fmt.Errorf("install pack: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	installed, err := openPack(target)
	if err != nil {
		return err
	}
	if err := p.m.addPack(installed); err != nil {
		return err
	}
	return p.Discard()
}
