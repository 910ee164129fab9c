package leviathan.custom_test

import rego.v1

import data.leviathan.custom
import data.leviathan.fixture_test as fixture
import data.leviathan.main

# _beside is a plan in which T-1 may change one path, and T-2, whose work is
# under way, another.
_beside(mine, theirs) := object.union(fixture.plan, {
	"backlog": {
		"tasks": {
			"T-1": object.union(fixture.plan.backlog.tasks["T-1"], {"allowed_paths": [mine]}),
			"T-2": object.union(fixture.plan.backlog.tasks["T-1"], {"allowed_paths": [theirs]}),
		},
		"order": {"T-1": 0, "T-2": 1},
	},
	"state": {"open": 1, "tasks": {"T-2": fixture.record({"open_pr": 7})}},
})

_overlaps(question) := {r.code | some r in rs} if {
	rs := object.get(custom.deny_task, "T-1", set()) with input as question
}

test_a_path_that_open_work_may_change_waits if {
	every pair in [
		["docs/", "docs/"], ["docs/", "docs/api/"], ["docs/api/", "docs/"], ["docs/a.md", "docs/"], ["docs/", "docs"],
		["README.md", "README.md"], ["docs/*.md", "docs/api/"], ["**/x.md", "src/"], ["src/", "*.go"],
	] {
		_overlaps(_beside(pair[0], pair[1])) == {"custom.path_overlap"}
	}
}

test_paths_beside_each_other_do_not_wait if {
	every pair in [["docs/", "src/"], ["docs", "docs-old/"], ["docs/a.md", "docs/a.mdx"], ["src/a/*.go", "src/b/*.go"]] {
		_overlaps(_beside(pair[0], pair[1])) == set()
	}
}

test_a_live_attempt_is_work_under_way if {
	live := json.patch(_beside("docs/", "docs/"), [
		{"op": "replace", "path": "/state/tasks/T-2/open_pr", "value": 0},
		{"op": "replace", "path": "/state/tasks/T-2/live", "value": fixture.attempt_id},
	])
	_overlaps(live) == {"custom.path_overlap"}
	_overlaps(fixture.set(live, "/state/tasks/T-2/live", "")) == set()
}

test_work_that_is_over_stops_nothing if {
	_overlaps(fixture.set(_beside("docs/", "docs/"), "/state/tasks/T-2/open_pr", 0)) == set()
}

test_a_record_without_its_fields_is_work_under_way if {
	question := _beside("docs/", "docs/")
	_overlaps(fixture.without(fixture.set(question, "/state/tasks/T-2/open_pr", 0), "/state/tasks/T-2/live")) == {"custom.path_overlap"}
	_overlaps(fixture.without(question, "/state/tasks/T-2/open_pr")) == {"custom.path_overlap"}
}

test_work_of_a_task_that_is_gone_may_change_anything if {
	question := json.patch(_beside("docs/", "src/"), [
		{"op": "remove", "path": "/backlog/tasks/T-2"},
		{"op": "remove", "path": "/backlog/order/T-2"},
	])
	_overlaps(question) == {"custom.path_overlap_unknown"}
	_overlaps(fixture.set(question, "/state/tasks/T-2/open_pr", 0)) == set()
}

test_a_task_does_not_wait_for_itself if {
	alone := object.union(fixture.plan, {"state": {"tasks": {"T-1": fixture.record({"open_pr": 7})}}})
	_overlaps(alone) == set()
	gone := json.patch(_beside("docs/", "src/"), [{"op": "remove", "path": "/backlog/tasks/T-2/allowed_paths"}])
	object.keys(custom.deny_task) == {"T-1"} with input as gone
}

test_the_plan_goes_on_without_the_tasks_that_wait if {
	d := main.decision with input as _beside("docs/api/", "docs/") with custom._freezes as []
	d.allow
	d.obligations.reserve == []
	some r in d.obligations.skip["T-1"].reasons
	r.code == "custom.path_overlap"
	r.message == "docs/api/ is also open to T-2, whose work is under way"
}

test_overlap_is_about_plans_alone if {
	custom.deny_task == {} with input as object.union(_beside("docs/", "docs/"), {"action": "attempt.start"})
}
