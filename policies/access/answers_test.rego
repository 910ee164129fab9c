package leviathan.access_test

import rego.v1

import data.leviathan.access
import data.leviathan.fixture_test as fixture

_claim_of(role, types) := fixture.changed(
	fixture.by(role, "event.append", {"types": types, "attempts": [fixture.attempt_id]}),
	{"/subject/attempt": fixture.attempt_id, "/subject/target": "demo"},
)

# Who may ask for what: every role with every action, and one that is none.
_may_ask(role) := {action |
	some action in (access.actions | {"x.y"})
	reasons := access.deny with input as fixture.by(role, action, {})
	count({"access.role", "access.unknown_action"} & fixture.codes(reasons)) == 0
}

# What access alone grants: the reads and claims with a request that is sound.
_granted(role) := {action |
	some action in (access.actions | {"x.y"})
	request := {"route": "/v1/attempts/{attempt}", "method": "GET", "role": "reader", "types": [], "attempts": [fixture.attempt_id]}
	question := object.union(fixture.by(role, action, request), {
		"subject": {"attempt": fixture.attempt_id, "target": "demo"},
		"resource": {"id": fixture.attempt_id, "properties": {"attempt": fixture.attempt_id}},
		"attempt": fixture.attempt,
	})
	access.allow with input as question
}

_every_action := {"attempt.start", "agent.run", "attempt.heartbeat", "repository.fetch", "change.push", "attempt.evidence", "artifact.put", "attempt.finish", "pull_request.open", "autonomy.halt", "autonomy.resume", "circuit.reset", "attempt.cancel", "attempt.invalidate", "task.retry", "clock.accept", "token.create", "token.revoke", "bundle.activate", "bundle.rollback", "bundle.replay", "journal.prune", "event.append", "forge.observe", "route.read", "invariants.check", "cycle.plan", "pull_request.annotate", "attempt.lost", "attempt.expire"}

test_the_actions if {
	access.actions == _every_action
	access.operator_actions == {"autonomy.halt", "autonomy.resume", "circuit.reset", "attempt.cancel", "attempt.invalidate", "task.retry", "clock.accept", "token.create", "token.revoke", "bundle.activate", "bundle.rollback", "bundle.replay", "journal.prune"}
}

test_what_attempt_may_ask if _may_ask("attempt") == {"agent.run", "artifact.put", "attempt.evidence", "attempt.finish", "attempt.heartbeat", "attempt.start", "change.push", "event.append", "pull_request.open", "repository.fetch", "route.read"}

test_what_attempt_is_granted_by_access_alone if _granted("attempt") == {"event.append", "route.read"}

test_what_scheduler_may_ask if _may_ask("scheduler") == {"attempt.lost", "cycle.plan", "event.append", "route.read"}

test_what_scheduler_is_granted_by_access_alone if _granted("scheduler") == {"event.append", "route.read"}

test_what_reader_may_ask if _may_ask("reader") == {"bundle.replay", "invariants.check", "repository.fetch", "route.read"}

test_what_reader_is_granted_by_access_alone if _granted("reader") == {"bundle.replay", "invariants.check", "route.read"}

test_what_ingest_may_ask if _may_ask("ingest") == {"event.append"}

test_what_ingest_is_granted_by_access_alone if _granted("ingest") == {"event.append"}

test_what_gateway_may_ask if _may_ask("gateway") == {"attempt.cancel", "attempt.expire", "attempt.finish", "bundle.activate", "bundle.rollback", "change.push", "forge.observe", "pull_request.annotate"}

test_what_gateway_is_granted_by_access_alone if _granted("gateway") == {"attempt.cancel", "bundle.activate", "bundle.rollback", "forge.observe"}

test_what_nobody_may_ask if _may_ask("nobody") == set()

test_what_nobody_is_granted_by_access_alone if _granted("nobody") == set()

test_what_operator_may_ask if _may_ask("operator") == _every_action

test_what_operator_is_granted_by_access_alone if _granted("operator") == {"attempt.cancel", "attempt.invalidate", "autonomy.halt", "autonomy.resume", "bundle.activate", "bundle.replay", "bundle.rollback", "circuit.reset", "clock.accept", "event.append", "forge.observe", "invariants.check", "journal.prune", "route.read", "task.retry", "token.create", "token.revoke"}

# Each step of an attempt is about the asker's own.
test_no_step_is_about_another_attempt if {
	others := {action |
		some action in access.actions
		reasons := access.deny with input as object.union(fixture.by("attempt", action, {}), {
			"subject": fixture.worker, "attempt": {"id": "other", "target": "demo"}, "resource": {"id": "other"},
		})
		"access.not_own_attempt" in fixture.codes(reasons)
	}
	others == {"attempt.start", "agent.run", "attempt.heartbeat", "repository.fetch", "change.push", "attempt.evidence", "artifact.put", "attempt.finish", "pull_request.open"}
	elsewhere := {action |
		some action in access.actions
		reasons := access.deny with input as object.union(fixture.by("operator", action, {}), {"attempt": {"id": "a", "target": "other"}})
		"access.attempt_target" in fixture.codes(reasons)
	}
	elsewhere == {"attempt.start", "agent.run", "attempt.heartbeat", "change.push", "attempt.evidence", "artifact.put", "attempt.finish", "pull_request.open", "attempt.lost", "attempt.expire"}
}

test_the_events_of_the_gateway if {
	access.gateway_events == {
		"target.registered",
		"task.created", "task.blocked", "task.unblocked", "task.completed",
		"attempt.created", "attempt.started", "attempt.pushed", "attempt.succeeded", "attempt.failed",
		"attempt.cancelled", "attempt.expired", "attempt.invalidated", "attempt.evidence",
		"lease.renewed",
		"push.intended", "push.voided", "push.refused",
		"pr.intended", "pr.voided", "pr.created", "pr.observed", "pr.merged", "pr.closed",
		"artifact.created", "retry.scheduled", "job.submitted", "cycle.completed",
		"autonomy.halted", "autonomy.resumed",
		"circuit.opened", "circuit.half_opened", "circuit.closed",
		"bundle.activated", "bundle.rejected", "violation.detected",
		"token.created", "token.revoked",
		"forge.observed", "forge.probed", "config.observed", "clock.accepted", "gateway.started", "refused.evicted",
	}
}

test_an_action_that_nobody_knows if {
	fixture.lines(access.deny) == [
		"access.unknown_action: no policy names the action pull_request.merge",
	] with input as fixture.by("reader", "pull_request.merge", {})
}

test_no_action if {
	fixture.lines(access.deny) == [
		"access.unknown_action: no policy names the action of this question",
	] with input as json.remove(fixture.by("reader", "x", {}), ["/action"])
}

test_no_subject if {
	fixture.lines(access.deny) == [
		"access.role: the role of an unnamed subject may not ask for cycle.plan",
	] with input as json.remove(fixture.plan, ["/subject"])
}

test_no_role if {
	fixture.lines(access.deny) == [
		"access.role: the role of an unnamed subject may not ask for cycle.plan",
	] with input as json.remove(fixture.plan, ["/subject/role"])
}

test_an_event_of_the_gateway if {
	fixture.lines(access.deny) == [
		"access.event_type: events of type 7 are the gateway's own",
		"access.event_type: events of type attempt.failed are the gateway's own",
	] with input as _claim_of("attempt", ["attempt.failed", "x.y", 7])
}

test_an_event_without_an_attempt if {
	question := json.remove(_claim_of("attempt", ["x.y"]), ["/subject/attempt"])
	fixture.lines(access.deny) == [
		"access.event_attempt: the token of attempt ? may append events about that attempt alone",
	] with input as question
}

test_an_event_of_an_unnamed_attempt if {
	question := fixture.changed(_claim_of("attempt", ["x.y"]), {"/subject/attempt": "", "/request/attempts": [""]})
	fixture.lines(access.deny) == [
		"access.event_attempt: the token of attempt  may append events about that attempt alone",
	] with input as question
}

test_an_event_of_another_attempt if {
	question := fixture.changed(_claim_of("attempt", ["x.y"]), {"/request/attempts": ["other"]})
	fixture.lines(access.deny) == [
		"access.event_attempt: the token of attempt 01JAZ0000000000000000000AA may append events about that attempt alone",
	] with input as question
}

test_an_event_of_another_target if {
	question := fixture.changed(_claim_of("attempt", ["x.y"]), {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.event_attempt: the token of attempt 01JAZ0000000000000000000AA may append events about that attempt alone",
	] with input as question
}

test_an_event_of_the_operator_about_any_attempt if {
	question := fixture.changed(_claim_of("operator", ["attempt.failed"]), {"/request/attempts": ["other"]})
	fixture.lines(access.deny) == [] with input as question
}

test_a_route_of_the_operator if {
	question := fixture.by("reader", "route.read", {"route": "/v1/tokens", "method": "GET"})
	fixture.lines(access.deny) == [
		"access.route: the role reader may not read /v1/tokens",
	] with input as question
}

test_no_route if {
	fixture.lines(access.deny) == [
		"access.route: the role operator may not read this route",
	] with input as fixture.by("operator", "route.read", {"method": "GET"})
}

test_a_route_that_is_no_text if {
	question := fixture.by("operator", "route.read", {"route": 7, "method": "GET"})
	fixture.lines(access.deny) == [
		"access.route: the role operator may not read 7",
	] with input as question
}

test_a_route_that_is_no_text_for_a_reader if {
	question := fixture.by("reader", "route.read", {"route": 7, "method": "GET"})
	fixture.lines(access.deny) == [
		"access.route: the role reader may not read 7",
	] with input as question
}

test_only_the_head_of_a_route if {
	question := fixture.by("reader", "route.read", {"route": "/v1/x", "method": "HEAD"})
	fixture.lines(access.deny) == [] with input as question
}

test_a_method_that_changes if {
	question := fixture.by("operator", "route.read", {"route": "/v1/x", "method": "DELETE"})
	fixture.lines(access.deny) == [
		"access.route: the role operator may not read /v1/x",
	] with input as question
}

test_a_route_for_no_role if {
	question := json.remove(fixture.by("operator", "route.read", {"route": "/v1/x", "method": "GET"}), ["/subject/role"])
	fixture.lines(access.deny) == [
		"access.role: the role of an unnamed subject may not ask for route.read",
		"access.route: the role of an unnamed subject may not read /v1/x",
	] with input as question
}

test_a_token_for_the_operator if {
	fixture.lines(access.deny) == [
		"access.token_role: a token of role operator cannot be made here",
	] with input as fixture.by("operator", "token.create", {"role": "operator"})
}

test_a_token_for_no_role if {
	fixture.lines(access.deny) == [
		"access.token_role: a token of role ? cannot be made here",
	] with input as fixture.by("operator", "token.create", {})
}

test_the_attempt_of_another_target if {
	question := fixture.changed(fixture.push, {"/subject": fixture.component("operator"), "/attempt/target": "other"})
	fixture.lines(access.deny) == [
		"access.attempt_target: the attempt does not belong to target demo",
	] with input as question
}

test_no_target if {
	question := json.remove(fixture.changed(fixture.push, {"/subject": fixture.component("operator")}), ["/resource"])
	fixture.lines(access.deny) == [
		"access.attempt_target: the attempt does not belong to target ?",
	] with input as question
}

test_a_scheduler_bound_to_another_target if {
	question := fixture.changed(fixture.by("scheduler", "route.read", {"route": "/v1/attempts", "method": "GET"}), {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.other_target: the token is bound to target other",
	] with input as question
}

test_a_scheduler_bound_to_this_target if {
	question := fixture.changed(fixture.by("scheduler", "route.read", {"route": "/v1/attempts", "method": "GET"}), {"/subject/target": "demo"})
	fixture.lines(access.deny) == [] with input as question
}

test_a_reader_bound_to_another_target if {
	question := fixture.changed(fixture.by("reader", "route.read", {"route": "/v1/x", "method": "GET"}), {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.other_target: the token is bound to target other",
	] with input as question
}

test_a_reader_bound_to_this_target if {
	question := fixture.changed(fixture.by("reader", "route.read", {"route": "/v1/x", "method": "GET"}), {"/subject/target": "demo"})
	fixture.lines(access.deny) == [] with input as question
}

test_a_ingest_bound_to_another_target if {
	question := fixture.changed(fixture.by("ingest", "event.append", {"types": [], "attempts": []}), {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.other_target: the token is bound to target other",
	] with input as question
}

test_a_ingest_bound_to_this_target if {
	question := fixture.changed(fixture.by("ingest", "event.append", {"types": [], "attempts": []}), {"/subject/target": "demo"})
	fixture.lines(access.deny) == [] with input as question
}

test_a_operator_bound_to_another_target if {
	question := fixture.changed(fixture.by("operator", "autonomy.halt", {}), {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.other_target: the token is bound to target other",
	] with input as question
}

test_a_operator_bound_to_this_target if {
	question := fixture.changed(fixture.by("operator", "autonomy.halt", {}), {"/subject/target": "demo"})
	fixture.lines(access.deny) == [] with input as question
}

test_a_bound_token_without_a_resource if {
	question := json.remove(fixture.changed(fixture.by("operator", "autonomy.halt", {}), {"/subject/target": "other"}), ["/resource"])
	fixture.lines(access.deny) == [
		"access.other_target: the token is bound to target other",
	] with input as question
}

test_a_role_without_a_target if {
	question := json.remove(fixture.by("operator", "autonomy.halt", {}), ["/subject/target"])
	fixture.lines(access.deny) == [] with input as question
}

test_a_heartbeat_of_another_subject if {
	question := fixture.changed(fixture.heartbeat, {"/subject/attempt": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt other, and the question is about another one",
	] with input as question
}

test_a_fetch_of_another_subject if {
	question := fixture.changed(object.union(fixture.fetch, {"resource": {"id": "demo"}}), {"/subject/attempt": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt other, and the question is about another one",
	] with input as question
}

test_a_heartbeat_of_another_subject_target if {
	question := fixture.changed(fixture.heartbeat, {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_fetch_of_another_subject_target if {
	question := fixture.changed(object.union(fixture.fetch, {"resource": {"id": "demo"}}), {"/subject/target": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_heartbeat_of_another_attempt if {
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as fixture.changed(fixture.heartbeat, {"/attempt/id": "other"})
}

test_a_fetch_of_another_attempt if {
	question := fixture.changed(object.union(fixture.fetch, {"resource": {"id": "demo"}}), {"/attempt/id": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_heartbeat_of_another_attempt_target if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/target": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_fetch_of_another_attempt_target if {
	question := fixture.changed(object.union(fixture.fetch, {"resource": {"id": "demo"}}), {"/attempt/target": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_heartbeat_of_another_resource if {
	question := fixture.changed(fixture.heartbeat, {"/resource/id": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_fetch_of_another_resource if {
	question := fixture.changed(object.union(fixture.fetch, {"resource": {"id": "demo"}}), {"/resource/id": "other"})
	fixture.lines(access.deny) == [] with input as question
}

test_a_heartbeat_of_another_resource_target if {
	question := fixture.changed(fixture.heartbeat, {"/resource/properties/target": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_a_fetch_of_another_resource_target if {
	question := fixture.changed(object.union(fixture.fetch, {"resource": {"id": "demo"}}), {"/resource/properties/target": "other"})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt 01JAZ0000000000000000000AA, and the question is about another one",
	] with input as question
}

test_an_attempt_without_a_name if {
	question := fixture.changed(fixture.heartbeat, {"/subject/attempt": "", "/attempt/id": "", "/resource/id": ""})
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt , and the question is about another one",
	] with input as question
}

test_an_attempt_that_does_not_say_who_it_is if {
	fixture.lines(access.deny) == [
		"access.not_own_attempt: the token is of attempt ?, and the question is about another one",
	] with input as json.remove(fixture.heartbeat, ["/subject/attempt"])
}

test_routes_of_a_scheduler if {
	question := fixture.by("scheduler", "route.read", {"route": "/v1/autonomy/status", "method": "GET"})
	fixture.lines(access.deny) == [] with input as question
}
