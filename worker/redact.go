package worker

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
)

const (
	redacted = "[redacted]"
	// minSecret is the shortest value that is searched for: shorter ones
	// would black out ordinary words and protect nothing.
	minSecret = 4
	// maxRun bounds how much of one unbroken word is held back.
	maxRun = 16 << 10
)

// shapes are tokens that give themselves away, whoever they belong to.
var shapes = regexp.MustCompile(strings.Join([]string{
	`(?i:bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{8,}`,
	`gh[pousr]_[A-Za-z0-9]{16,}`,
	`github_pat_[A-Za-z0-9_]{20,}`,
	`glpat-[A-Za-z0-9_-]{16,}`,
	`sk-[A-Za-z0-9_-]{16,}`,
	`xox[abeoprs]-[A-Za-z0-9-]{10,}`,
	`(?:AKIA|ASIA)[A-Z0-9]{16}`,
	`AIza[A-Za-z0-9_-]{30,}`,
	`lev_[a-z]+_[A-Za-z0-9_-]{16,}`,
	`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`,
}, "|"))

// openEnd matches what may be the beginning of one of the shapes.
var openEnd = regexp.MustCompile(`(?:(?i:bearer|basic)[ \t]+)?[A-Za-z0-9._~+/=-]*$`)

// secrets are the values that must appear nowhere.
type secrets struct{ values [][]byte }

func newSecrets(values ...string) secrets {
	var s secrets
	for _, v := range values {
		for _, form := range []string{v, strings.TrimSpace(v)} {
			if len(form) >= minSecret {
				s.values = append(s.values, []byte(form))
			}
		}
	}
	slices.SortFunc(s.values, func(a, b []byte) int { return len(b) - len(a) })
	s.values = slices.CompactFunc(s.values, bytes.Equal)
	return s
}

// in reports whether data has one of the values. It does not look for shapes:
// source code may well mention those.
func (s secrets) in(data []byte) bool {
	return slices.ContainsFunc(s.values, func(v []byte) bool { return bytes.Contains(data, v) })
}

// text is t without secrets.
func (s secrets) text(t string) string {
	out, _ := s.replace([]byte(t), len(t))
	return string(out)
}

type span struct{ from, to int }

// spans finds every secret in data, in order, joined where they overlap.
func (s secrets) spans(data []byte) []span {
	var found []span
	for _, v := range s.values {
		for at := 0; ; {
			i := bytes.Index(data[at:], v)
			if i < 0 {
				break
			}
			found = append(found, span{at + i, at + i + len(v)})
			at += i + 1
		}
	}
	for _, m := range shapes.FindAllIndex(data, -1) {
		found = append(found, span{m[0], m[1]})
	}
	slices.SortFunc(found, func(a, b span) int { return a.from - b.from })
	var joined []span
	for _, f := range found {
		if n := len(joined); n > 0 && f.from < joined[n-1].to {
			joined[n-1].to = max(joined[n-1].to, f.to)
		} else {
			joined = append(joined, f)
		}
	}
	return joined
}

// replace returns the redacted form of data up to about cut, and how much of
// data that was: less than cut when a secret lies across it.
func (s secrets) replace(data []byte, cut int) ([]byte, int) {
	var out []byte
	at := 0
	for _, f := range s.spans(data) {
		if f.to > cut {
			cut = min(cut, f.from)
			break
		}
		out = append(out, data[at:f.from]...)
		out = append(out, redacted...)
		at = f.to
	}
	return append(out, data[at:max(at, cut)]...), max(at, cut)
}

// held is how many bytes at the end of data may be the beginning of a secret.
func (s secrets) held(data []byte) int {
	tail := data[max(0, len(data)-maxRun):]
	held := 0
	if m := openEnd.FindIndex(tail); m != nil && (m[0] > 0 || len(tail) < maxRun) {
		held = len(tail) - m[0]
	}
	for _, v := range s.values {
		for n := min(len(v)-1, len(data)); n > held; n-- {
			if bytes.HasSuffix(data, v[:n]) {
				held = n
				break
			}
		}
	}
	return held
}

// A redactor writes what it is given without secrets, also when one arrives
// in pieces: the end of a piece that may begin a secret waits for the next.
type redactor struct {
	secrets secrets
	to      io.Writer
	pending []byte
}

func (r *redactor) Write(p []byte) (int, error) {
	r.pending = append(r.pending, p...)
	return len(p), r.emit(len(r.pending) - r.secrets.held(r.pending))
}

// Close writes what was held back.
func (r *redactor) Close() error { return r.emit(len(r.pending)) }

func (r *redactor) emit(cut int) error {
	out, used := r.secrets.replace(r.pending, cut)
	r.pending = append(r.pending[:0], r.pending[used:]...)
	_, err := r.to.Write(out)
	return err
}
