package gateway

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Kind classifies an error, on the wire and in the process.
type Kind string

// The kinds of errors. Each has one HTTP status; see Kind.Status.
const (
	Unauthenticated Kind = "unauthenticated"
	Forbidden       Kind = "forbidden"
	NotFound        Kind = "not_found"
	Conflict        Kind = "conflict"
	TooLarge        Kind = "too_large"
	Invalid         Kind = "invalid"
	RateLimited     Kind = "rate_limited"
	Unknown         Kind = "unknown"
	InternalError   Kind = "internal"
)

// kinds is the one table that maps kinds to HTTP statuses and titles.
var kinds = map[Kind]struct {
	status int
	title  string
}{
	Unauthenticated: {401, "No valid token"},
	Forbidden:       {403, "Denied"},
	NotFound:        {404, "Not found"},
	Conflict:        {409, "Conflict with the current state"},
	TooLarge:        {413, "Too large"},
	Invalid:         {422, "Invalid request"},
	RateLimited:     {429, "Too many requests"},
	Unknown:         {503, "A fact cannot be had"},
	InternalError:   {500, "Internal error"},
}

// Status is the HTTP status of the kind; 500 for one that is not known.
func (k Kind) Status() int {
	if row, ok := kinds[k]; ok {
		return row.status
	}
	return 500
}

// Title is the sentence that problem+json carries for the kind.
func (k Kind) Title() string {
	if row, ok := kinds[k]; ok {
		return row.title
	}
	return kinds[InternalError].title
}

// An Error is the one error that crosses the wire, in both directions: RFC
// 9457 application/problem+json. errors.Is matches it against the sentinel of
// its kind (ErrDenied for Forbidden, and so on).
type Error struct {
	Kind       Kind
	Detail     string
	Field      string // the JSON path of the field at fault, if one is
	Code       string // a stable code such as attempt.already_started, if there is one
	DecisionID DecisionID
	Reasons    []Reason
	RetryAfter time.Duration // 0: not said
	Err        error         // the cause within this process; it never crosses the wire
}

// Unwrap is the cause within this process, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// Error says what happened, then the reasons.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	if e.Detail == "" {
		b.WriteString(e.Kind.Title())
	}
	if e.Field != "" {
		fmt.Fprintf(&b, " (field %s)", e.Field)
	}
	for _, r := range e.Reasons {
		fmt.Fprintf(&b, "; %s: %s", r.Code, r.Message)
	}
	if e.DecisionID != "" {
		fmt.Fprintf(&b, " [decision %s]", e.DecisionID)
	}
	return b.String()
}

// Is reports whether target is an *Error of the same kind and, where target
// names a code, of that code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && (t.Code == "" || t.Code == e.Code)
}

// The sentinels for errors.Is.
var (
	ErrUnauthenticated = &Error{Kind: Unauthenticated}
	ErrDenied          = &Error{Kind: Forbidden}
	ErrNotFound        = &Error{Kind: NotFound}
	ErrConflict        = &Error{Kind: Conflict}
	ErrTooLarge        = &Error{Kind: TooLarge}
	ErrInvalid         = &Error{Kind: Invalid}
	ErrRateLimited     = &Error{Kind: RateLimited}
	ErrUnknown         = &Error{Kind: Unknown}
)

// Errorf makes an Error of the kind with a formatted detail.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of the first *Error in err's tree; InternalError if
// there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return InternalError
}
