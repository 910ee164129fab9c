package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// requestTimeout bounds one request, from the dial to the last byte.
	requestTimeout = 30 * time.Second
	// longestRetryAfter bounds how long a source may ask to be left alone.
	longestRetryAfter = time.Hour
	maxRedirects      = 5
)

// An httpOrigin is a tar.gz behind a URL.
type httpOrigin struct {
	url       string
	shown     string
	tokenFile string
	opts      Options
	client    *http.Client

	etag string // of what was fetched last
}

func newHTTPOrigin(name string, opts PolicySourceOptions) (*httpOrigin, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, errors.New("policies from a URL: it cannot be parsed") // the parser's error repeats it, with its password
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("policies from %s: a URL must not carry a credential; put a bearer token into a file", redacted(name))
	case u.Hostname() == "":
		return nil, fmt.Errorf("policies from %s: the URL has no host", redacted(name))
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("policies from %s: use https; plain http is for this machine alone", redacted(name))
	}
	return &httpOrigin{url: name, shown: redacted(name), tokenFile: opts.TokenFile, opts: opts.Options, client: &http.Client{
		Transport: opts.Transport, Timeout: requestTimeout, CheckRedirect: sameHost,
	}}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// sameHost keeps a redirect where the operator sent the request: who answers
// for another host was not asked, and the token is not for it.
func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	if r.URL.Scheme != first.Scheme || r.URL.Host != first.Host {
		return fmt.Errorf("it redirects to %s://%s, which is another place", r.URL.Scheme, r.URL.Host)
	}
	if len(via) >= maxRedirects {
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	return nil
}

// fetch asks for the bundle, unless it is still the one fetched last.
func (h *httpOrigin) fetch(ctx context.Context) (_ fetched, err error) {
	response, err := h.get(ctx)
	if err != nil {
		return fetched{}, h.problem(err)
	}
	defer func() {
		// What is left of a body that is not wanted costs the connection.
		if closed := response.Body.Close(); closed != nil && err == nil {
			err = h.problem(closed)
		}
	}()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		if h.etag == "" {
			return fetched{}, h.problem(errors.New("it answered 304 to a question without a condition"))
		}
		return fetched{unchanged: true}, nil
	default:
		failure := h.problem(fmt.Errorf("it answered %s", response.Status))
		failure.RetryAfter = retryAfter(response)
		return fetched{}, failure
	}
	data, err := readAtMost(response.Body, h.opts)
	var refused *LoadError
	if errors.As(err, &refused) {
		h.etag = response.Header.Get("ETag")
		return fetched{id: err.Error()}, err
	}
	if err != nil {
		return fetched{}, h.problem(err)
	}
	h.etag = response.Header.Get("ETag")
	return unpacked(ctx, data, h.opts)
}

func (h *httpOrigin) get(ctx context.Context) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/gzip, application/octet-stream")
	// The archive is compressed itself. Without this, Go would unpack what a
	// server took for a transport's compression.
	r.Header.Set("Accept-Encoding", "identity")
	if h.etag != "" {
		r.Header.Set("If-None-Match", h.etag)
	}
	if h.tokenFile != "" {
		token, err := bearer(h.tokenFile)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return h.client.Do(r)
}

func bearer(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	const longest = 16 << 10
	data, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || len(data) > longest || strings.ContainsAny(token, "\r\n \t") {
		return "", fmt.Errorf("read the token: %s does not hold one token", name)
	}
	return token, nil
}

// problem is why the source cannot be read, without the URL, which an
// *url.Error repeats.
func (h *httpOrigin) problem(err error) *SourceError {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &SourceError{Source: h.shown, err: err}
}

// retryAfter is what the header of that name asks for, in seconds or as a
// date; dates count from the answer's own.
func retryAfter(response *http.Response) time.Duration {
	text := response.Header.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(text); err == nil {
		if from, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			wait = until.Sub(from)
		}
	}
	return min(max(wait, 0), longestRetryAfter)
}
