package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ClientOptions adjust a Client. The zero value is what a component wants.
type ClientOptions struct {
	// HTTPClient carries the requests; nil means one with the default
	// transport. The client copies it and never follows a redirect: a token
	// goes to the host it was meant for and to no other.
	HTTPClient *http.Client
	// MaxTries bounds how often one call is sent, the first time included;
	// 0 means 4, 1 means no retries.
	MaxTries int
	// MinBackoff and MaxBackoff bound the pause between tries, which doubles
	// and has full jitter; 0 means 200 ms and 5 s. An answer's Retry-After
	// counts instead when it is longer, up to 30 s: what asks for more is
	// returned to the caller.
	MinBackoff, MaxBackoff time.Duration
	// Timeout bounds one try of an ordinary call; 0 means 30 s. Calls that
	// wait for the forge or the mirror have at least 2 minutes, streams only
	// their context.
	Timeout time.Duration
	// UserAgent is what the gateway's log shows; empty means leviathan/VERSION.
	UserAgent string
}

// A Client asks the gateway. It decides nothing, holds no state but its
// address and token, and is safe for concurrent use.
//
// Every error is an *Error: the one that the gateway sent, or one of kind
// Unknown that wraps the cause when the gateway could not be asked. Calls that
// change nothing when repeated are tried again after a failed transport; all
// calls are tried again on 429 and 503, which say that nothing happened. The
// token is in no error and in no URL.
type Client struct {
	base    *url.URL
	token   string
	http    *http.Client
	options ClientOptions
}

// NewClient makes a client for the gateway at baseURL (http or https, with an
// optional path prefix). An empty token can ask only what is open to all.
// Nothing is sent.
func NewClient(baseURL, token string, options ClientOptions) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, Errorf(Invalid, "the gateway's URL does not parse")
	}
	switch {
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, Errorf(Invalid, "the gateway's URL must begin with http:// or https:// and name a host")
	case base.User != nil, base.RawQuery != "", base.Fragment != "":
		return nil, Errorf(Invalid, "the gateway's URL must have no user, query or fragment")
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return nil, Errorf(Unauthenticated, "the token has a character that no token has (a line break at the end of its file?)")
		}
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = strings.TrimRight(base.RawPath, "/")
	return &Client{base: base, token: token, http: newHTTPClient(options.HTTPClient), options: options.withDefaults()}, nil
}

func newHTTPClient(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

func (o ClientOptions) withDefaults() ClientOptions {
	if o.MaxTries <= 0 {
		o.MaxTries = 4
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = 200 * time.Millisecond
	}
	if o.MaxBackoff < o.MinBackoff {
		o.MaxBackoff = max(5*time.Second, o.MinBackoff)
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "leviathan/" + Version
	}
	return o
}

// URL is the gateway's address, without a slash at its end.
func (c *Client) URL() string { return c.base.String() }

// Resolve makes the full URL of a path that the gateway named, such as a
// reservation's clone_url. A value that is not a plain absolute path is
// refused: the gateway never names another host.
func (c *Client) Resolve(path string) (string, error) {
	ref, err := url.Parse(path)
	if err != nil || ref.Scheme != "" || ref.Host != "" || ref.User != nil || ref.RawQuery != "" ||
		ref.Fragment != "" || !strings.HasPrefix(ref.Path, "/") {
		return "", Errorf(Invalid, "the gateway named %q, which is not a path", path)
	}
	return c.base.String() + ref.EscapedPath(), nil
}

// Health asks whether the gateway's process answers.
func (c *Client) Health(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: []string{"health"}, idempotent: true, tries: 1}, nil)
}

// Ready asks whether the gateway can serve; the error says what is not ready.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: []string{"health", "ready"}, idempotent: true, tries: 1}, nil)
}

// Alive asks what Health asks, of the route that probes of clusters use.
func (c *Client) Alive(ctx context.Context) error {
	return c.do(ctx, call{method: http.MethodGet, path: []string{"healthz"}, idempotent: true, tries: 1}, nil)
}

// Metrics is the gateway's metrics as Prometheus reads them.
func (c *Client) Metrics(ctx context.Context) (string, error) {
	var out string
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"metrics"}, accept: "text/plain", idempotent: true}, &out)
	return out, err
}

// unreachable wraps the failure of a transport. The URL in it is our own,
// which holds no secret.
func unreachable(err error) *Error {
	cause := err
	var u *url.Error
	if errors.As(err, &u) {
		cause = u.Err
	}
	return &Error{Kind: Unknown, Detail: "the gateway cannot be reached: " + cause.Error(), Err: cause}
}
