package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"leviathan/gateway"
)

// UploadPack answers one POST of git-upload-pack: a clone or fetch, shallow
// or not, or one round of its negotiation. Only what the view's refs reach
// can be had; a want of anything else is gateway.NotFound. A request that is
// refused is answered on w as git shows it, and also returned as the error.
func (m *Mirror) UploadPack(ctx context.Context, w io.Writer, r io.Reader, v View) (Served, error) {
	p := newPktReader(r)
	q, err := decodeUploadRequest(p)
	if err != nil {
		return Served{}, refuseUpload(w, err)
	}
	served := Served{Depth: q.depth}
	for _, id := range q.wants {
		served.Wants = append(served.Wants, id.hex())
	}
	if len(q.wants) == 0 {
		return served, nil
	}
	o, err := m.objects()
	if err != nil {
		return served, refuseUpload(w, err)
	}
	defer o.close()
	u := &uploader{m: m, w: w, q: q, walk: &walker{ctx: ctx, o: o, commits: &m.commits}}
	if err := u.allowed(v); err != nil {
		return served, refuseUpload(w, err)
	}
	if err := u.depth(); err != nil {
		return served, err
	}
	send, err := u.negotiate(p)
	if err != nil || !send {
		return served, err
	}
	return u.pack(ctx, served)
}

// refuseUpload tells the client why, as far as it may know.
func refuseUpload(w io.Writer, err error) error {
	text := "internal error"
	var known *gateway.Error
	if errors.As(err, &known) {
		text = known.Detail
	}
	return errors.Join(err, writePkt(w, "ERR upload-pack: %s\n", sanitize(text)))
}

// An uploader answers one upload-pack request.
type uploader struct {
	m      *Mirror
	w      io.Writer
	q      uploadRequest
	walk   *walker
	cut    *depthCut
	common []objectID
}

// allowed checks the wants against the view.
func (u *uploader) allowed(v View) error {
	var tips []objectID
	for _, id := range v.Refs {
		oid, err := parseID(id)
		if err != nil {
			return err
		}
		tips = append(tips, oid)
	}
	open := setOf(tips)
	rest := idSet{}
	for _, id := range u.q.wants {
		if !open.has(id) {
			rest.add(id)
		}
	}
	if len(rest) == 0 {
		return nil
	}
	ok, err := u.walk.reaches(tips, rest)
	if err != nil {
		return err
	}
	if !ok {
		for id := range rest {
			return gateway.Errorf(gateway.NotFound, "not our ref %s", id.hex())
		}
	}
	return nil
}

// depth answers a deepen line with the commits where history will end.
func (u *uploader) depth() error {
	if u.q.depth == 0 {
		return nil
	}
	theirs := setOf(u.q.shallow)
	depth := u.q.depth
	if u.q.caps["deepen-relative"] {
		reached, err := u.walk.depthOf(u.q.wants, theirs)
		if err != nil {
			return err
		}
		depth += reached
	}
	cut, err := u.walk.cut(u.q.wants, depth)
	if err != nil {
		return err
	}
	u.cut = &cut
	for id := range cut.shallow {
		if !theirs.has(id) {
			if err := writePkt(u.w, "shallow %s", id.hex()); err != nil {
				return err
			}
		}
	}
	for id := range theirs {
		if cut.interior.has(id) {
			if err := writePkt(u.w, "unshallow %s", id.hex()); err != nil {
				return err
			}
		}
	}
	return writeFlush(u.w)
}

// maxHaveLines bounds one round of negotiation.
const maxHaveLines = 100_000

// negotiate reads the have lines. It reports whether the pack follows now;
// otherwise the client asks again.
func (u *uploader) negotiate(p *pktReader) (bool, error) {
	detailed, noDone := u.q.caps["multi_ack_detailed"], u.q.caps["no-done"]
	common := idSet{}
	ready, saidReady := false, false
	last := ""
	for lines := 0; ; lines++ {
		kind, line, err := p.line()
		if err == io.EOF {
			return false, nil // a round that only asked for the depth
		}
		if err != nil || lines > maxHaveLines {
			return false, gateway.Errorf(gateway.Invalid, "upload-pack negotiation: %v", err)
		}
		switch {
		case kind == pktFlush:
			if detailed && len(common) > 0 && ready && !saidReady {
				saidReady = true
				if err := writePkt(u.w, "ACK %s ready\n", last); err != nil {
					return false, err
				}
			}
			if len(common) == 0 || detailed {
				if err := writePkt(u.w, "NAK\n"); err != nil {
					return false, err
				}
			}
			if saidReady && noDone {
				return true, writePkt(u.w, "ACK %s\n", last)
			}
			return false, nil
		case line == "done":
			if len(common) == 0 {
				return true, writePkt(u.w, "NAK\n")
			}
			if detailed {
				return true, writePkt(u.w, "ACK %s\n", last)
			}
			return true, nil
		case strings.HasPrefix(line, "have "):
			id, err := parseID(gateway.OID(line[5:]))
			if err != nil {
				return false, err
			}
			if !u.isCommit(id) || common.has(id) {
				continue
			}
			first := len(common) == 0
			common.add(id)
			u.common = append(u.common, id)
			last = string(id.hex())
			if ready, err = u.walk.meets(u.q.wants, common); err != nil {
				return false, err
			}
			if err := u.acknowledge(last, detailed, first); err != nil {
				return false, err
			}
		default:
			return false, gateway.Errorf(gateway.Invalid, "upload-pack negotiation line %q is not supported", sanitize(line))
		}
	}
}

func (u *uploader) acknowledge(id string, detailed, first bool) error {
	if detailed {
		return writePkt(u.w, "ACK %s common\n", id)
	}
	if first {
		return writePkt(u.w, "ACK %s\n", id)
	}
	return nil
}

func (u *uploader) isCommit(id objectID) bool {
	kind, _, err := u.walk.o.stat(id)
	return err == nil && kind == kindCommit
}

// pack sends the objects: from the cache where nothing but the wants and the
// depth decides what they are.
func (u *uploader) pack(ctx context.Context, served Served) (Served, error) {
	ofs := u.q.caps["ofs-delta"]
	banded := u.q.caps["side-band-64k"]
	out := u.w
	if banded {
		out = bandWriter{u.w, bandData}
	}
	var err error
	if len(u.common) == 0 && len(u.q.shallow) == 0 {
		served, err = u.cached(ctx, out, served, ofs)
	} else {
		var ids []objectID
		if ids, err = u.list(); err == nil {
			served.Objects = len(ids)
			_, served.Bytes, err = writePack(ctx, out, u.walk.o, ids, ofs)
		}
	}
	if err != nil {
		if banded {
			_, werr := io.WriteString(bandWriter{u.w, bandError}, "upload-pack: internal error\n")
			err = errors.Join(err, werr)
		}
		return served, fmt.Errorf("send pack: %w", err)
	}
	if banded {
		return served, writeFlush(u.w)
	}
	return served, nil
}

func (u *uploader) list() ([]objectID, error) {
	return u.walk.enumerate(objectsWanted{wants: u.q.wants, common: u.common, shallow: setOf(u.q.shallow), cut: u.cut})
}

func (u *uploader) cached(ctx context.Context, out io.Writer, served Served, ofs bool) (Served, error) {
	f, cached, err := u.m.cache.open(ctx, cacheKey(u.q.wants, u.q.depth, ofs), func(f *os.File) error {
		ids, err := u.list()
		if err != nil {
			return err
		}
		_, _, err = writePack(ctx, f, u.walk.o, ids, ofs)
		return err
	})
	if err != nil {
		return served, err
	}
	defer f.Close()
	var head [packHeaderLen]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return served, fmt.Errorf("read cached pack: %w", err)
	}
	served.Cached = cached
	served.Objects = int(be32(head[8:]))
	buf := slices.Grow([]byte(nil), maxSideband)[:maxSideband]
	served.Bytes, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{f}, buf)
	return served, err
}
