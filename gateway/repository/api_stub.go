package repository

import (
	"context"
	"errors"
	"io"
	"net/http"

	"leviathan/gateway"
)

var errStub = errors.New("not yet")

// ErrProbe is what Receive returns for git's four-byte probe (or an empty
// body): answer 200 with an empty body.
var ErrProbe = errors.New("receive-pack: probe request")

// Upstream says where the target's repository is and how to speak to it.
type Upstream struct {
	URL        string
	Credential func(ctx context.Context) (string, error)
	Client     *http.Client
	GitBinary  string
}

// Mirror is the bare mirror of one target.
type Mirror struct{}

// Push is a quarantined push.
type Push struct{}

// ProblemCodes lists every code that Problems may hold.
func ProblemCodes() []string { return nil }

// Body undoes the Content-Encoding of a request ("" or gzip).
func Body(r io.Reader, encoding string, limit int64) (io.Reader, error) { return nil, errStub }

// Open opens the mirror.
func Open(ctx context.Context, dir string, up Upstream) (*Mirror, error) { return nil, errStub }

// Fetch …
func (m *Mirror) Fetch(ctx context.Context, branch string) (Refs, error) { return nil, errStub }

// Head …
func (m *Mirror) Head(branch string) (gateway.OID, error) { return "", errStub }

// ReadFile …
func (m *Mirror) ReadFile(ctx context.Context, commit gateway.OID, path string, max int64) ([]byte, error) {
	return nil, errStub
}

// Pin …
func (m *Mirror) Pin(id string, commit gateway.OID) error { return errStub }

// Unpin …
func (m *Mirror) Unpin(id string) error { return errStub }

// UpstreamRef …
func (m *Mirror) UpstreamRef(ctx context.Context, ref string) (gateway.OID, error) { return "", errStub }

// AdvertiseRefs …
func (m *Mirror) AdvertiseRefs(w io.Writer, service string, v View) error { return errStub }

// UploadPack …
func (m *Mirror) UploadPack(ctx context.Context, w io.Writer, r io.Reader, v View) (Served, error) {
	return Served{}, errStub
}

// Receive …  On error the Push, if not nil, still serves Report and Discard.
func (m *Mirror) Receive(ctx context.Context, r io.Reader, lim Limits) (*Push, error) { return nil, errStub }

// Bundle …
func (m *Mirror) Bundle(ctx context.Context, id string, w io.Writer) error { return errStub }

// Evict removes refused pushes over quota or age and returns their ids.
func (m *Mirror) Evict(lim Limits) ([]string, error) { return nil, errStub }

// Close …
func (m *Mirror) Close() error { return nil }

// Ref …
func (p *Push) Ref() string { return "" }

// Old …
func (p *Push) Old() gateway.OID { return "" }

// New …
func (p *Push) New() gateway.OID { return "" }

// Commit …
func (p *Push) Commit() Commit { return Commit{} }

// PackDigest is "sha256:" and the digest of the pack as it arrived.
func (p *Push) PackDigest() string { return "" }

// PackBytes is the size of the pack as it arrived.
func (p *Push) PackBytes() int64 { return 0 }

// Changes …
func (p *Push) Changes(ctx context.Context, base gateway.OID) ([]gateway.Change, error) {
	return nil, errStub
}

// Problems …
func (p *Push) Problems() []gateway.Reason { return nil }

// Keep …
func (p *Push) Keep(id string) (evicted []string, err error) { return nil, errStub }

// Forward …
func (p *Push) Forward(ctx context.Context) error { return errStub }

// Discard …
func (p *Push) Discard() error { return errStub }

// Report …
func (p *Push) Report(w io.Writer, ok bool, code string, lines []string) error { return errStub }
