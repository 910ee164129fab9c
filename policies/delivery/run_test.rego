package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

_obligations(question) := o if {
	o := delivery.obligations with input as question
}

# _by_root is a run with the agent that has no sandbox.
_by_root := json.patch(fixture.run, [
	{"op": "add", "path": "/config/values/agents/root", "value": fixture.root},
	{"op": "replace", "path": "/agent/name", "value": "root"},
	{"op": "replace", "path": "/attempt/agent", "value": "root"},
	{"op": "replace", "path": "/attempt/task/agent", "value": "root"},
])

test_start_says_how_long if {
	_obligations(fixture.start) == {"lease_seconds": 60, "timeout_seconds": 900}
	_obligations(fixture.set(fixture.start, "/attempt/task/timeout_seconds", 300)) == {"lease_seconds": 60, "timeout_seconds": 300}
	_obligations(fixture.set(fixture.start, "/attempt/task/timeout_seconds", 3000)) == {"lease_seconds": 60, "timeout_seconds": 900}
}

test_a_heartbeat_renews_the_lease if {
	_obligations(fixture.heartbeat) == {"lease_seconds": 60}
}

test_a_run_is_what_the_operator_wrote if {
	_obligations(fixture.run) == {
		"agent": "coder", "type": "command", "command": ["coder", "--fast"], "env": {"MODE": "x"}, "env_from": ["KEY"], "stdin": "prompt",
		"sandbox": {"required": true, "off": false, "read": ["/usr/share"], "connect_ports": [443]},
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"verify": [{"name": "unit", "command": ["make", "test"], "timeout_seconds": 300}],
	}
}

test_only_an_explicit_optional_lifts_the_sandbox if {
	_obligations(fixture.set(fixture.run, "/config/values/sandbox/mode", "optional")).sandbox.required == false
	_obligations(fixture.set(fixture.run, "/config/values/sandbox/mode", "odd")).sandbox.required == true
}

test_an_agent_without_a_sandbox_runs_when_the_operator_made_it_the_default if {
	question := fixture.set(_by_root, "/config/values/default_agent", "root")
	_codes(question) == set()
	o := _obligations(question)
	o.sandbox == {"required": false, "off": true, "read": ["/usr/share"], "connect_ports": [443]}
	o.env == {}
	o.env_from == []
}

test_a_task_may_not_choose_an_agent_that_is_not_for_choice if {
	_codes(_by_root) == {"delivery.agent_not_selectable"}
	_codes(fixture.without(_by_root, "/attempt/task/agent")) == set()
}

test_the_agent_must_be_the_reserved_one_and_known if {
	_set(fixture.run, "/agent/known", false) == {"delivery.unknown_agent"}
	_set(fixture.run, "/attempt/agent", "root") == {"delivery.unknown_agent"}
	"delivery.unknown_agent" in _codes(fixture.without(fixture.run, "/config/values/agents/coder"))
}

test_an_incomplete_agent_does_not_run if {
	every field in ["type", "command", "stdin", "env", "env_from", "sandbox", "memory_mb", "output_max_kb"] {
		_set(fixture.run, concat("/", ["/config/values/agents/coder", field]), true) == {"delivery.agent_incomplete"}
	}
	_set(fixture.run, "/config/values/agents/coder/command", []) == {"delivery.agent_incomplete"}
	_set(fixture.run, "/config/values/agents/coder/command", ["a", 7]) == {"delivery.agent_incomplete"}
}

test_a_scaffold_needs_no_command if {
	question := json.patch(fixture.run, [
		{"op": "replace", "path": "/config/values/agents/coder/type", "value": "scaffold"},
		{"op": "replace", "path": "/config/values/agents/coder/command", "value": null},
	])
	_codes(question) == set()
	_obligations(question).command == []
}

test_a_verification_must_be_the_operators if {
	_set(fixture.run, "/config/values/verify", {}) == {"delivery.unknown_verify"}
	_set(fixture.run, "/config/values/verify/unit/command", "make test") == {"delivery.unknown_verify"}
}

test_a_refused_push_ends_the_attempt_when_it_was_the_last if {
	wrong := fixture.set(fixture.push, "/push/ref", "refs/heads/main")
	_obligations(fixture.push) == {}
	_obligations(wrong) == {"end": false}
	_obligations(fixture.set(wrong, "/attempt/push_attempts", 2)) == {"end": true}
}

test_a_push_that_is_refused_for_an_unknown_fact_uses_up_none if {
	unsettled := fixture.set(fixture.push, "/attempt/has_push_intent", true)
	_obligations(fixture.set(unsettled, "/attempt/push_attempts", 2)) == {"end": false}
}

test_a_probe_that_proposes_closes_the_breaker if {
	_obligations(fixture.open) == {"circuit": null}
	question := fixture.set(fixture.set(fixture.open, "/attempt/probe", true), "/state/circuit/state", "half_open")
	_obligations(question) == {"circuit": {"event": "closed"}}
}
