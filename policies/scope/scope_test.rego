package leviathan.scope_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.scope

_codes(question) := {r.code | some r in reasons} if {
	reasons := scope.reasons with input as question
}

_added(paths) := fixture.push_of([fixture.added(path) | some path in paths])

# _change are the codes against one change of docs/a.md with other fields.
_change(fields) := _codes(fixture.push_of([object.union(fixture.added("docs/a.md"), fields)]))

# _of are the codes against a change as it is.
_of(change) := _codes(fixture.push_of([change]))

# _tasks is a push for a task with other allowed paths, as reserved and as now.
_tasks(question, reserved, present) := json.patch(question, [
	{"op": "replace", "path": "/attempt/task/allowed_paths", "value": reserved},
	{"op": "replace", "path": "/task_now/task/allowed_paths", "value": present},
])

_policy(question, values) := object.union(question, {"target_policy": {"state": "valid", "values": values}})

test_changes_inside_the_scope_are_allowed if {
	_codes(_added(["docs/a.md", "docs/b/c.md", "README.md"])) == set()
}

test_a_change_outside_the_prefixes_is_denied if {
	_codes(_tasks(_added(["other/a.md"]), ["other/"], ["other/"])) == {"scope.outside_prefix"}
	_codes(_tasks(_added(["docsx/a.md"]), ["docsx/"], ["docsx/"])) == {"scope.outside_prefix"}
	_codes(_tasks(_added(["README.md.bak"]), ["README.md.bak"], ["README.md.bak"])) == {"scope.outside_prefix"}
}

test_a_reason_names_path_and_prefixes if {
	some r in scope.reasons with input as _tasks(_added(["other/a.md"]), ["other/"], ["other/"])
	r.path == "other/a.md"
	r.message == "other/a.md is outside README.md, docs/, src/"
	r.rule == "leviathan.scope"
}

test_a_change_outside_the_task_is_denied if {
	_codes(_added(["src/a.go"])) == {"scope.outside_task"}
	_codes(_tasks(_added(["src/a.go"]), ["src/"], ["docs/"])) == {"scope.outside_task"}
	_codes(_tasks(_added(["src/a.go"]), ["docs/"], ["src/"])) == {"scope.outside_task"}
	_codes(_tasks(_added(["src/a.go"]), ["src/"], ["src/a.go"])) == set()
}

test_a_tasks_paths_may_be_files_folders_and_globs if {
	_codes(_tasks(_added(["docs/a/b.md"]), ["docs/**"], ["docs/*/b.md"])) == set()
	_codes(_tasks(_added(["docs/a/b/c.md"]), ["docs/**"], ["docs/*/"])) == set()
	_codes(_tasks(_added(["docs/a/b.md"]), ["docs/**"], ["docs/*.md"])) == {"scope.outside_task"}
	_codes(_tasks(_added(["docs/a.md/b"]), ["docs/"], ["docs/a.md"])) == {"scope.outside_task"}
	_codes(_tasks(_added(["docs/a.md"]), ["docs/", 7], ["docs/", 7])) == set()
}

test_protected_names_are_denied_at_any_depth_in_any_case if {
	every path in [
		"docs/.git/config", "docs/.GitHub/workflows/x.yml", "docs/.gitattributes", "docs/.leviathan/policy.yaml", "docs/a/CODEOWNERS",
		"docs/codeowners", "docs/Jenkinsfile.release", "docs/azure-pipelines-ci.yml", "docs/.drone.yml", "docs/claude.md",
		"docs/.Claude/settings.json", "docs/.cursorrules", "docs/.v\u017fcode/x", "docs/.envrc", "docs/GIT~1/config",
		"docs/CODEOWNERS::$DATA", "docs/leviathan-autonomy-config.yaml",
	] {
		"scope.protected" in _codes(_added([path]))
	}
}

test_names_that_only_look_like_protected_ones_are_allowed if {
	every path in ["docs/github/x.md", "docs/CODEOWNERS.md", "docs/xgit", "docs/envrc", "docs/drone.yml", "docs/digit.git"] {
		_codes(_added([path])) == set()
	}
}

test_malformed_paths_are_denied if {
	every path in [
		"docs//a", "/docs/a", "docs/./a", "docs/../a", "docs/a/", "docs/a\\b", "docs/a\u0000b", "docs/a\nb", "docs/.g\u200cit/config", "docs/a.",
		"docs/a ", "",
	] {
		count(_codes(_added([path])) & {"scope.malformed_path", "scope.outside_prefix"}) > 0
	}
	"scope.malformed_path" in _codes(_added(["docs/../a"]))
}

test_modes_must_go_with_the_operation if {
	_change({"new_mode": "100755"}) == set()
	_change({"new_mode": "040000"}) == {"scope.malformed_change"}
	_change({"old_mode": "100644"}) == {"scope.malformed_change"}
	_change({"op": "rename"}) == {"scope.malformed_change"}
	_of({"path": "docs/a.md", "op": "delete", "old_mode": "100644", "size": 0}) == set()
	_of({"path": "docs/a.md", "op": "delete", "size": 0}) == {"scope.malformed_change"}
	_of({"path": "docs/a.md", "op": "modify", "old_mode": "100644", "new_mode": "100755", "size": 3}) == set()
	_of({"path": "docs/a.md", "op": "modify", "new_mode": "100644", "size": 3}) == {"scope.malformed_change"}
}

test_a_change_must_have_path_and_size if {
	"scope.malformed_change" in _of({"op": "add", "new_mode": "100644", "size": 3})
	"scope.malformed_change" in _of({"path": 7, "op": "add", "new_mode": "100644", "size": 3})
	"scope.malformed_change" in _of("docs/a.md")
	_of({"path": "docs/a.md", "op": "add", "new_mode": "100644"}) == {"scope.malformed_change"}
	_change({"size": "3"}) == {"scope.malformed_change"}
	_change({"size": -1}) == {"scope.malformed_change"}
	_change({"size": null}) == {"scope.malformed_change"}
}

test_submodules_are_denied if {
	_change({"new_mode": "160000"}) == {"scope.submodule"}
	_of({"path": "docs/a", "op": "delete", "old_mode": "160000", "size": 0}) == {"scope.submodule"}
}

_link(path, target) := _codes(fixture.push_of([{"path": path, "op": "add", "new_mode": "120000", "size": count(target), "link_target": target}]))

test_a_symbolic_link_inside_the_prefixes_is_allowed if {
	_link("docs/a", "b.md") == set()
	_link("docs/a/b", "../c/./d.md") == set()
	_link("docs/a", "../src") == set()
	_link("docs/a", "../README.md") == set()
	_of({"path": "docs/a", "op": "modify", "old_mode": "100644", "new_mode": "120000", "size": 4, "link_target": "b.md"}) == set()
}

test_a_symbolic_link_that_leads_astray_is_denied if {
	every target in ["/etc/passwd", "../../x", "../other/x", "../.github/x", "b/../../x", "..", "", "b\\c"] {
		_link("docs/a", target) == {"scope.symlink"}
	}
	_of({"path": "docs/a", "op": "add", "new_mode": "120000", "size": 3}) == {"scope.symlink"}
}

test_too_many_files_are_denied if {
	_codes(_added([sprintf("docs/%d.md", [i]) | some i in numbers.range(1, 100)])) == set()
	_codes(_added([sprintf("docs/%d.md", [i]) | some i in numbers.range(1, 101)])) == {"scope.too_many_files"}
}

test_a_large_file_is_denied if {
	_change({"size": 1048576}) == set()
	_change({"size": 1048577}) == {"scope.file_too_large"}
}

test_a_refusal_names_fifty_paths_and_counts_the_others if {
	reasons := scope.reasons with input as _added([sprintf("src/%d.go", [i]) | some i in numbers.range(1, 60)])
	count([r | some r in reasons; r.code == "scope.outside_task"]) == 50
	some r in reasons
	r.code == "scope.more"
	r.message == "at least 10 more changed paths are refused"
}

test_a_bad_path_after_many_that_need_a_closer_look_is_found if {
	good := [sprintf("docs/x/%d.md", [i]) | some i in numbers.range(1, 1100)]
	question := fixture.set(_tasks(_added(array.concat(good, ["src/a.go"])), ["docs/*/*.md"], ["docs/"]), "/config/values/limits/max_files", 5000)
	_codes(question) == {"scope.outside_task"}
}

test_without_the_task_as_it_is_now_nothing_is_in_its_scope if {
	"scope.outside_task" in _codes(fixture.without(fixture.push, "/task_now"))
}

test_a_change_that_no_rule_explains_is_denied if {
	reasons := scope.deny with input as _added(["src/a.go"]) with scope.path_reasons as {}
	{r.code | some r in reasons} == {"scope.not_judged"}
}

test_the_targets_policy_forbids_paths if {
	_codes(_policy(fixture.push, {"forbidden_paths": ["docs/secret/**"]})) == set()
	every pattern in ["docs/*.md", "*.md", "a.md", "docs/", "docs/a.md", "**"] {
		_codes(_policy(fixture.push, {"forbidden_paths": [pattern]})) == {"scope.forbidden"}
	}
}

test_the_targets_policy_allows_a_list_of_globs if {
	_codes(_policy(fixture.push, {"allowed_paths": ["docs/**"]})) == set()
	_codes(_policy(fixture.push, {"allowed_paths": ["*.md"]})) == set()
	_codes(_policy(fixture.push, {"allowed_paths": ["src/**"]})) == {"scope.not_in_target_policy"}
	_codes(_policy(fixture.push, {"allowed_paths": []})) == {"scope.not_in_target_policy"}
}

test_the_targets_policy_allows_globs_by_scope if {
	_codes(_policy(fixture.push, {"allowed_paths": {"docs": ["docs/**"]}})) == set()
	_codes(_policy(fixture.push, {"allowed_paths": {"code": ["docs/**"]}})) == {"scope.not_in_target_policy"}
}

test_the_targets_policy_bounds_files_and_operations if {
	_codes(_policy(fixture.push, {"scope_constraints": {"docs": {"max_files_per_task": 1}}})) == set()
	_codes(_policy(_added(["docs/a.md", "docs/b.md"]), {"scope_constraints": {"docs": {"max_files_per_task": 1}}})) == {"scope.too_many_files"}
	_codes(_policy(fixture.push, {"scope_constraints": {"docs": {"allowed_operations": ["create"]}}})) == set()
	_codes(_policy(fixture.push, {"scope_constraints": {"docs": {"allowed_operations": ["update"]}}})) == {"scope.operation"}
}

test_the_targets_policy_bounds_sizes if {
	_codes(_policy(fixture.push, {"file_size_limits": {"max_file_size_kb": {"*.md": 1}}})) == set()
	_codes(_policy(fixture.push, {"file_size_limits": {"max_file_size_kb": {"*.md": 0}}})) == {"scope.file_too_large_for_target"}
	_codes(_policy(fixture.push, {"file_size_limits": {"max_file_size_kb": {"*.png": 0}}})) == set()
}

# _planned are the codes against a task's path in a plan.
_planned(path) := _in_plan(path, {"known": true, "state": "absent", "values": null})

_in_plan(path, policy) := {r.code | some rs in by_path; some r in rs} if {
	by_path := scope.path_reasons with input as json.patch(fixture.plan, [
		{"op": "replace", "path": "/backlog/tasks/T-1/allowed_paths", "value": [path]},
		{"op": "replace", "path": "/target_policy", "value": policy},
	])
}

test_a_tasks_path_must_lie_within_a_prefix if {
	every path in ["docs/", "docs/a/", "docs/a.md", "docs/**", "docs/*.md", "README.md", "src/a[0-9].go"] {
		_planned(path) == set()
	}
	every path in ["other/", "*.md", "**", "do*", "README*", "docs", "READMEx.md"] {
		_planned(path) == {"scope.outside_prefix"}
	}
}

test_a_tasks_path_must_be_well_formed_and_unprotected if {
	"scope.malformed_path" in _planned("docs/../src/")
	"scope.malformed_path" in _planned("/docs/")
	_planned("docs/.github/") == {"scope.protected"}
	_planned("docs/.github/**") == {"scope.protected"}
	_planned("docs//") == {"scope.malformed_path"}
}

test_a_tasks_path_must_agree_with_the_targets_policy if {
	_in_plan("docs/", {"known": true, "state": "valid", "values": {"allowed_paths": ["docs/guides/**"]}}) == set()
	_in_plan("docs/**", {"known": true, "state": "valid", "values": {"allowed_paths": ["docs/guides/**"]}}) == set()
	_in_plan("docs/a.md", {"known": true, "state": "valid", "values": {"allowed_paths": ["docs/guides/**"]}}) == {"scope.not_in_target_policy"}
	_in_plan("docs/", {"known": true, "state": "valid", "values": {"allowed_paths": ["src/**"]}}) == {"scope.not_in_target_policy"}
	_in_plan("docs/a/", {"known": true, "state": "valid", "values": {"forbidden_paths": ["docs/**"]}}) == {"scope.forbidden"}
	_in_plan("docs/a/", {"known": true, "state": "valid", "values": {"forbidden_paths": ["docs/b/**"]}}) == set()
	_in_plan("docs/a.md", {"known": true, "state": "valid", "values": {"allowed_paths": {"code": ["**"]}}}) == {"scope.not_in_target_policy"}
}

test_a_folder_that_a_glob_of_the_targets_policy_may_reach_passes if {
	_in_plan("docs/a/", {"known": true, "state": "valid", "values": {"allowed_paths": ["docs/*/x.md"]}}) == set()
}

test_a_folder_is_forbidden_when_all_below_it_is if {
	_in_plan("docs/a/", {"known": true, "state": "valid", "values": {"forbidden_paths": ["docs/a/**"]}}) == {"scope.forbidden"}
	_in_plan("docs/a/", {"known": true, "state": "valid", "values": {"forbidden_paths": ["docs/"]}}) == {"scope.forbidden"}
	_in_plan("docs/a/", {"known": true, "state": "valid", "values": {"forbidden_paths": ["docs/a/*.md"]}}) == set()
}

test_no_other_action_has_reasons_here if {
	scope.reasons == set() with input as fixture.heartbeat
	scope.judged == [] with input as fixture.heartbeat
}
