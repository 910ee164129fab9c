package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ProblemType begins the type of every problem; the kind follows.
const ProblemType = "https://leviathan.invalid/problems/"

// ProblemMediaType is the content type of a Problem, as RFC 9457 registers it.
const ProblemMediaType = "application/problem+json"

// A Problem is an Error on the wire: RFC 9457, with the members that docs/api.md lists.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
	// Code is a stable code such as attempt.already_started, where there is
	// one.
	Code       string      `json:"code,omitempty"`
	DecisionID *DecisionID `json:"decision_id"`
	Reasons    []Reason    `json:"reasons"`
	// RetryAfter is in whole seconds, rounded up; nil when nothing was said.
	RetryAfter *int `json:"retry_after"`
}

// NewProblem is the wire form of e. The cause stays behind.
func NewProblem(e *Error) Problem {
	p := Problem{
		Type:    ProblemType + string(e.Kind),
		Title:   e.Kind.Title(),
		Status:  e.Kind.Status(),
		Detail:  e.Detail,
		Field:   e.Field,
		Code:    e.Code,
		Reasons: e.Reasons,
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	if p.Reasons == nil {
		p.Reasons = []Reason{}
	}
	if e.DecisionID != "" {
		id := e.DecisionID
		p.DecisionID = &id
	}
	if e.RetryAfter > 0 {
		seconds := int((e.RetryAfter + time.Second - 1) / time.Second)
		p.RetryAfter = &seconds
	}
	return p
}

// Err is the error that p carries. A type that this release does not know
// falls back to the kind of the status.
func (p Problem) Err() *Error {
	kind := Kind(strings.TrimPrefix(p.Type, ProblemType))
	if _, ok := kinds[kind]; !ok {
		kind = kindOfStatus(p.Status)
	}
	e := &Error{Kind: kind, Detail: p.Detail, Field: p.Field, Code: p.Code, Reasons: p.Reasons}
	if p.DecisionID != nil {
		e.DecisionID = *p.DecisionID
	}
	if p.RetryAfter != nil && *p.RetryAfter > 0 {
		e.RetryAfter = time.Duration(*p.RetryAfter) * time.Second
	}
	return e
}

// kindOfStatus is the kind that an HTTP status stands for. What a proxy says
// in front of a gateway that is away (502, 504) is an unknown.
func kindOfStatus(status int) Kind {
	switch status {
	case http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return Unknown
	case http.StatusBadRequest:
		return Invalid
	case http.StatusMethodNotAllowed:
		return NotFound
	}
	for kind, row := range kinds {
		if row.status == status {
			return kind
		}
	}
	return InternalError
}

// problemOf reads the body of an answer that is not a success. A body that is
// no problem, such as a proxy's page, gives an error that names the status
// and shows none of it.
func problemOf(status int, contentType string, body []byte) *Error {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	var p Problem
	if media == ProblemMediaType || media == "application/json" {
		if err := json.Unmarshal(body, &p); err == nil && p.Detail+p.Title+p.Type != "" {
			p.Status = status
			return p.Err()
		}
	}
	return &Error{
		Kind:   kindOfStatus(status),
		Detail: fmt.Sprintf("the server answered %d %s without saying why", status, http.StatusText(status)),
	}
}
