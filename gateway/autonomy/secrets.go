package autonomy

import (
	"math"
	"regexp"
	"strings"
)

// tokenForms are the beginnings by which issuers mark their tokens.
var tokenForms = regexp.MustCompile(`(^|[^A-Za-z0-9])(gh[pousr]_|github_pat_|glpat-|sk-|AKIA|ASIA|xox[a-z]-|lev_(operator|scheduler|reader|ingest|attempt)_|eyJ[A-Za-z0-9_-]+\.)` +
	`|-----BEGIN |(?i:\bbearer\s)`)

// looksSecret reports whether a value looks like a token: it is better to ask
// for a name in vain than to show a key in the status page.
func looksSecret(s string) bool {
	if tokenForms.MatchString(s) {
		return true
	}
	for _, run := range strings.FieldsFunc(s, func(r rune) bool { return !tokenRune(r) }) {
		if random(run) {
			return true
		}
	}
	return false
}

func tokenRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '=' || r == '_' || r == '-'
}

// random reports whether a run of characters was hardly written by a human:
// 32 hex digits and more, or 24 mixed characters and more of high entropy.
func random(run string) bool {
	var lower, upper, digits, hexes int
	counts := map[rune]int{}
	for _, r := range run {
		counts[r]++
		switch {
		case r >= '0' && r <= '9':
			digits, hexes = digits+1, hexes+1
		case r >= 'a' && r <= 'z':
			lower++
			if r <= 'f' {
				hexes++
			}
		case r >= 'A' && r <= 'Z':
			upper++
			if r <= 'F' {
				hexes++
			}
		}
	}
	letters := lower + upper
	if digits == 0 || letters == 0 {
		return false
	}
	if hexes >= 32 && hexes == digits+letters {
		return true
	}
	entropy := 0.0
	for _, count := range counts {
		p := float64(count) / float64(len(run))
		entropy -= p * math.Log2(p)
	}
	switch {
	case lower > 0 && upper > 0:
		return len(run) >= 24 && entropy >= 3.7
	default:
		return len(run) >= 32 && entropy >= 3.9 && digits >= 6
	}
}
