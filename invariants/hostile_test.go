package invariants_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"leviathan/invariants"
)

// hostileTree is a repository whose own rules have a body of the test's.
func hostileTree(t *testing.T, body string) string {
	t.Helper()
	return tree(t, `
-- .leviathan/invariants.yaml --
version: 1
rules: rules
categories: [own]
-- README.md --
# Example
-- rules/own.rego --
# METADATA
# title: Own
# description: A rule of the repository.
package leviathan.invariants.own

import rego.v1

# METADATA
# title: Hostile
# description: It wants more than to look.
# custom:
#   code: own.hostile
#   message: "no"
#   remedy: "No."
deny contains v if {
	`+body+`
	v := {}
}
`)
}

// A rule has what it is given, and no way to anything else.
func TestAHostileRuleIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"http.send":          `http.send({"method": "GET", "url": "http://127.0.0.1:1/"})`,
		"net.lookup_ip_addr": `net.lookup_ip_addr("example.com")`,
		"opa.runtime":        `opa.runtime().env.HOME`,
		"time.now_ns":        `time.now_ns() > 0`,
		"rand.intn":          `rand.intn("x", 10) >= 0`,
	} {
		r, err := invariants.Check(t.Context(), invariants.Options{Dir: hostileTree(t, body)})
		if err == nil || !strings.Contains(err.Error(), "own.rego:16:2") || !strings.Contains(err.Error(), name+" is forbidden") {
			t.Errorf("%s: report %v, %v", name, r, err)
		}
	}
}

// A rule that does not end is ended, and what it would have said is no pass.
func TestAnEndlessRuleIsEnded(t *testing.T) {
	dir := hostileTree(t, "some i in numbers.range(1, 1000000)\n\tsome j in numbers.range(1, 1000000)\n\ti * j < 0")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if r, err := invariants.Check(ctx, invariants.Options{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("report %v, %v", r, err)
	}
}
