package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_start_as_it_should_be if {
	question := fixture.start
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
	delivery.allow == true with input as question
}

test_the_start_in_another_state if {
	question := fixture.changed(fixture.start, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.start needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_start_in_no_state if {
	question := json.remove(fixture.start, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; attempt.start needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_run_as_it_should_be if {
	question := fixture.run
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
	delivery.allow == true with input as question
}

test_the_run_in_another_state if {
	question := fixture.changed(fixture.run, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; agent.run needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_run_in_no_state if {
	question := json.remove(fixture.run, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; agent.run needs it to be reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_a_start_by_another_worker if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/request/instance": "i-2"})
	fixture.lines(delivery.deny) == [
		"delivery.already_started: another worker has started this attempt",
	] with input as question
}

test_a_start_by_the_same_worker if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_start_by_a_worker_without_a_name if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/request/instance": "", "/attempt/instance": ""})
	fixture.lines(delivery.deny) == [
		"delivery.already_started: another worker has started this attempt",
	] with input as question
}

test_a_start_by_a_worker_of_an_odd_name if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/request/instance": 7, "/attempt/instance": 7})
	fixture.lines(delivery.deny) == [
		"delivery.already_started: another worker has started this attempt",
	] with input as question
}

test_a_start_just_in_time if {
	question := fixture.changed(fixture.start, {"/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_start_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.start, ["/attempt/start_deadline_us"])
}

test_a_start_again_without_a_lease if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/attempt/lease/live": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_start_again_with_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.start, {"/attempt/state": "running", "/attempt/lease/known": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_run_just_in_time if {
	question := fixture.changed(fixture.run, {"/attempt/start_deadline_us": fixture.now_us})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_run_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.start_deadline: the attempt had to be started before 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.run, ["/attempt/start_deadline_us"])
}

test_a_run_again_without_a_lease if {
	question := fixture.changed(fixture.run, {"/attempt/state": "running", "/attempt/lease/live": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_a_run_again_with_a_lease_that_is_not_known if {
	question := fixture.changed(fixture.run, {"/attempt/state": "running", "/attempt/lease/known": false})
	fixture.lines(delivery.deny) == [
		"delivery.lease: the attempt's lease does not live",
	] with input as question
}

test_an_agent_with_type_203 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/type": "odd"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper type",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_command_204 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/command": []})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper command",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_command_205 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/command": ["a", 7]})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper command",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_command_206 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/command": "a"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper command",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_stdin_207 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/stdin": "all"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper stdin",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_stdin_208 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/stdin": "none"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "none",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_env_209 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env": {"A": 7}})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_env_210 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env": null})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_env_211 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env": ["x"]})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_env_from_212 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env_from": [7]})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env_from",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_env_from_213 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env_from": null})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": [],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_env_from_214 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/env_from": {"a": "x"}})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper env_from",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_sandbox_215 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/sandbox": "some"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper sandbox",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_sandbox_216 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/sandbox": "off"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": true, "read": ["/usr/share"], "required": false},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_memory_mb_217 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/memory_mb": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper memory_mb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_output_max_kb_218 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/output_max_kb": "1"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper output_max_kb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_type_219 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/type": "scaffold"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "scaffold",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_with_memory_mb_220 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/memory_mb": null})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper memory_mb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_with_output_max_kb_221 if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder/output_max_kb": null})
	fixture.lines(delivery.deny) == [
		"delivery.agent_incomplete: the config's agent coder has no proper output_max_kb",
	] with input as question
	delivery.obligations == {} with input as question
}

test_an_agent_that_is_not_known if {
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as fixture.changed(fixture.run, {"/agent/known": false})
}

test_an_agent_that_was_not_reserved if {
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as fixture.changed(fixture.run, {"/attempt/agent": "root"})
}

test_an_agent_that_the_config_lacks if {
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as json.remove(fixture.run, ["/config/values/agents/coder"])
}

test_an_agent_that_is_no_object if {
	question := fixture.changed(fixture.run, {"/config/values/agents/coder": "x"})
	fixture.lines(delivery.deny) == [
		"delivery.unknown_agent: the config has no agent coder",
	] with input as question
}

test_an_agent_that_is_not_for_choice if {
	question := fixture.changed(fixture.run, {"/config/values/agents/root": fixture.root, "/agent/name": "root", "/attempt/agent": "root", "/attempt/task/agent": "root"})
	fixture.lines(delivery.deny) == [
		"delivery.agent_not_selectable: a task may not choose the agent root",
	] with input as question
}

test_an_agent_that_was_not_chosen if {
	question := fixture.changed(fixture.run, {"/config/values/agents/root": fixture.root, "/agent/name": "root", "/attempt/agent": "root", "/attempt/task/agent": ""})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "root",
		"command": ["root"],
		"env": {},
		"env_from": [],
		"limits": {"memory_mb": 512, "output_max_kb": 1024},
		"sandbox": {"connect_ports": [443], "off": true, "read": ["/usr/share"], "required": false},
		"stdin": "none",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_an_agent_that_is_the_default if {
	question := fixture.changed(fixture.run, {"/config/values/agents/root": fixture.root, "/agent/name": "root", "/attempt/agent": "root", "/attempt/task/agent": "root", "/config/values/default_agent": "root"})
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"agent": "root",
		"command": ["root"],
		"env": {},
		"env_from": [],
		"limits": {"memory_mb": 512, "output_max_kb": 1024},
		"sandbox": {"connect_ports": [443], "off": true, "read": ["/usr/share"], "required": false},
		"stdin": "none",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_a_sandbox_that_is_optional if {
	question := fixture.changed(fixture.run, {"/config/values/sandbox": {"mode": "optional", "read": null, "connect_ports": null}})
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [], "off": false, "read": [], "required": false},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_a_sandbox_that_is_required if {
	question := fixture.changed(fixture.run, {"/config/values/sandbox/mode": "x"})
	delivery.obligations == {
		"agent": "coder",
		"command": ["coder", "--fast"],
		"env": {"MODE": "x"},
		"env_from": ["KEY"],
		"limits": {"memory_mb": 2048, "output_max_kb": 10240},
		"sandbox": {"connect_ports": [443], "off": false, "read": ["/usr/share"], "required": true},
		"stdin": "prompt",
		"type": "command",
		"verify": [{"command": ["make", "test"], "name": "unit", "timeout_seconds": 300}],
	} with input as question
}

test_a_run_of_no_verification if {
	delivery.obligations == {} with input as fixture.changed(fixture.run, {"/attempt/task/verify": []})
}

test_a_start_with_a_timeout_239 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 1})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 1,
	} with input as question
}

test_a_start_with_a_timeout_240 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 900})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_241 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 901})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_242 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": 0})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_243 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": -1})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_244 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": "1"})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}

test_a_start_with_a_timeout_245 if {
	question := fixture.changed(fixture.start, {"/attempt/task/timeout_seconds": null})
	delivery.obligations == {
		"lease_seconds": 60,
		"timeout_seconds": 900,
	} with input as question
}
