package forge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"leviathan/gateway"
)

const (
	answerBytes = 16 << 20         // the longest answer that is read
	answerTime  = 30 * time.Second // how long one request may take, its answer read
	atOnce      = 4                // requests in flight
	apiVersion  = "2022-11-28"
)

// transport is the one way to GitHub. It sends only what the list allows, to
// the one host alone, adds the credential, follows no redirect, asks
// conditionally, keeps the budget, and turns every refusal into an error that
// says what to do.
type transport struct {
	place      place
	inner      http.RoundTripper
	credential credential
	budget     *GitHubBudget
	cache      *answers
	slots      chan struct{}
	now        func() time.Time
}

// RoundTrip answers with a status of success, or with an error.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	defer func() {
		if req.Body != nil {
			_ = req.Body.Close() // the sent bodies are copies made by GetBody
		}
	}()
	if !t.place.permits(req.Method, req.URL) {
		return nil, gateway.Errorf(gateway.InternalError, "%s %s on %s is not on the list of what may be asked of GitHub", req.Method, req.URL.EscapedPath(), req.URL.Host)
	}
	if err := t.budget.admit(t.now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), answerTime)
	defer cancel()
	for try := 0; ; try++ {
		token, err := t.token(ctx, req)
		if err != nil {
			return nil, err
		}
		resp, err := t.send(ctx, req, token)
		// What was not accepted was not done, so it can be asked again with a
		// new token; a question that found no answer can always be.
		stale := status(err) == http.StatusUnauthorized && t.credential.forget(token)
		lost := req.Method == http.MethodGet && hasCode(err, CodeUnreachable) && ctx.Err() == nil
		if err == nil || try > 0 || !stale && !lost {
			return resp, err
		}
	}
}

func (t *transport) token(ctx context.Context, req *http.Request) (string, error) {
	if t.forApp(req) {
		return t.credential.identify()
	}
	return t.credential.token(ctx)
}

// forApp reports a request that an App makes in its own name.
func (t *transport) forApp(req *http.Request) bool {
	return strings.HasPrefix(strings.TrimPrefix(req.URL.Path, t.place.api.Path), "app/")
}

// send makes one request and reads its whole answer.
func (t *transport) send(ctx context.Context, req *http.Request, token string) (*http.Response, error) {
	allowance, _ := req.Context().Value(shareKey{}).(*share)
	if err := allowance.spend(); err != nil {
		return nil, err
	}
	out, err := t.dress(ctx, req, token)
	if err != nil {
		return nil, err
	}
	key := req.URL.String() + "\n" + req.Header.Get("Accept")
	var old *cached
	if req.Method == http.MethodGet {
		if old = t.cache.get(key); old != nil {
			out.Header.Set("If-None-Match", old.etag)
		}
	}
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return nil, t.unreachable(ctx.Err())
	}
	resp, err := t.inner.RoundTrip(out)
	if err != nil {
		return nil, t.unreachable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes+1))
	switch {
	case err != nil:
		return nil, t.unreachable(err)
	case len(body) > answerBytes:
		return nil, t.unreachable(fmt.Errorf("the answer is longer than %d bytes", answerBytes))
	}
	return t.judge(req, resp, body, token, key, old, allowance)
}

// dress is a copy of the request with what only the transport may add.
func (t *transport) dress(ctx context.Context, req *http.Request, token string) (*http.Request, error) {
	out := req.Clone(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil, errors.New("a request's body can be read only once")
		}
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("reading a request's body: %w", err)
		}
		out.Body = body
	}
	out.Header.Set("Authorization", "Bearer "+token)
	out.Header.Set("User-Agent", "leviathan/"+gateway.Version)
	out.Header.Set("X-GitHub-Api-Version", apiVersion)
	out.Header.Del("If-None-Match")
	return out, nil
}

// judge takes an answer apart.
func (t *transport) judge(req *http.Request, resp *http.Response, body []byte, token, key string, old *cached, allowance *share) (*http.Response, error) {
	said := &answerError{}
	if resp.StatusCode >= 300 {
		said = parseAnswer(resp.StatusCode, body, token)
	}
	limits := resp.Header
	if t.forApp(req) { // an App's own limits are others than its installation's
		limits = http.Header{"Retry-After": resp.Header["Retry-After"]}
	}
	limited, wait := t.budget.learn(resp.StatusCode, limits, said.message, t.now())
	switch {
	case limited:
		return nil, &gateway.Error{Kind: gateway.RateLimited, Code: CodeQuota, RetryAfter: wait, Err: said,
			Detail: fmt.Sprintf("GitHub answers %s: a limit is used up; it is respected for %s", said, wait.Round(time.Second))}
	case resp.StatusCode == http.StatusNotModified && old != nil:
		allowance.refund()
		return answer(req, old.header, old.body), nil
	case resp.StatusCode >= 300:
		return nil, t.refusal(req, resp.Header, said)
	}
	if etag := resp.Header.Get("ETag"); req.Method == http.MethodGet && etag != "" {
		t.cache.put(&cached{key: key, etag: etag, header: resp.Header.Clone(), body: body})
	}
	out := answer(req, resp.Header, body)
	out.StatusCode, out.Status = resp.StatusCode, resp.Status
	return out, nil
}

// limitHeaders are the transport's alone: go-github would keep a budget of its
// own by them, with a clock of its own.
var limitHeaders = []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Used", "X-Ratelimit-Resource", "Retry-After", "Content-Length", "Content-Encoding", "Transfer-Encoding"}

func answer(req *http.Request, h http.Header, body []byte) *http.Response {
	h = h.Clone()
	for name := range h {
		if slices.Contains(limitHeaders, http.CanonicalHeaderKey(name)) {
			delete(h, name)
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req}
}
