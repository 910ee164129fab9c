# METADATA
# title: Delivery
# description: |
#   The life of an attempt from its start to its end: what state each step needs,
#   what a push and a pull request must be, and what follows when an attempt ends.
package leviathan.delivery

import rego.v1

# The states that each action needs; nothing else lets an attempt do it.
_states := {
	"attempt.start": {"reserved", "running"},
	"agent.run": {"reserved", "running"},
	"attempt.heartbeat": {"running", "pushed", "proposed"},
	"repository.fetch": {"running", "pushed", "proposed"},
	"change.push": {"running"},
	"attempt.evidence": {"running", "pushed", "proposed"},
	"artifact.put": {"reserved", "running", "pushed", "proposed"},
	"attempt.finish": {"reserved", "running", "pushed", "proposed"},
	"attempt.lost": {"reserved", "running", "pushed", "proposed"},
	"attempt.expire": {"reserved", "running", "pushed", "proposed"},
	"pull_request.open": {"pushed"},
}

# Reads of people and the notes on a pull request are about no attempt's state.
_stateless if input.action == "pull_request.annotate"

_stateless if _plain_fetch

_plain_fetch if {
	input.action == "repository.fetch"
	input.subject.role in {"operator", "reader"}
}

default allow := false

allow if {
	_in_state
	count(deny) == 0
	not _plain_fetch
}

allow if {
	_stateless
	count(deny) == 0
}
