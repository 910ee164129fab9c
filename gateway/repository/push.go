package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"leviathan/gateway"
)

// rawName is the pack as it arrived, in the quarantine and in the store.
const rawName = "raw.pack"

// A Push is one push in quarantine: objects that nobody can fetch, on which
// every check of this package has been run. It belongs to one goroutine.
type Push struct {
	m         *Mirror
	lim       Limits
	req       receiveRequest
	dir       string // quarantine; "" once it is gone
	pack      *pack  // nil where there is none or it could not be read
	packBytes int64
	digest    string
	objects   int
	problems  problems
	commit    Commit
	rewrites  int                // of the mirror, before it was checked against it
	ready     func() *gitProcess // of a path upstream, for Forward; nil where none waits
}

// Ref is the ref that the push would write: the first, if there are several.
func (p *Push) Ref() string { return p.req.commands[0].ref }

// Old is what the client believes the ref to be; gateway.ZeroOID to create it.
func (p *Push) Old() gateway.OID { return p.req.commands[0].old }

// New is what the ref is to become; gateway.ZeroOID to delete it.
func (p *Push) New() gateway.OID { return p.req.commands[0].new }

// Commit is the commit that New names; its zero value where Problems says
// that there is none.
func (p *Push) Commit() Commit { return p.commit }

// PackDigest is "sha256:" and the digest of the pack as it arrived, or of the
// part of it within the limit; "" where none came.
func (p *Push) PackDigest() string { return p.digest }

// PackBytes is the size of what PackDigest is of.
func (p *Push) PackBytes() int64 { return p.packBytes }

// Objects is the number of objects in the pack; 0 where it cannot be read.
func (p *Push) Objects() int { return p.objects }

// Problems is what the checks of this package found; a push that has any must
// not be forwarded, and Forward refuses it. It is at most 50 long, and never
// about anything that the parent commit has already.
func (p *Push) Problems() []gateway.Reason { return slices.Clone([]gateway.Reason(p.problems)) }

// Changes is the exact difference between the tree of the commit base and
// that of New, sorted by path; no renames are guessed. An empty base or
// gateway.ZeroOID is the empty tree. More than Limits.MaxChanges of them is
// gateway.TooLarge with the code scope.too_many_changes; a base that the
// mirror lacks is gateway.NotFound.
func (p *Push) Changes(ctx context.Context, base gateway.OID) ([]gateway.Change, error) {
	o, err := p.open()
	if err != nil {
		return nil, err
	}
	defer o.close()
	old, err := treeOf(o, base)
	if err != nil {
		return nil, err
	}
	tree, err := treeOf(o, p.New())
	if err != nil {
		return nil, err
	}
	d := &differ{ctx: ctx, o: o, max: p.lim.MaxChanges}
	return d.diff(old, tree)
}

// open is the quarantine's objects before the mirror's.
func (p *Push) open() (*objects, error) {
	o, err := p.m.objects()
	if err != nil {
		return nil, err
	}
	if p.pack != nil {
		p.pack.retain()
		o.packs = append([]*pack{p.pack}, o.packs...)
	}
	return o, nil
}

// treeOf is the tree of a commit; zero for no commit.
func treeOf(o *objects, commit gateway.OID) (objectID, error) {
	if commit == "" || commit == gateway.ZeroOID {
		return objectID{}, nil
	}
	id, err := parseID(commit)
	if err != nil {
		return id, err
	}
	raw, err := o.readTyped(id, kindCommit, 0)
	if err != nil {
		return id, notFound(err, "the mirror has no commit %s", commit)
	}
	info, err := parseCommitInfo(raw)
	if err != nil {
		return id, fmt.Errorf("commit %s: %w", commit, err)
	}
	return info.tree, nil
}

// Discard removes the quarantine. It may be called at any time, also after
// Forward or Keep, and again.
func (p *Push) Discard() error {
	var errs []error
	if p.ready != nil {
		if waits := p.ready(); waits != nil {
			waits.abandon()
		}
		p.ready = nil
	}
	if p.pack != nil {
		errs = append(errs, p.pack.release())
		p.pack = nil
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
		p.dir = ""
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("discard push: %w", err)
	}
	return nil
}

const maxCode = 100

// Report answers the push as git shows it: "ok" for the ref, or "ng" with the
// code for every ref of the push, and before it each line as one "remote:"
// line, made printable and cut to 200 characters. It writes what the client
// asked for: through the side-band, or plain, or nothing.
func (p *Push) Report(w io.Writer, ok bool, code string, lines []string) error {
	banded := p.req.caps["side-band-64k"]
	if banded {
		progress := bandWriter{w, bandProgress}
		for _, line := range lines {
			if _, err := io.WriteString(progress, sanitize(line)+"\n"); err != nil {
				return fmt.Errorf("report push: %w", err)
			}
		}
	}
	if p.req.caps["report-status"] {
		report, err := p.status(ok, code)
		if err != nil {
			return err
		}
		out := w
		if banded {
			out = bandWriter{w, bandData}
		}
		if _, err := out.Write(report); err != nil {
			return fmt.Errorf("report push: %w", err)
		}
	}
	if banded {
		if err := writeFlush(w); err != nil {
			return fmt.Errorf("report push: %w", err)
		}
	}
	return nil
}

func (p *Push) status(ok bool, code string) ([]byte, error) {
	var b bytes.Buffer
	if err := writePkt(&b, "unpack ok\n"); err != nil {
		return nil, err
	}
	reason := sanitize(code)
	if reason == "" {
		reason = "denied"
	}
	if len(reason) > maxCode {
		reason = reason[:maxCode]
	}
	for _, c := range p.req.commands {
		line := "ok " + c.ref
		if !ok {
			line = "ng " + c.ref + " " + reason
		}
		if err := writePkt(&b, "%s\n", line); err != nil {
			return nil, fmt.Errorf("report push: %w", err)
		}
	}
	err := writeFlush(&b)
	return b.Bytes(), err
}
