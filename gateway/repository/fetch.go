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
	"slices"
	"strings"

	"leviathan/gateway"
)

// An advertisement is what the upstream lists of itself.
type advertisement struct {
	refs Refs
	caps map[string]bool
}

// maxAdvertised bounds the list of refs that is read from an upstream.
const maxAdvertised = 256 << 20

// advertised asks the upstream for its refs.
func (m *Mirror) advertised(ctx context.Context) (advertisement, error) {
	adv := advertisement{refs: Refs{}, caps: map[string]bool{}}
	body, err := m.upstream.advertise(ctx)
	if err != nil {
		return adv, err
	}
	err = adv.decode(io.LimitReader(body, maxAdvertised))
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return adv, asUnknown(err, "read the upstream's refs")
	}
	return adv, nil
}

// asUnknown keeps the kind of an error that has one.
func asUnknown(err error, doing string) error {
	var known *gateway.Error
	if errors.As(err, &known) {
		return err
	}
	return gateway.Errorf(gateway.Unknown, "%s: %v", doing, err)
}

func (a *advertisement) decode(r io.Reader) error {
	p := newPktReader(r)
	first, sawService := true, false
	for {
		kind, line, err := p.line()
		if err != nil {
			return noEOF(err)
		}
		switch {
		case kind == pktFlush && sawService:
			sawService = false
			continue
		case kind == pktFlush:
			return nil
		case kind != pktData:
			return errPkt
		case strings.HasPrefix(line, "# service="):
			sawService = true
			continue
		case strings.HasPrefix(line, "version "):
			continue
		case strings.HasPrefix(line, "ERR "):
			return fmt.Errorf("the upstream says: %s", sanitize(line[4:]))
		case strings.HasPrefix(line, "shallow "):
			return gateway.Errorf(gateway.Invalid, "the upstream is a shallow clone; its history is incomplete")
		}
		if first {
			var caps string
			line, caps, _ = strings.Cut(line, "\x00")
			if err := a.takeCaps(caps); err != nil {
				return err
			}
			first = false
		}
		id, name, ok := strings.Cut(line, " ")
		if ok && len(id) == 64 {
			return errSHA256()
		}
		if !ok || !gateway.OID(id).Valid() {
			return errPkt
		}
		if strings.HasSuffix(name, "^{}") || !validRef(name) {
			continue
		}
		a.refs[name] = gateway.OID(id)
	}
}

func (a *advertisement) takeCaps(caps string) error {
	for c := range strings.FieldsSeq(caps) {
		if f, ok := strings.CutPrefix(c, "object-format="); ok && f != "sha1" {
			return errSHA256()
		}
		a.caps[c] = true
	}
	return nil
}

// Fetch brings refs/heads/<branch>, refs/heads/agent/* and, from an upstream
// that is a path, refs/pull/*/head, with all that they reach, into the
// mirror. Refs that are gone upstream go; pins stay. It returns every branch
// and pull-request head that the upstream lists; a branch that is not among
// them is no error. What cannot be had is gateway.Unknown.
func (m *Mirror) Fetch(ctx context.Context, branch string) (Refs, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.unlock()
	adv, err := m.advertised(ctx)
	if err != nil {
		return nil, err
	}
	seen, keep := Refs{}, Refs{}
	for name, id := range adv.refs {
		pull := strings.HasPrefix(name, "refs/pull/") && strings.HasSuffix(name, "/head")
		if !pull && !strings.HasPrefix(name, "refs/heads/") {
			continue
		}
		seen[name] = id
		if name == "refs/heads/"+branch || strings.HasPrefix(name, "refs/heads/"+gateway.BranchPrefix) || pull && m.upstream.pulls() {
			keep[name] = id
		}
	}
	if err := m.bring(ctx, adv, keep); err != nil {
		return nil, err
	}
	err = m.updateRefs(func(r Refs) {
		maps.DeleteFunc(r, func(name string, _ gateway.OID) bool { return !strings.HasPrefix(name, pinPrefix) })
		maps.Copy(r, keep)
	})
	if err != nil {
		return nil, err
	}
	if err := m.setHead(branch); err != nil {
		return nil, err
	}
	if err := m.compact(ctx); err != nil {
		return nil, err
	}
	return seen, nil
}

// setHead lets HEAD name the target branch, for people who look.
func (m *Mirror) setHead(branch string) error {
	path, want := filepath.Join(m.dir, "HEAD"), "ref: refs/heads/"+branch+"\n"
	if have, err := os.ReadFile(path); err == nil && string(have) == want || !validRef("refs/heads/"+branch) {
		return nil
	}
	return writeFile(path, []byte(want))
}

// maxHaves bounds what one fetch tells of what the mirror has.
const maxHaves = 512

// bring fetches the objects of refs that the mirror lacks.
func (m *Mirror) bring(ctx context.Context, adv advertisement, refs Refs) error {
	o, err := m.objects()
	if err != nil {
		return err
	}
	defer o.close()
	wants := map[gateway.OID]bool{}
	for _, id := range refs {
		if oid, err := parseID(id); err != nil {
			return err
		} else if !o.has(oid) {
			wants[id] = true
		}
	}
	if len(wants) == 0 {
		return nil
	}
	var b bytes.Buffer
	caps := " side-band-64k no-progress ofs-delta agent=" + agentName
	for _, c := range []string{"side-band-64k", "ofs-delta"} {
		if !adv.caps[c] {
			return gateway.Errorf(gateway.Unknown, "the upstream's git lacks the capability %s", c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(wants)) {
		if err := writePkt(&b, "want %s%s\n", id, caps); err != nil {
			return err
		}
		caps = ""
	}
	b.WriteString("0000")
	haves := map[gateway.OID]bool{}
	for _, id := range m.currentRefs() {
		if len(haves) < maxHaves && !haves[id] {
			haves[id] = true
			if err := writePkt(&b, "have %s\n", id); err != nil {
				return err
			}
		}
	}
	if err := writePkt(&b, "done\n"); err != nil {
		return err
	}
	body, err := m.upstream.call(ctx, uploadPack, &b, int64(b.Len()))
	if err != nil {
		return err
	}
	p, err := m.receiveFetched(ctx, body)
	if closeErr := body.Close(); err == nil && closeErr != nil {
		err = errors.Join(closeErr, p.release())
	}
	if err != nil {
		return asUnknown(err, "fetch from the upstream")
	}
	return m.addPack(p)
}

// receiveFetched reads the answer to a fetch and seals its pack in the mirror.
func (m *Mirror) receiveFetched(ctx context.Context, body io.Reader) (*pack, error) {
	pkts := newPktReader(body)
	for {
		kind, line, err := pkts.line()
		if err != nil {
			return nil, noEOF(err)
		}
		if text, ok := strings.CutPrefix(line, "ERR "); ok {
			return nil, fmt.Errorf("the upstream says: %s", sanitize(text))
		}
		if kind != pktData || line != "NAK" && !strings.HasPrefix(line, "ACK ") {
			return nil, errPkt
		}
		// Git acknowledges the first commit that is common, and then the
		// parent of it once more if that was told as well.
		if next, err := pkts.r.Peek(5); err != nil || next[4] != 'A' {
			break
		}
	}
	dir := filepath.Join(m.dir, "objects/pack")
	f, err := os.CreateTemp(dir, ".tmp-fetch-")
	if err != nil {
		return nil, fmt.Errorf("spool pack: %w", err)
	}
	p, err := spoolFetched(ctx, f, &bandReader{p: pkts, say: func(byte, string) {}}, dir)
	if err != nil {
		// the file may have its final name already, or be closed
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return p, nil
}

func spoolFetched(ctx context.Context, f *os.File, r io.Reader, dir string) (*pack, error) {
	size, err := io.Copy(f, r)
	if err != nil {
		return nil, fmt.Errorf("spool pack: %w", err)
	}
	entries, err := scanPack(ctx, io.NewSectionReader(f, 0, size), size, scanLimit{})
	if err != nil {
		return nil, fmt.Errorf("the upstream's pack: %w", err)
	}
	if _, err := resolveDeltas(ctx, f, size, entries, nil); err != nil {
		return nil, fmt.Errorf("the upstream's pack: %w", err)
	}
	return sealPack(f, size, entries, dir, true)
}
