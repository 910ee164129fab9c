package leviathan.main_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.main

# allowed are the questions that are allowed as they stand.
allowed := {
	"plan": fixture.plan,
	"mirrored": fixture.mirrored,
	"start": fixture.start,
	"run": fixture.run,
	"heartbeat": fixture.heartbeat,
	"fetch": fixture.fetch,
	"evidence": fixture.evidence,
	"artifact": fixture.artifact,
	"push": fixture.push,
	"open": fixture.open,
	"annotate": fixture.annotate,
	"succeeded": fixture.finish("succeeded", "", "proposed"),
	"failed": fixture.finish("failed", "timeout", "running"),
	"lost": fixture.lost("evicted", "running"),
	"expired": json.patch(fixture.expire("lease", "running"), [{"op": "replace", "path": "/attempt/lease/live", "value": false}]),
	"halt": fixture.by("operator", "autonomy.halt", {"target": "demo", "reason": "r"}),
	"read": fixture.by("reader", "route.read", {"route": "/v1/attempts", "method": "GET"}),
	"ingest": fixture.by("ingest", "event.append", {"types": ["x.y"], "attempts": []}),
	"token": fixture.by("operator", "token.create", {"role": "reader", "target": ""}),
}

test_each_question_of_the_fixture_isallowed if {
	refused := {name: d.reasons |
		some name, question in allowed
		d := main.decision with input as question
		not d.allow
	}
	refused == {}
}

test_an_action_that_no_policy_names_is_denied_for_everybody if {
	some_role_may := {[role, action] |
		some role in ["operator", "scheduler", "reader", "ingest", "attempt", "gateway"]
		some action in ["pull_request.merge", "backlog.create"]
		d := main.decision with input as object.union(fixture.by(role, action, {}), {"attempt": fixture.attempt})
		d.allow
	}
	some_role_may == set()
}

test_an_empty_question_is_denied if {
	d := main.decision with input as {}
	not d.allow
	d.obligations == {}
	"access.unknown_action" in fixture.codes(d.reasons)
}
