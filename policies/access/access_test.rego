package leviathan.access_test

import rego.v1

import data.leviathan.access
import data.leviathan.fixture_test as fixture

_codes(question) := {r.code | some r in denied} if {
	denied := access.deny with input as question
}

_may(question) if {
	access.allow with input as question
}

test_every_operator_action_is_the_operators if {
	every action in access.operator_actions - {"token.create"} {
		_may(fixture.by("operator", action, {}))
	}
}

test_no_other_role_stops_or_resumes if {
	every role in ["scheduler", "reader", "ingest", "attempt", "gateway"] {
		every action in ["autonomy.halt", "autonomy.resume", "circuit.reset", "task.retry", "token.create", "journal.prune"] {
			"access.role" in _codes(fixture.by(role, action, {"role": "reader"}))
			not _may(fixture.by(role, action, {"role": "reader"}))
		}
	}
}

test_an_unknown_action_is_denied_and_a_known_one_is_not_unknown if {
	"access.unknown_action" in _codes(fixture.by("operator", "pull_request.merge", {}))
	not "access.unknown_action" in _codes(fixture.by("reader", "autonomy.halt", {}))
}

test_an_unknown_role_may_do_nothing if {
	"access.role" in _codes(fixture.by("root", "route.read", {"route": "/v1/attempts", "method": "GET"}))
}

test_a_subject_without_a_role_may_do_nothing if {
	"access.role" in _codes(fixture.without(fixture.plan, "/subject/role"))
}

test_a_reader_plans_nothing if {
	_codes(fixture.set(fixture.plan, "/subject/role", "reader")) == {"access.role"}
	_codes(fixture.plan) == set()
}

test_an_attempt_acts_for_itself_alone if {
	_codes(fixture.heartbeat) == set()
	_codes(fixture.set(fixture.heartbeat, "/subject/attempt", "01JAZ0000000000000000000BB")) == {"access.not_own_attempt"}
	_codes(fixture.set(fixture.heartbeat, "/subject/attempt", "")) == {"access.not_own_attempt"}
	_codes(fixture.set(fixture.heartbeat, "/subject/target", "other")) == {"access.not_own_attempt"}
	_codes(fixture.set(fixture.heartbeat, "/resource/id", "01JAZ0000000000000000000BB")) == {"access.not_own_attempt"}
	_codes(fixture.without(fixture.heartbeat, "/attempt")) == {"access.not_own_attempt"}
}

test_an_attempt_fetches_from_its_target if {
	_codes(fixture.fetch) == set()
	_codes(fixture.set(fixture.fetch, "/resource/properties/target", "other")) == {"access.not_own_attempt"}
}

test_a_scheduler_reports_attempts_of_the_target_it_names if {
	_codes(fixture.lost("evicted", "running")) == set()
	_codes(fixture.set(fixture.lost("evicted", "running"), "/attempt/target", "other")) == {"access.attempt_target"}
}

test_a_bound_token_is_good_for_its_target_alone if {
	bound := fixture.set(fixture.plan, "/subject/target", "demo")
	_codes(bound) == set()
	_codes(fixture.set(bound, "/resource/properties/target", "other")) == {"access.other_target"}
	_codes(fixture.without(bound, "/resource/properties")) == {"access.other_target"}
}

test_the_known_gateway_events_are_reserved if {
	reserved := {type |
		some type in access.gateway_events
		"access.event_type" in _codes(_claim("attempt", type))
	}
	reserved == access.gateway_events - {"artifact.created"}
}

test_a_worker_may_claim_artifacts_and_types_of_its_own if {
	_codes(_claim("attempt", "artifact.created")) == set()
	_codes(_claim("attempt", "agent.note")) == set()
	_codes(_claim("attempt", 7)) == {"access.event_type"}
}

test_a_scheduler_may_say_that_it_submitted_a_job if {
	_codes(_claim("scheduler", "job.submitted")) == set()
	_codes(_claim("scheduler", "attempt.failed")) == {"access.event_type"}
}

test_ingest_hands_over_any_claim if {
	_codes(_claim("ingest", "attempt.failed")) == set()
	_may(_claim("ingest", "attempt.failed"))
}

test_a_worker_claims_about_its_own_attempt_alone if {
	_codes(fixture.set(_claim("attempt", "x.y"), "/request/attempts", ["01JAZ0000000000000000000BB"])) == {"access.event_attempt"}
	_codes(fixture.set(_claim("attempt", "x.y"), "/request/attempts", [])) == {"access.event_attempt"}
	_codes(fixture.set(_claim("attempt", "x.y"), "/subject/target", "other")) == {"access.event_attempt"}
}

_claim(role, type) := object.union(
	fixture.by(role, "event.append", {"types": [type], "attempts": [fixture.attempt_id]}),
	{"subject": object.union(fixture.component(role), {"attempt": fixture.attempt_id, "target": "demo"})},
)

_read(role, route) := fixture.by(role, "route.read", {"route": route, "method": "GET"})

test_readers_and_operators_read if {
	_codes(_read("reader", "/v1/decisions")) == set()
	_codes(_read("operator", "/v1/tokens")) == set()
	_may(_read("operator", "/v1/decisions/{decision}/bundle"))
}

test_some_routes_are_the_operators if {
	_codes(_read("reader", "/v1/tokens")) == {"access.route"}
	_codes(_read("reader", "/v1/decisions/{decision}/bundle")) == {"access.route"}
}

test_a_scheduler_reads_attempts_and_status if {
	_codes(_read("scheduler", "/v1/attempts")) == set()
	_codes(_read("scheduler", "/v1/decisions")) == {"access.route"}
}

test_an_attempt_reads_itself if {
	question := object.union(_read("attempt", "/v1/attempts/{attempt}"), {
		"subject": fixture.worker,
		"resource": {"properties": {"attempt": fixture.attempt_id}},
	})
	_codes(question) == set()
	_codes(fixture.set(question, "/resource/properties/attempt", "01JAZ0000000000000000000BB")) == {"access.route"}
}

test_reading_changes_nothing if {
	_codes(fixture.set(_read("operator", "/v1/tokens"), "/request/method", "POST")) == {"access.route"}
}

test_tokens_are_made_for_components if {
	_codes(fixture.by("operator", "token.create", {"role": "scheduler"})) == set()
	_codes(fixture.by("operator", "token.create", {"role": "operator"})) == {"access.token_role"}
	_codes(fixture.by("operator", "token.create", {"role": "attempt"})) == {"access.token_role"}
	_codes(fixture.by("operator", "token.create", {})) == {"access.token_role"}
}

test_only_the_operator_reads_what_leaves_the_gateway_whole if {
	every route in ["/v1/decisions/{decision}/bundle", "/v1/tokens", "/v1/journal/backup", "/v1/journal/export"] {
		_may(fixture.by("operator", "route.read", {"route": route, "method": "GET"}))
		not _may(fixture.by("reader", "route.read", {"route": route, "method": "GET"}))
	}
}

# own is what reads the one route of an attempt, with the given role.
own(role, route) := fixture.changed(fixture.by(role, "route.read", {"route": route, "method": "GET"}), {
	"/subject/attempt": fixture.attempt_id, "/subject/target": "demo", "/resource/properties/attempt": fixture.attempt_id,
})

test_an_attempt_reads_one_route_and_no_other_role_by_being_it if {
	_may(own("attempt", "/v1/attempts/{attempt}"))
	not _may(own("attempt", "/v1/attempts"))
	not _may(own("ingest", "/v1/attempts/{attempt}"))
}

test_a_token_for_ingest_is_made if _may(fixture.by("operator", "token.create", {"role": "ingest", "target": ""}))

test_types_of_the_gateway_matter_to_an_append_alone if {
	_codes(fixture.by("operator", "autonomy.halt", {"types": [7]})) == set()
}
