package server

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"leviathan/gateway"
)

// A principal is who asks, as the credential says it and never the body.
type principal struct {
	role    gateway.Role
	id      string            // token id; the attempt's id for an attempt
	target  gateway.TargetID  // "" if not bound to one
	attempt gateway.AttemptID // "" if not an attempt
}

// self is the gateway as a subject: its ticker and its git door.
var self = principal{role: gateway.RoleGateway, id: "gateway"}

// credential takes the token of a request: bearer, or the password of basic
// authentication, which is how git sends it.
func credential(r *http.Request) string {
	header := r.Header.Get("Authorization")
	if scheme, token, ok := strings.Cut(header, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	return ""
}

// authenticate finds who holds the request's token. Failures are counted and
// never journalled: a stranger cannot fill the disk.
func (s *Server) authenticate(r *http.Request) (principal, error) {
	token := credential(r)
	p, err := s.identify(r, token)
	if err != nil {
		s.metrics.authFailures.Inc()
	}
	return p, err
}

func (s *Server) identify(r *http.Request, token string) (principal, error) {
	if token == "" {
		return principal{}, gateway.Errorf(gateway.Unauthenticated,
			"no token: send Authorization: Bearer TOKEN (the operator's is in LEVIATHAN_CONTROL_PLANE_TOKEN or the state folder's operator.token)")
	}
	hash := hashSecret(token)
	if subtle.ConstantTimeCompare([]byte(hash), []byte(s.operatorHash)) == 1 {
		return principal{role: gateway.RoleOperator, id: "operator"}, nil
	}
	if strings.HasPrefix(token, "lev_") {
		return s.identifyComponent(r, hash)
	}
	claims, err := s.keys.verify(token)
	if err != nil && s.reviewer != nil {
		return s.identifyAccount(r.Context(), token)
	}
	if err != nil {
		return principal{}, gateway.Errorf(gateway.Unauthenticated, "the token is not valid here: unknown, expired or of another gateway")
	}
	return principal{role: gateway.RoleAttempt, id: string(claims.Attempt), target: claims.Target, attempt: claims.Attempt}, nil
}

func (s *Server) identifyComponent(r *http.Request, hash string) (principal, error) {
	token, ok, err := s.journal.TokenByHash(r.Context(), hash)
	switch {
	case err != nil:
		return principal{}, gateway.Errorf(gateway.Unknown, "tokens cannot be read: %v", err)
	case !ok:
		return principal{}, gateway.Errorf(gateway.Unauthenticated, "the token is not known here")
	case !token.RevokedAt.IsZero():
		return principal{}, gateway.Errorf(gateway.Unauthenticated, "token %s was revoked at %s", token.ID, token.RevokedAt)
	case !token.ExpiresAt.After(s.now()):
		return principal{}, gateway.Errorf(gateway.Unauthenticated, "token %s expired at %s", token.ID, token.ExpiresAt)
	}
	return principal{role: token.Role, id: token.ID, target: token.Target}, nil
}

// limiters bounds how often one token may ask for evaluations.
type limiters struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

// perSecond is the number of evaluations a second of each limited role.
var perSecond = map[gateway.Role]float64{gateway.RoleAttempt: 10, gateway.RoleReader: 20, gateway.RoleScheduler: 20, gateway.RoleIngest: 10}

// burst is how many evaluations a token of the role may ask at once.
func burst(role gateway.Role) int {
	limit, limited := perSecond[role]
	if !limited {
		return maxBatch
	}
	return int(2 * limit)
}

// allow takes n evaluations, at most burst, from the token's budget. The
// operator has no limit.
func (l *limiters) allow(p principal, now time.Time, n int) error {
	limit, limited := perSecond[p.role]
	if !limited {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil || len(l.by) > 10_000 {
		l.by = map[string]*rate.Limiter{} // forgetting refills budgets; bounded memory matters more
	}
	limiter := l.by[p.id]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(limit), burst(p.role))
		l.by[p.id] = limiter
	}
	reservation := limiter.ReserveN(now, n)
	if delay := reservation.DelayFrom(now); delay > 0 {
		reservation.CancelAt(now)
		return &gateway.Error{Kind: gateway.RateLimited, RetryAfter: max(delay, time.Second),
			Detail: "this token asks for evaluations faster than its role may"}
	}
	return nil
}
