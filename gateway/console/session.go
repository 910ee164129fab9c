package console

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"leviathan/gateway"
)

const (
	sessionLife = 8 * time.Hour
	maxSessions = 256
	// triesBurst sign-ins may fail at once; one more each triesEvery.
	triesBurst = 10
	triesEvery = 6 * time.Second
)

// A session is who is signed in.
type session struct {
	key     [sha256.Size]byte // of the id, which only the cookie has
	token   string
	role    gateway.Role
	expires time.Time
	done    chan struct{} // closed when the session ends before its time
	// said is what the last action did, for the next page to say once.
	said atomic.Pointer[string]
}

func (s *session) operator() bool { return s.role == gateway.RoleOperator }

// sessions are those that live, the oldest first. At most maxSessions: the
// oldest makes room.
type sessions struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[[sha256.Size]byte]*list.Element
	age *list.List
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, by: map[[sha256.Size]byte]*list.Element{}, age: list.New()}
}

// begin makes a session and returns its id, which is kept nowhere else.
func (ss *sessions) begin(token string, role gateway.Role) (string, *session) {
	id := rand.Text() + rand.Text()
	s := &session{key: sha256.Sum256([]byte(id)), token: token, role: role, expires: ss.now().Add(sessionLife), done: make(chan struct{})}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for front := ss.age.Front(); front != nil; front = ss.age.Front() {
		oldest := front.Value.(*session)
		if len(ss.by) < maxSessions && oldest.expires.After(ss.now()) {
			break
		}
		ss.remove(front)
	}
	ss.by[s.key] = ss.age.PushBack(s)
	return id, s
}

// find is the session of a request, nil if it has none that lives.
func (ss *sessions) find(r *http.Request) *session {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return nil
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	e := ss.by[sha256.Sum256([]byte(cookie.Value))]
	if e == nil {
		return nil
	}
	s := e.Value.(*session)
	if !s.expires.After(ss.now()) {
		ss.remove(e)
		return nil
	}
	return s
}

// end ends a session; its streams end with it.
func (ss *sessions) end(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if e := ss.by[s.key]; e != nil {
		ss.remove(e)
	}
}

func (ss *sessions) remove(e *list.Element) {
	s := ss.age.Remove(e).(*session)
	delete(ss.by, s.key)
	close(s.done)
}

// cookieName has, under TLS, the prefix by which browsers hold the cookie to
// this host, to TLS and to the whole path.
func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-leviathan_session"
	}
	return "leviathan_session"
}

// setCookie gives the browser a session's id, or takes it away for "".
func setCookie(w http.ResponseWriter, r *http.Request, id string) {
	age := int(sessionLife / time.Second)
	if id == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName(r), Value: id, Path: "/", MaxAge: age, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

// tries bounds the failed sign-ins of the whole process.
type tries struct {
	now  func() time.Time
	mu   sync.Mutex
	left int
	at   time.Time // when left was last brought up to date
}

func newTries(now func() time.Time) *tries { return &tries{now: now, left: triesBurst, at: now()} }

// take uses one try; false if there is none.
func (t *tries) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := int(t.now().Sub(t.at) / triesEvery); n > 0 {
		t.left, t.at = min(triesBurst, t.left+n), t.at.Add(time.Duration(n)*triesEvery)
	}
	if t.left == 0 {
		return false
	}
	t.left--
	return true
}

// giveBack returns the try of a sign-in that did not fail.
func (t *tries) giveBack() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = min(triesBurst, t.left+1)
}
