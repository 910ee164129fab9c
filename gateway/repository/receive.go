package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"leviathan/gateway"
)

// maxDrain is how much of a request that is too large is still read: a client
// that is cut off while it sends shows no reason.
const maxDrain = 64 << 20

// Receive reads one POST of git-receive-pack into a quarantine of its own and
// checks it. What is wrong with the push is in Push.Problems, for any push
// whose commands can be read: nothing but the commands has to be right for
// Report to answer it as git expects.
//
// An error is ErrProbe, or a request that is no push (gateway.Invalid), or a
// failure of ours. Together with a failure of ours a Push may be returned, for
// Report alone. A Push that is returned must be ended by Forward, Keep or
// Discard, the last of which is always allowed.
//
// The request's body is read as it is: Body undoes its encoding.
func (m *Mirror) Receive(ctx context.Context, r io.Reader, lim Limits) (*Push, error) {
	pkts := newPktReader(r)
	q, err := decodeReceive(pkts)
	if err != nil {
		return nil, err
	}
	p := &Push{m: m, lim: lim.withDefaults(), req: q}
	q.shape(&p.problems)
	if !q.hasPack() {
		return p, nil
	}
	if m.local != nil && len(p.problems) == 0 {
		p.ready = m.local.prepare(ctx) // while the pack is read, checked and decided about
	}
	if p.dir, err = os.MkdirTemp(filepath.Join(m.dir, "quarantine"), "push-"); err != nil {
		return p, errors.Join(fmt.Errorf("quarantine push: %w", err), p.Discard())
	}
	if err := p.take(ctx, pkts.r); err != nil {
		return p, errors.Join(err, p.Discard())
	}
	return p, nil
}

// take spools, indexes and checks the pack.
func (p *Push) take(ctx context.Context, r io.Reader) error {
	f, err := os.OpenFile(filepath.Join(p.dir, rawName), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("spool push: %w", err)
	}
	whole, err := p.spool(ctx, f, r)
	if err != nil || !whole {
		return errors.Join(err, f.Close())
	}
	p.rewrites = p.m.rewrites()
	o, err := p.m.objects()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer o.close()
	fresh, err := p.index(ctx, f, o)
	if err != nil || p.pack == nil {
		return errors.Join(err, f.Close())
	}
	p.pack.retain()
	o.packs = append([]*pack{p.pack}, o.packs...)
	return p.check(ctx, o, fresh)
}

// spool writes the pack to disk up to the limit. It reports whether all of it
// is there.
func (p *Push) spool(ctx context.Context, f *os.File, r io.Reader) (bool, error) {
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(&contextReader{ctx, r}, p.lim.MaxPackBytes))
	p.packBytes = n
	p.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	if err == nil {
		// one byte more tells a pack of just the limit from a larger one
		var over int64
		over, err = io.CopyN(io.Discard, r, 1)
		if over == 0 && err == io.EOF {
			return true, nil
		}
	}
	if err == nil || errors.Is(err, gateway.ErrTooLarge) {
		p.problems.add(codePackTooLarge, "", fmt.Sprintf("the pack is over the limit of %d bytes", p.lim.MaxPackBytes))
		if err != nil {
			return false, nil // the body's own limit: no more can be read
		}
		_, err = io.CopyN(io.Discard, &contextReader{ctx, r}, maxDrain)
		if err == nil || err == io.EOF || errors.Is(err, gateway.ErrTooLarge) {
			return false, nil
		}
	}
	return false, gateway.Errorf(gateway.Invalid, "the push ended early: %v", err)
}

// index scans the pack within its limits, resolves its deltas and gives it an
// index. It returns the objects that the mirror lacks. Where the pack is bad
// p.pack stays nil and the spooled file stays as it came.
func (p *Push) index(ctx context.Context, f *os.File, o *objects) (idSet, error) {
	size := p.packBytes
	entries, err := scanPack(ctx, io.NewSectionReader(f, 0, size), size, scanLimit{
		objects: int64(p.lim.MaxObjects), object: p.lim.MaxObjectBytes, inflated: p.lim.MaxInflatedBytes,
	})
	if err != nil {
		return nil, p.packProblem(ctx, err)
	}
	thin, err := resolveDeltas(ctx, f, size, entries, func(id objectID) (objectKind, []byte, error) {
		return o.read(id, p.lim.MaxObjectBytes)
	})
	if err != nil {
		return nil, p.packProblem(ctx, err)
	}
	fresh := idSet{}
	for i := range entries {
		if !o.has(entries[i].id) {
			fresh.add(entries[i].id)
		}
	}
	if len(thin) > 0 {
		if entries, size, err = completePack(f, size, entries, thin); err != nil {
			return nil, err
		}
	}
	p.objects = len(entries) - len(thin)
	if p.pack, err = sealPack(f, size, entries, p.dir, false); err != nil {
		return nil, err
	}
	return fresh, nil
}

// packProblem tells a bad pack from a failure of ours.
func (p *Push) packProblem(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("read spooled pack: %w", err)
	}
	var over errOverLimit
	switch {
	case errors.As(err, &over):
		p.problems.add(codePackTooLarge, "", over.what)
	case errors.Is(err, errObjectTooLarge):
		p.problems.add(codePackTooLarge, "", "the pack builds on an object that is over the limit")
	case errors.Is(err, errNoObject):
		p.problems.add(codeMissing, "", "the pack cannot be unpacked: "+sanitize(err.Error()))
	default:
		p.problems.add(codeMalformedPack, "", "the pack cannot be read: "+sanitize(err.Error()))
	}
	return nil
}

// check runs the checks of contents and reads the commit.
func (p *Push) check(ctx context.Context, o *objects, fresh idSet) error {
	head, err := parseID(p.New())
	if err != nil || head.isZero() {
		return nil // a deletion beside something else, which shape has refused
	}
	c := &pushCheck{ctx: ctx, o: o, fresh: fresh, lim: p.lim, problems: &p.problems}
	if err := c.run(head); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("check push: %w", err)
	}
	raw, err := o.readTyped(head, kindCommit, 0)
	if err != nil {
		return nil // run has said so
	}
	if p.commit, err = parseCommit(head, raw); err != nil {
		p.commit = Commit{ID: head.hex()}
		if len(p.problems) == 0 {
			p.problems.add(codeMalformed, "", fmt.Sprintf("commit %s cannot be read: %s", head.hex(), sanitize(err.Error())))
		}
	}
	return nil
}

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
