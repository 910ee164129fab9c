package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/gateway"
)

const (
	// trustFor is how long a positive answer is kept, at most: a deleted account
	// is good for no longer.
	trustFor = time.Minute
	// doubtFor is how long a negative answer is kept.
	doubtFor = 10 * time.Second
	// maxAnswers bounds the answers that are kept.
	maxAnswers = 1024
	// maxToken is the greatest token in bytes that is looked at.
	maxToken = 16 << 10
	// reviewTimeout bounds one question to the API.
	reviewTimeout = 5 * time.Second
	// reviewsPerSecond and reviewBurst bound the questions, so that strangers
	// cannot use the gateway to keep the API busy.
	reviewsPerSecond, reviewBurst = 20, 40
)

// A Reviewer knows whose a projected service-account token is, by asking the
// API. It is safe for concurrent use.
type Reviewer struct {
	api      *API
	audience string
	accounts map[string]Account // by ID
	now      func() time.Time
	limit    *rate.Limiter

	mu      sync.Mutex
	answers map[[sha256.Size]byte]answer
}

// An answer is what the API said of a token: the account's ID, or "" for none
// that has a role here.
type answer struct {
	id    string
	until time.Time
}

// ReviewerConfig says whose tokens are good, and for what audience.
type ReviewerConfig struct {
	// Audience is for whom a token must be made: one that was made for the API
	// server, or for another service, is not good here.
	Audience string
	Accounts []Account
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Reviewer makes a reviewer. An account may be named once, and there must be
// one. It asks the server nothing.
func (a *API) Reviewer(cfg ReviewerConfig) (*Reviewer, error) {
	if cfg.Audience == "" {
		return nil, errors.New("checking service accounts needs an audience")
	}
	if len(cfg.Accounts) == 0 {
		return nil, errors.New("checking service accounts needs an account")
	}
	r := &Reviewer{api: a, audience: cfg.Audience, accounts: map[string]Account{}, now: cfg.Now, limit: rate.NewLimiter(reviewsPerSecond, reviewBurst),
		answers: map[[sha256.Size]byte]answer{}}
	if r.now == nil {
		r.now = time.Now
	}
	for _, account := range cfg.Accounts {
		if _, twice := r.accounts[account.ID()]; twice {
			return nil, fmt.Errorf("the service account %s/%s is named twice; an account has one role", account.Namespace, account.Name)
		}
		r.accounts[account.ID()] = account
	}
	return r, nil
}

// Review finds the account of a token, and what it is good for. The error is
// gateway.Unauthenticated for a token that is not good here, and
// gateway.Unknown when the API did not say: then nobody is let in. A positive
// answer is good for a minute at most, and never longer than the token; a
// negative one for ten seconds. No error has the token in it.
func (r *Reviewer) Review(ctx context.Context, token string) (id string, role gateway.Role, target gateway.TargetID, err error) {
	expires, ok := r.plausible(token)
	if !ok {
		return "", "", "", notGood()
	}
	key := sha256.Sum256([]byte(token))
	found, kept := r.kept(key)
	if !kept {
		if found.id, err = r.ask(ctx, token); err != nil {
			return "", "", "", err
		}
		r.keep(key, found.id, expires)
	}
	account, ok := r.accounts[found.id]
	if !ok {
		return "", "", "", notGood()
	}
	return account.ID(), account.Role, account.Target, nil
}

func notGood() error {
	return gateway.Errorf(gateway.Unauthenticated, "the token is not valid here: no service account with a role has it, for this audience and now")
}

// plausible reads what a token says of itself, which proves nothing: only one
// that claims to be of a known account, for this audience and not over is worth
// a question.
func (r *Reviewer) plausible(token string) (expires time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return expires, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return expires, false
	}
	var claims struct {
		Subject  string   `json:"sub"`
		Audience []string `json:"aud"` // a service account's are always a list
		Expires  int64    `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil || !slices.Contains(claims.Audience, r.audience) {
		return expires, false
	}
	_, known := r.accounts[claims.Subject]
	expires = time.Unix(claims.Expires, 0)
	return expires, known && expires.After(r.now())
}

// kept is the answer that is kept for a token, if it is still good.
func (r *Reviewer) kept(key [sha256.Size]byte) (answer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.answers[key]
	return found, ok && r.now().Before(found.until)
}

// keep remembers an answer. When there are too many, those that are over go,
// and if that does not help, all do.
func (r *Reviewer) keep(key [sha256.Size]byte, id string, expires time.Time) {
	now := r.now()
	until := now.Add(doubtFor)
	if id != "" {
		if until = now.Add(trustFor); expires.Before(until) {
			until = expires
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) >= maxAnswers {
		for k, a := range r.answers {
			if !now.Before(a.until) {
				delete(r.answers, k)
			}
		}
		if len(r.answers) >= maxAnswers {
			clear(r.answers)
		}
	}
	r.answers[key] = answer{id: id, until: until}
}

// ask asks the API whose the token is. It is "" for a token that is nobody's,
// not for this audience, or of an account without a role.
func (r *Reviewer) ask(ctx context.Context, token string) (string, error) {
	if !r.limit.AllowN(r.now(), 1) {
		return "", &gateway.Error{Kind: gateway.Unknown, RetryAfter: time.Second, Detail: "too many tokens are being checked; ask again"}
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	review := &authentication.TokenReview{Spec: authentication.TokenReviewSpec{Token: token, Audiences: []string{r.audience}}}
	got, err := r.api.client.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		// The text of an answer is the API's; that it repeats a token is not ruled out.
		r.api.log.Warn("checking a service account's token", "error", strings.ReplaceAll(briefly(err).Error(), token, "[token]"))
		return "", &gateway.Error{Kind: gateway.Unknown, RetryAfter: time.Second, Detail: "whose the token is cannot be known: the Kubernetes API did not say"}
	}
	// An API that knows no audiences does not answer with any.
	if s := got.Status; s.Authenticated && slices.Contains(s.Audiences, r.audience) {
		if _, known := r.accounts[s.User.Username]; known {
			return s.User.Username, nil
		}
	}
	return "", nil
}
