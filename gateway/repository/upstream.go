package repository

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"leviathan/gateway"
)

// Upstream says where the target's repository is and how to speak to it.
type Upstream struct {
	// URL is https, http to a loopback host, or the absolute path of a
	// bare repository on this machine. User info, query and fragment are
	// errors.
	URL string
	// Credential gives the token for an https upstream, asked for anew at
	// each request and sent as basic auth of the user x-access-token; nil
	// or "" for none. It never gets into a URL, an argument, a log or an
	// error.
	Credential func(ctx context.Context) (string, error)
	// Client sends the requests of an https upstream; nil is a plain one.
	// Redirects to another scheme or host are refused whatever it says.
	Client *http.Client
	// GitBinary is the path of git, for path upstreams; "" looks in PATH.
	GitBinary string
}

// A transport carries git's stateless-rpc form of a service: one exchange
// that lists the refs, then one request and its answer.
type transport interface {
	// advertise opens the list of refs of git-upload-pack.
	advertise(ctx context.Context) (io.ReadCloser, error)
	// call sends a body of exactly size bytes and opens the answer.
	call(ctx context.Context, service string, body io.Reader, size int64) (io.ReadCloser, error)
	// pulls reports whether refs/pull/*/head belongs into the mirror.
	pulls() bool
}

// The codes of what an https upstream refuses, each with another remedy: those
// that gateway/forge has for the API of the same host.
const (
	codeCredential = "forge.credential"  // 401
	codePermission = "forge.permission"  // 403
	codeRepository = "forge.repository"  // 404, 410
	codeQuota      = "forge.quota"       // 429
	codeNoAnswer   = "forge.unreachable" // no answer, or 5xx
)

// refusal is the error of an answer that is no git. Except for 403, what
// cannot be had is unknown, not refused: it says nothing about who asked.
func refusal(status int, text string) error {
	e := gateway.Errorf(gateway.Unknown, "the upstream answers %d: %s", status, text)
	switch {
	case status == http.StatusUnauthorized:
		e.Code, e.Detail = codeCredential, e.Detail+": it does not take the gateway's credential; replace it"
	case status == http.StatusForbidden:
		e.Kind, e.Code, e.Detail = gateway.Forbidden, codePermission, e.Detail+": the gateway's credential may not do that; give it contents: write for this repository"
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Code, e.Detail = codeRepository, e.Detail+": there is no such repository, or the gateway's credential does not cover it"
	case status == http.StatusTooManyRequests:
		e.Code = codeQuota
	case status >= 500:
		e.Code = codeNoAnswer
	}
	return e
}

// gitUser is the user's name of basic auth.
const gitUser = "x-access-token"

// withoutToken strikes the token out of somebody else's text, in each form in
// which it was sent. The text may have been cut in the middle of one.
func withoutToken(text, token string) string {
	if token == "" {
		return text
	}
	for _, form := range []string{base64.StdEncoding.EncodeToString([]byte(gitUser + ":" + token)), token} {
		text = strings.ReplaceAll(text, form, "(token)")
		for n := len(form) - 1; n >= 8; n-- {
			if strings.HasSuffix(text, form[:n]) {
				text = text[:len(text)-n] + "(token)"
			}
		}
	}
	return text
}

// caused is an error that has the code of its cause, if that has one.
func caused(code, doing string, err error) error {
	e := gateway.Errorf(gateway.Unknown, "%s: %v", doing, err)
	var known *gateway.Error
	if e.Code = code; errors.As(err, &known) && known.Code != "" {
		e.Code, e.RetryAfter = known.Code, known.RetryAfter
	}
	return e
}

const (
	uploadPack  = "git-upload-pack"
	receivePack = "git-receive-pack"
)

func newTransport(up Upstream, dir string) (transport, error) {
	if strings.HasPrefix(up.URL, "/") {
		return newPathTransport(up, dir)
	}
	u, err := url.Parse(up.URL)
	if err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "the upstream's URL cannot be parsed")
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, gateway.Errorf(gateway.Invalid, "the upstream's URL has user info, a query or a fragment; credentials are given apart")
	case u.Scheme == "ssh" || u.Scheme == "" || u.Scheme == "git":
		return nil, gateway.Errorf(gateway.Invalid, "the upstream is neither an https URL nor an absolute path; write it as https://HOST/PATH")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, gateway.Errorf(gateway.Invalid, "the upstream uses http to %s; only https may leave this machine", u.Hostname())
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, gateway.Errorf(gateway.Invalid, "the upstream's scheme %q is not supported", u.Scheme)
	}
	client := &http.Client{}
	if up.Client != nil {
		*client = *up.Client
	}
	client.CheckRedirect = sameHostOnly
	return &httpTransport{base: strings.TrimSuffix(u.String(), "/"), client: client, credential: up.Credential}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func sameHostOnly(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return fmt.Errorf("too many redirects")
	}
	if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return fmt.Errorf("redirect to another host is not followed")
	}
	return nil
}

// httpTransport speaks smart HTTP.
type httpTransport struct {
	base       string
	client     *http.Client
	credential func(ctx context.Context) (string, error)
}

func (t *httpTransport) pulls() bool { return false }

func (t *httpTransport) advertise(ctx context.Context) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.base+"/info/refs?service="+uploadPack, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the upstream for its refs: %w", err)
	}
	return t.do(req, "application/x-"+uploadPack+"-advertisement")
}

func (t *httpTransport) call(ctx context.Context, service string, body io.Reader, size int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.base+"/"+service, io.NopCloser(body))
	if err != nil {
		return nil, fmt.Errorf("call the upstream: %w", err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/x-"+service+"-request")
	return t.do(req, "application/x-"+service+"-result")
}

func (t *httpTransport) do(req *http.Request, accept string) (io.ReadCloser, error) {
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "git/"+agentName)
	token := ""
	if t.credential != nil {
		var err error
		if token, err = t.credential(req.Context()); err != nil {
			return nil, caused(codeCredential, "the upstream's credential cannot be had", err)
		}
		if token != "" {
			req.SetBasicAuth(gitUser, token)
		}
	}
	res, err := t.client.Do(req)
	if err != nil {
		return nil, caused(codeNoAnswer, "the upstream cannot be reached", err)
	}
	if res.StatusCode == http.StatusOK && strings.HasPrefix(res.Header.Get("Content-Type"), accept) {
		return res.Body, nil
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 400))
	if err != nil {
		text = nil
	}
	res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil, gateway.Errorf(gateway.Unknown, "the upstream does not speak git smart HTTP (content type %q)", sanitize(res.Header.Get("Content-Type")))
	}
	return nil, refusal(res.StatusCode, sanitize(withoutToken(string(text), token)))
}

// cleanPath is the absolute path of a path upstream.
func cleanPath(p string) (string, error) {
	if strings.ContainsAny(p, "\x00\n\r\"\\") {
		return "", gateway.Errorf(gateway.Invalid, "the upstream's path has characters that are not supported")
	}
	return filepath.Clean(p), nil
}
