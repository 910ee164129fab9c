package leviathan.main_test

import rego.v1

import data.leviathan.access
import data.leviathan.delivery
import data.leviathan.fixture_test as fixture
import data.leviathan.main

test_reasons_of_all_packages_are_collected_and_sorted if {
	question := json.patch(fixture.push_of([fixture.added("other/a.md")]), [
		{"op": "replace", "path": "/halt/target", "value": {"reason": "fire"}},
		{"op": "replace", "path": "/push/ref", "value": "refs/heads/main"},
		{"op": "replace", "path": "/push/problems", "value": [{"code": "scope.bad_name", "message": "m"}]},
	])
	d := main.decision with input as question
	not d.allow
	[r.code | some r in d.reasons] == ["delivery.ref", "guard.halted", "scope.bad_name", "scope.outside_prefix", "scope.outside_task"]
	d.obligations == {"end": false}
}

test_what_follows_from_an_allowed_action_is_not_said_of_a_denied_one if {
	d := main.decision with input as fixture.set(fixture.heartbeat, "/halt/target", {"reason": "fire"})
	not d.allow
	d.obligations == {}
}

test_a_plan_explains_itself_when_it_is_denied if {
	d := main.decision with input as fixture.set(fixture.plan, "/config/values/autonomy_enabled", false)
	not d.allow
	d.obligations.reserve == []
	d.obligations.skip["T-1"].reasons == d.reasons
}

test_every_reason_has_code_message_rule_and_remedy if {
	d := main.decision with input as {"action": "change.push"}
	count(d.reasons) > 10
	every r in d.reasons {
		{"code", "message", "rule", "remedy"} - object.keys(r) == set()
		not contains(r.message, "{")
	}
}

test_every_action_says_which_of_its_fields_may_be_missing if {
	object.keys(main.optional_fields) == access.actions
	every _, fields in main.optional_fields {
		every pointer, why in fields {
			startswith(pointer, "/")
			why != ""
			not pointer in {"/action", "/subject", "/subject/role"}
		}
	}
}

test_an_optional_field_may_be_missing if {
	every pointer in ["/context", "/time/now", "/subject/asked_by", "/attempt/number", "/state"] {
		d := main.decision with input as json.remove(fixture.heartbeat, [pointer])
		d.allow
	}
}

test_what_follows_from_an_allowed_question_is_said_with_it if {
	every question in [fixture.run, fixture.start, fixture.heartbeat] {
		d := main.decision with input as question
		d.allow
		d.obligations == delivery.obligations with input as question
		d.obligations != {}
	}
}
