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

# granted asks with the three packages that may grant mocked: none of them has a
# reason against.
granted(question, access, delivery, schedule) if {
	main.decision.allow with input as question
		with data.leviathan.access.allow as access
		with data.leviathan.access.deny as set()
		with data.leviathan.guard.reasons as set()
		with data.leviathan.limits.deny as set()
		with data.leviathan.delivery.allow as delivery
		with data.leviathan.delivery.deny as set()
		with data.leviathan.delivery.problems as set()
		with data.leviathan.scope.reasons as set()
		with data.leviathan.activation.deny as set()
		with data.leviathan.custom.deny as set()
		with data.leviathan.schedule.allow as schedule
}

test_no_reason_against_is_not_yet_a_word_for if {
	every action in {"cycle.plan", "change.push", "autonomy.halt", "pull_request.merge"} {
		not granted({"action": action}, false, false, false)
	}
	granted({"action": "autonomy.halt"}, true, false, false)
	granted({"action": "change.push"}, false, true, false)
	granted({"action": "cycle.plan"}, false, false, true)
}

test_the_plan_grants_nothing_but_a_cycle if {
	not granted({"action": "change.push"}, false, false, true)
	not granted({}, false, false, true)
}

test_a_cycle_is_answered_with_its_plan if {
	d := main.decision with input as {"action": "cycle.plan"}
		with data.leviathan.schedule.obligations as {"reserve": ["T-1"]}
		with data.leviathan.delivery.obligations as {"end": true}
	d.obligations == {"reserve": ["T-1"]}
}

test_what_is_no_cycle_is_not_answered_with_a_plan if {
	d := main.decision with input as fixture.heartbeat
		with data.leviathan.schedule.obligations as {"reserve": ["T-1"]}
	d.allow
	not d.obligations.reserve
}

test_what_follows_from_an_allowed_action_is_said if {
	d := main.decision with input as fixture.heartbeat
		with data.leviathan.delivery.obligations as {"continue": true}
	d.allow
	d.obligations == {"continue": true}
}
