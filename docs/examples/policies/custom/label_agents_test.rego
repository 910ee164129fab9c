package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture

_labelled(path, labels) := {r.code | some r in denied} if {
	denied := custom.deny with input as fixture.set(fixture.start, path, labels)
}

test_a_task_without_a_label_may_have_any_agent if {
	_labelled("/attempt/task/labels", []) == set()
	_labelled("/attempt/task/labels", ["other"]) == set()
}

test_a_label_admits_its_agents_alone if {
	_labelled("/attempt/task/labels", ["docs"]) == set()
	_labelled("/attempt/task/labels", ["security"]) == {"custom.label_agent"}
	_labelled("/attempt/task/labels", ["docs", "security"]) == {"custom.label_agent"}
}

test_a_label_that_was_put_on_since_counts if {
	_labelled("/task_now/task/labels", ["security"]) == {"custom.label_agent"}
}

test_the_agent_is_held_to_the_label_when_it_runs if {
	fixture.codes(custom.deny) == {"custom.label_agent"} with input as fixture.set(fixture.run, "/attempt/task/labels", ["security"])
	custom.deny == set() with input as fixture.set(fixture.heartbeat, "/attempt/task/labels", ["security"])
}

test_an_agent_without_a_name_is_none_of_them if {
	some r in custom.deny with input as json.patch(fixture.start, [
		{"op": "remove", "path": "/attempt/agent"},
		{"op": "add", "path": "/attempt/task/labels", "value": ["docs"]},
	])
	r.message == "tasks labelled docs are not for the agent that is not named; they are for coder, reviewed-coder, writer"
}
