package gateway

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Version is the release of this module, as `leviathan version` prints it.
const Version = "0.5.0"

// A TargetID names a repository under governance, as its config declares it.
type TargetID string

// A TaskID names an entry of a target's backlog. It is chosen by a human in
// the target repository and is unique within its target only.
type TaskID string

// An AttemptID names one run at a task: a ULID, in upper case.
type AttemptID string

// A DecisionID names one recorded decision: a ULID, in upper case.
type DecisionID string

// An OID is a git object id: forty lower-case hex digits of SHA-1.
type OID string

// ZeroOID is the id that git uses for "no object".
const ZeroOID OID = "0000000000000000000000000000000000000000"

var (
	targetPattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	taskPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	attemptPattern = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)
	oidPattern     = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// Valid reports whether the id has the form that a config may declare.
func (t TargetID) Valid() bool { return targetPattern.MatchString(string(t)) }

// Valid reports whether the id has the form that a backlog may declare:
// letters, digits, dot, underscore and hyphen, at most 128 of them, the first
// a letter or digit.
func (t TaskID) Valid() bool { return taskPattern.MatchString(string(t)) }

// Valid reports whether the id is a ULID in upper case.
func (a AttemptID) Valid() bool { return attemptPattern.MatchString(string(a)) }

// Valid reports whether the id is a ULID in upper case.
func (d DecisionID) Valid() bool { return attemptPattern.MatchString(string(d)) }

// Valid reports whether o is a full lower-case SHA-1 object id.
func (o OID) Valid() bool { return oidPattern.MatchString(string(o)) }

// Branch is the only branch that an attempt may push, without refs/heads/.
func (a AttemptID) Branch() string { return "agent/" + string(a) }

// BranchPrefix begins the name of every branch that Leviathan creates.
const BranchPrefix = "agent/"

// A Time is an instant as it stands on the wire: RFC 3339, UTC, always six
// digits of microseconds, so that times sort as text. Its zero value is
// written as null.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000000Z"

// At returns t in UTC, cut to microseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Microsecond)} }

// String is the wire form of t, or the empty string for the zero time.
func (t Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// MarshalJSON writes the wire form, null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON reads null or an RFC 3339 time. A time without zone is taken
// as UTC, as release 0.4 wrote it.
func (t *Time) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		*t = Time{}
		return nil
	}
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return fmt.Errorf("time %s is not a string", s)
	}
	parsed, err := ParseTime(s[1 : len(s)-1])
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// ParseTime reads an RFC 3339 time, with or without zone (without: UTC).
func ParseTime(s string) (Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if parsed, err := time.Parse(layout, strings.ToUpper(s)); err == nil {
			return At(parsed), nil
		}
	}
	return Time{}, fmt.Errorf("time %q is not RFC 3339", s)
}
