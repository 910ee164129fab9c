package forge

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
)

// A GitHubBudget is what GitHub lets one credential ask, as its answers say:
// the primary limit by the hour, and the secondary ones, of which only a
// refusal tells. All forges of a process that share a credential share one
// budget. The zero value is ready, and knows nothing yet. It is safe for
// concurrent use.
type GitHubBudget struct {
	mu        sync.Mutex
	known     bool
	limit     int
	remaining int
	reset     time.Time
	quiet     time.Time // of a secondary limit: nothing is asked before
}

// pause is how long a secondary limit is respected that does not say.
const pause = time.Minute

// Remaining is how many requests are left until GitHub's clock starts anew,
// and out of how many. It is false while no answer has told, as of a server
// that does not limit.
func (b *GitHubBudget) Remaining() (left, limit int, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.remaining, b.limit, b.known
}

// admit fails while a limit is known to be used up.
func (b *GitHubBudget) admit(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	until, which := time.Time{}, ""
	if b.known && b.remaining <= 0 && now.Before(b.reset) {
		until, which = b.reset, "the limit of "+strconv.Itoa(b.limit)+" requests an hour is used up"
	}
	if now.Before(b.quiet) && b.quiet.After(until) {
		until, which = b.quiet, "a secondary limit asks for quiet"
	}
	if which == "" {
		return nil
	}
	return &gateway.Error{Kind: gateway.RateLimited, Code: CodeQuota, RetryAfter: until.Sub(now),
		Detail: "GitHub: " + which + " until " + gateway.At(until).String() + "; nothing was asked"}
}

// learn takes what an answer says about the limits, and whether it refuses
// because of one.
func (b *GitHubBudget) learn(status int, h http.Header, message string, now time.Time) (limited bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	core := h.Get("X-RateLimit-Resource")
	left, err := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	if err == nil && (core == "" || core == "core") {
		reset, _ := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
		limit, _ := strconv.Atoi(h.Get("X-RateLimit-Limit"))
		at := time.Unix(reset, 0)
		// Answers come out of order: within one hour what is left only sinks.
		if !b.known || at.After(b.reset) || at.Equal(b.reset) && left < b.remaining {
			b.known, b.limit, b.remaining, b.reset = true, limit, left, at
		}
	}
	if status != http.StatusForbidden && status != http.StatusTooManyRequests {
		return false, 0
	}
	if after, ok := retryAfter(h, now); ok {
		b.quiet = later(b.quiet, now.Add(after))
		return true, after
	}
	if err == nil && left == 0 {
		reset, _ := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
		return true, max(0, time.Unix(reset, 0).Sub(now))
	}
	if status == http.StatusTooManyRequests || strings.Contains(strings.ToLower(message), "rate limit") || strings.Contains(strings.ToLower(message), "abuse detection") {
		b.quiet = later(b.quiet, now.Add(pause))
		return true, pause
	}
	return false, 0
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// retryAfter reads the header in both of its forms.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	s := h.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return min(time.Duration(n)*time.Second, 24*time.Hour), true
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// A share is what one observation may still spend. It travels in the context.
type share struct {
	mu   sync.Mutex
	of   int
	left int
}

type shareKey struct{}

// assumed is the budget until an answer tells: that of a personal token.
const assumed = 5000

// share is a part, in percent, of what is left now; at least one request.
func (b *GitHubBudget) share(percent int, now time.Time) *share {
	b.mu.Lock()
	left := b.remaining
	switch {
	case !b.known:
		left = assumed
	case !now.Before(b.reset): // a new hour has begun
		left = b.limit
	}
	b.mu.Unlock()
	n := max(1, left*cmp.Or(percent, defaultShare)/100)
	return &share{of: n, left: n}
}

func (s *share) spend() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left <= 0 {
		return &gateway.Error{Kind: gateway.RateLimited, Code: CodeQuota, RetryAfter: pause,
			Detail: "GitHub: one observation may spend " + strconv.Itoa(s.of) + " requests of what is left, and needs more; lower the number of open pull requests, or raise the share"}
	}
	s.left--
	return nil
}

// refund gives a request back that GitHub does not count.
func (s *share) refund() {
	if s != nil {
		s.mu.Lock()
		s.left++
		s.mu.Unlock()
	}
}
