package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leviathan/gateway"
)

// formMax is the size of a form, in bytes.
const formMax = 64 << 10

// signInForm is the body of the sign-in page.
type signInForm struct {
	Next    string
	Problem string
}

// toSignIn leads to the sign-in, and back afterwards. What asks for a page
// that is no document gets the bare status.
func (k *Console) toSignIn(w http.ResponseWriter, r *http.Request) {
	next := "/"
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	http.Redirect(w, r, "/login?next="+url.QueryEscape(localPath(next)), http.StatusSeeOther)
}

func (k *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if k.sessions.find(r) != nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	k.write(w, http.StatusOK, "login", &page{Title: "Sign in", Body: signInForm{Next: next}})
}

// signIn makes a session of a token that the API takes from an operator or a
// reader. A refusal never says why.
func (k *Console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formMax)
	next := localPath(r.PostFormValue("next"))
	if !k.tries.take() {
		k.refused()
		w.Header().Set("Retry-After", strconv.Itoa(int(triesEvery/time.Second)))
		k.write(w, http.StatusTooManyRequests, "login", &page{Title: "Sign in", Body: signInForm{Next: next,
			Problem: "Too many sign-ins failed. Wait some seconds and try again."}})
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	role, err := k.verify(r, token)
	switch {
	case err == nil:
	case gateway.KindOf(err) == gateway.Unauthenticated, gateway.KindOf(err) == gateway.Forbidden:
		k.log.Info("a sign-in to the console failed", "remote", r.RemoteAddr)
		k.write(w, http.StatusUnauthorized, "login", &page{Title: "Sign in", Body: signInForm{Next: next, Problem: "The sign-in failed. Give the operator's or a reader's token."}})
		return
	default:
		k.tries.giveBack()
		k.log.Warn("a sign-in to the console could not be checked", "error", err)
		k.write(w, http.StatusServiceUnavailable, "login", &page{Title: "Sign in", Body: signInForm{Next: next, Problem: "The gateway could not check the token. Try again, and see its log."}})
		return
	}
	k.tries.giveBack()
	if old := k.sessions.find(r); old != nil {
		k.sessions.end(old)
	}
	id, _ := k.sessions.begin(token, role)
	setCookie(w, r, id)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// verify asks the API whether it takes the token, and tells the role by its
// form: a component's token names its role and is known by its hash, so a
// token that is taken tells the truth. The role only chooses what a page
// offers; what may be done is the policy's to say.
func (k *Console) verify(r *http.Request, token string) (gateway.Role, error) {
	role := gateway.RoleOperator
	switch {
	case strings.HasPrefix(token, "lev_reader_"):
		role = gateway.RoleReader
	case strings.HasPrefix(token, "lev_operator_"): // of operator.token, which the gateway made
	case token == "", strings.HasPrefix(token, "lev_"):
		k.refused()
		return "", gateway.Errorf(gateway.Forbidden, "the token is of a role that the console is not for")
	}
	client, err := k.client(token)
	if err != nil {
		k.refused()
		return "", err
	}
	if _, err := client.Status(r.Context()); err != nil {
		return "", err
	}
	return role, nil
}

func (k *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if s := k.sessions.find(r); s != nil {
		k.sessions.end(s)
	}
	setCookie(w, r, "")
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// localPath is the path if it leads to a page of the console, else "/".
func localPath(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\t\r\n") || strings.HasPrefix(path, "/login") || strings.HasPrefix(path, "/logout") ||
		strings.HasPrefix(path, "/events-stream") {
		return "/"
	}
	return path
}
