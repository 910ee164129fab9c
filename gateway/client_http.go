package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswer bounds a JSON answer; maxProblem the body of a refusal.
	maxAnswer  = 64 << 20
	maxProblem = 1 << 20
	// maxWait is the longest Retry-After that a call sits out by itself.
	maxWait = 30 * time.Second
	// longTimeout is for calls that wait for the forge or the mirror.
	longTimeout = 2 * time.Minute
	// endlessTimeout is for calls that read or decide the whole journal.
	endlessTimeout = 16 * time.Minute
)

// A call is one row of the client's side of the wire.
type call struct {
	method string
	path   []string // segments, escaped when they are joined
	query  url.Values
	body   any    // sent as JSON, if not nil
	raw    []byte // sent as it is, if not nil
	accept string // default application/json
	// idempotent calls are tried again when it is not known whether the
	// gateway saw them.
	idempotent bool
	long       bool
	endless    bool
	tries      int // 0: the client's
}

// do sends the call and decodes a successful answer into out, unless out is
// nil.
func (c *Client) do(ctx context.Context, k call, out any) error {
	return c.retry(ctx, k, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, c.timeout(k))
		defer cancel()
		resp, err := c.send(ctx, k)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		data, err := readAtMost(resp.Body, maxAnswer)
		if err != nil {
			return err
		}
		if out == nil {
			return nil
		}
		if text, ok := out.(*string); ok {
			*text = string(data)
			return nil
		}
		if err := json.Unmarshal(data, out); err != nil {
			return &Error{Kind: InternalError, Detail: "the gateway's answer is not what this release knows: " + err.Error(), Err: err}
		}
		return nil
	})
}

// stream sends the call and hands out the body of a successful answer, which
// the caller closes.
func (c *Client) stream(ctx context.Context, k call) (io.ReadCloser, error) {
	var body io.ReadCloser
	err := c.retry(ctx, k, func(ctx context.Context) error {
		resp, err := c.send(ctx, k)
		if err != nil {
			return err
		}
		body = resp.Body
		return nil
	})
	return body, err
}

func (c *Client) timeout(k call) time.Duration {
	switch {
	case k.endless:
		return max(endlessTimeout, c.options.Timeout)
	case k.long:
		return max(longTimeout, c.options.Timeout)
	}
	return c.options.Timeout
}

// retry runs try until it succeeds, fails for good, or the tries or the
// context are used up.
func (c *Client) retry(ctx context.Context, k call, try func(context.Context) error) error {
	tries := k.tries
	if tries == 0 {
		tries = c.options.MaxTries
	}
	for n := 1; ; n++ {
		err := try(ctx)
		if err == nil || n >= tries || !retriable(err, k.idempotent) || ctx.Err() != nil {
			return plain(err)
		}
		wait, ok := c.pause(n, err)
		if !ok || !sleep(ctx, wait) {
			return plain(err)
		}
	}
}

// refusal marks an error that the gateway itself sent, as opposed to a
// transport that failed half-way.
type refusal struct{ sent *Error }

func (r refusal) Error() string { return r.sent.Error() }
func (r refusal) Unwrap() error { return r.sent }

// plain takes the mark off again: callers see an *Error.
func plain(err error) error {
	var r refusal
	if errors.As(err, &r) {
		return r.sent
	}
	return err
}

// retriable reports whether the same call may be sent again. 429 and 503 say
// that nothing happened; a broken transport says nothing.
func retriable(err error, idempotent bool) bool {
	var r refusal
	if errors.As(err, &r) {
		return r.sent.Kind == RateLimited || r.sent.Kind == Unknown
	}
	return idempotent && KindOf(err) == Unknown
}

// pause is how long to wait after try n failed; false when the gateway asks
// for more than a call waits by itself.
func (c *Client) pause(n int, err error) (time.Duration, bool) {
	ceiling := min(c.options.MaxBackoff, c.options.MinBackoff<<min(n-1, 16))
	wait := time.Duration(rand.Int64N(int64(ceiling) + 1))
	var e *Error
	if errors.As(err, &e) && e.RetryAfter > wait {
		wait = e.RetryAfter
	}
	return wait, wait <= maxWait
}

// sleep waits; false when the context ends first or is sure to.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// send does one round trip. The answer it returns has a status below 300.
func (c *Client) send(ctx context.Context, k call) (*http.Response, error) {
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 {
		return nil, refusal{Errorf(InternalError, "the gateway answered with a redirect (%d), which is not followed", resp.StatusCode)}
	}
	data, err := readAtMost(resp.Body, maxProblem)
	if err != nil {
		data = nil // the status alone still says what happened
	}
	e := problemOf(resp.StatusCode, resp.Header.Get("Content-Type"), data)
	if e.RetryAfter == 0 {
		e.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	}
	return nil, refusal{e}
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	var body io.Reader
	contentType := ""
	switch {
	case k.raw != nil:
		body, contentType = bytes.NewReader(k.raw), "application/octet-stream"
	case k.body != nil:
		data, err := json.Marshal(k.body)
		if err != nil {
			return nil, &Error{Kind: Invalid, Detail: "the request cannot be encoded: " + err.Error(), Err: err}
		}
		body, contentType = bytes.NewReader(data), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.target(k), body)
	if err != nil {
		return nil, &Error{Kind: Invalid, Detail: "the request cannot be made: " + err.Error(), Err: err}
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	accept := k.accept
	if accept == "" {
		accept = "application/json"
	}
	req.Header.Set("Accept", accept+", "+ProblemMediaType)
	req.Header.Set("User-Agent", c.options.UserAgent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

// target joins the base and the escaped segments, so that an id with a slash
// or dots in it stays one segment.
func (c *Client) target(k call) string {
	var b strings.Builder
	b.WriteString(c.base.String())
	for _, segment := range k.path {
		b.WriteByte('/')
		if escaped := url.PathEscape(segment); strings.Trim(escaped, ".") == "" {
			b.WriteString(strings.ReplaceAll(escaped, ".", "%2E"))
		} else {
			b.WriteString(escaped)
		}
	}
	if len(k.query) > 0 {
		b.WriteByte('?')
		b.WriteString(k.query.Encode())
	}
	return b.String()
}

// retryAfter reads the header in both of its forms (RFC 9110, 10.2.3).
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 1<<30)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, unreachable(err)
	}
	if int64(len(data)) > limit {
		return nil, Errorf(TooLarge, "the gateway's answer is larger than %d bytes", limit)
	}
	return data, nil
}

// query builds URL parameters from pairs, leaving out empty values.
func query(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}
