package console_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestASessionIsACookieThatNoScriptReads(t *testing.T) {
	m := newRoom(t)
	c := m.signIn(operatorToken)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.MaxAge != 8*3600 || len(c.Value) < 50 {
		t.Errorf("the cookie is %+v", c)
	}
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(url.Values{"token": {operatorToken}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	m.console.ServeHTTP(w, r)
	if c := w.Result().Cookies()[0]; !c.Secure || c.Name != "__Host-leviathan_session" {
		t.Errorf("under TLS the cookie is %+v", c)
	}
	if m.lives(&http.Cookie{Name: c.Name, Value: "guessed"}) || m.lives(nil) {
		t.Error("a guess opens a session")
	}
	if second := m.signIn(operatorToken); second.Value == c.Value {
		t.Error("two sessions have one id")
	}
}

func TestASessionEndsAfterEightHours(t *testing.T) {
	m := newRoom(t)
	c := m.signIn(operatorToken)
	m.pass(8*time.Hour - time.Second)
	if !m.lives(c) {
		t.Error("a session ended too soon")
	}
	m.pass(time.Second)
	if m.lives(c) {
		t.Error("a session lives on")
	}
}

func TestTheOldestSessionMakesRoom(t *testing.T) {
	m := newRoom(t)
	first, second := m.signIn(readerToken), m.signIn(readerToken)
	for range 255 {
		m.signIn(readerToken)
	}
	if m.lives(first) || !m.lives(second) {
		t.Error("not the oldest session, or more than it, made room")
	}
}

func TestFailedSignInsSayNothingAndAreFew(t *testing.T) {
	m := newRoom(t)
	for _, token := range []string{"wrong", "", "lev_scheduler_token", "lev_reader_wrong", "line\nbreak"} {
		w := m.ask("/login", nil, url.Values{"token": {token}})
		body := w.Body.String()
		if w.Code != http.StatusUnauthorized || !strings.Contains(body, "The sign-in failed. Give the operator&#39;s or a reader&#39;s token.") || len(w.Result().Cookies()) != 0 {
			t.Errorf("%q: %d %s", token, w.Code, body)
		}
	}
	if m.refused != 3 { // what the API does not see
		t.Errorf("the console counted %d of its own refusals", m.refused)
	}
	for range 5 {
		m.ask("/login", nil, url.Values{"token": {"wrong"}})
	}
	if w := m.ask("/login", nil, url.Values{"token": {operatorToken}}); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "6" {
		t.Errorf("an eleventh try: %d", w.Code)
	}
	m.pass(6 * time.Second)
	for range 20 { // a sign-in that does not fail uses up nothing
		m.signIn(operatorToken)
	}
	if w := m.ask("/login", nil, url.Values{"token": {operatorToken}}, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("another site signs in: %d", w.Code)
	}
}

func TestSignInLeadsBackToThisConsoleAlone(t *testing.T) {
	m := newRoom(t)
	if w := m.ask("/attempts?state=live", nil, nil); w.Header().Get("Location") != "/login?next=%2Fattempts%3Fstate%3Dlive" {
		t.Errorf("the sign-in is at %s", w.Header().Get("Location"))
	}
	for next, want := range map[string]string{
		"/attempts?state=live": "/attempts?state=live", "": "/", "//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "javascript:alert(1)": "/",
		"/login": "/", "/logout": "/", "/events-stream": "/", "/\t/evil.example": "/", "relative": "/",
	} {
		w := m.ask("/login", nil, url.Values{"token": {operatorToken}, "next": {next}})
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}
