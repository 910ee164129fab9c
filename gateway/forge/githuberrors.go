package forge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"leviathan/gateway"
)

// The codes of what can go wrong with GitHub: each asks for another remedy.
const (
	CodeCredential  = "forge.credential"  // the token or key is wrong, revoked or at its end
	CodePermission  = "forge.permission"  // the credential may not do that
	CodeRepository  = "forge.repository"  // there is no such repository, or it is not to be seen
	CodeMoved       = "forge.moved"       // the repository has another name now
	CodeBranch      = "forge.branch"      // the branch is missing or has other content
	CodeRefused     = "forge.refused"     // GitHub does not take the request as it is
	CodeQuota       = "forge.quota"       // a limit is used up; RetryAfter says for how long
	CodeUnreachable = "forge.unreachable" // no answer, or none that can be understood
	CodeEdited      = "forge.edited"      // a human has changed the text: hands off
)

// An answerError is how GitHub answers a request that it refuses.
type answerError struct {
	status  int
	message string
	errors  []string // of a 422: the fields and why
}

func (e *answerError) Error() string {
	return strings.Join(append([]string{fmt.Sprintf("status %d: %s", e.status, cmp.Or(e.message, "no message"))}, e.errors...), "; ")
}

// parseAnswer reads the body of a refusal. It is somebody else's text, and the
// token is struck out of it in case it is repeated there.
func parseAnswer(status int, body []byte, token string) *answerError {
	safe := func(s string) string {
		if token != "" {
			s = strings.ReplaceAll(s, token, "(token)")
		}
		return line(s)
	}
	var said struct {
		Message string            `json:"message"`
		Errors  []json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		return &answerError{status: status}
	}
	e := &answerError{status: status, message: safe(said.Message)}
	for _, raw := range said.Errors[:min(len(said.Errors), 5)] {
		var field struct{ Resource, Field, Code, Message string }
		var text string
		switch {
		case json.Unmarshal(raw, &text) == nil:
			e.errors = append(e.errors, safe(text))
		case json.Unmarshal(raw, &field) == nil:
			e.errors = append(e.errors, safe(strings.Join(strings.Fields(field.Field+" "+field.Code+" "+field.Message), " ")))
		}
	}
	return e
}

// says reports whether GitHub's answer contains the words.
func says(err error, words string) bool {
	var a *answerError
	return errors.As(err, &a) && strings.Contains(strings.ToLower(a.Error()), words)
}

// status is the status of GitHub's answer; 0 if it gave none.
func status(err error) int {
	var a *answerError
	if errors.As(err, &a) {
		return a.status
	}
	return 0
}

// refusal turns an answer of GitHub into the error that says what to do.
func (t *transport) refusal(req *http.Request, h http.Header, a *answerError) error {
	e := &gateway.Error{Kind: gateway.Unknown, Err: a}
	repo := t.place.owner + "/" + t.place.name
	what := "GitHub answers " + a.Error()
	switch {
	case a.status >= 300 && a.status < 400:
		e.Kind, e.Code = gateway.NotFound, CodeMoved
		e.Detail = fmt.Sprintf("GitHub sends the question elsewhere (status %d), and no redirect is followed: %s was renamed or moved; set target_repo_url to its address of today", a.status, repo)
	case a.status == http.StatusUnauthorized:
		e.Code = CodeCredential
		e.Detail = what + ": " + t.credential.remedy()
	case a.status == http.StatusForbidden:
		e.Code = CodePermission
		e.Detail = what + ": the credential lacks a permission" + wants(h) + "; grant it for " + repo + " and accept it for the installation"
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		e.Kind, e.Code = gateway.NotFound, CodeRepository
		e.Detail = what + " to " + req.Method + " " + req.URL.EscapedPath() + ": it is not there, or the credential does not cover " + repo + wants(h)
	case a.status >= 500:
		e.Code, e.RetryAfter = CodeUnreachable, 5*time.Second
		e.Detail = what + ": GitHub is in trouble; look at its status page"
	case a.status == http.StatusConflict:
		e.Kind, e.Code, e.Detail = gateway.Conflict, CodeRefused, what
	default:
		e.Kind, e.Code, e.Detail = gateway.Invalid, CodeRefused, what
	}
	return e
}

// wants names the permission that GitHub says a request needs.
func wants(h http.Header) string {
	if p := line(h.Get("X-Accepted-GitHub-Permissions")); p != "" {
		return " (needed: " + p + ")"
	}
	if p := line(h.Get("X-Accepted-OAuth-Scopes")); p != "" {
		return " (needed, one of the scopes: " + p + ")"
	}
	return ""
}

// unreachable is the error of a request that has no answer. The cause keeps
// its type but not its URL.
func (t *transport) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &gateway.Error{Kind: gateway.Unknown, Code: CodeUnreachable, RetryAfter: 5 * time.Second, Err: err,
		Detail: fmt.Sprintf("no answer from %s: %s; check the network, the proxy and the CA file", t.place.api.Host, line(err.Error()))}
}

// during says what was being done when an error came. Whatever did not come
// from the transport was an answer that could not be understood.
func during(what string, err error) error {
	if err == nil {
		return nil
	}
	var e *gateway.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return &gateway.Error{Kind: gateway.Unknown, Code: CodeUnreachable, Detail: what + ": given up before GitHub had answered: " + err.Error(), Err: err}
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &gateway.Error{Kind: gateway.Unknown, Code: CodeUnreachable, Detail: what + ": GitHub's answer is not understood: " + line(err.Error()), Err: err}
	}
	told := *e
	told.Detail = what + ": " + e.Detail
	return &told
}

// uncertain is an error of which it is not known what was done: of the kind
// Unknown, and of no other beneath.
func uncertain(err error, more string) error {
	told := gateway.Error{Detail: err.Error()}
	var e *gateway.Error
	if errors.As(err, &e) {
		told = *e
	}
	told.Kind, told.Err = gateway.Unknown, nil
	told.Detail += more
	var a *answerError
	if errors.As(err, &a) {
		told.Err = a
	}
	return &told
}

// hasCode reports whether an error is of one of the codes.
func hasCode(err error, code string) bool {
	var e *gateway.Error
	return errors.As(err, &e) && e.Code == code
}
