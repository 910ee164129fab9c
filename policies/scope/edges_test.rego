package leviathan.scope_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.scope

# _said are the sentences of a refused push.
_said(question) := {r.message | some r in reasons} if {
	reasons := scope.reasons with input as question
}

_said_of(change) := _said(fixture.push_of([change]))

# _beside is a question about a change and one that no glance passes, so that
# the change is looked at on its own.
_beside(change) := fixture.push_of([change, fixture.added("README.md")])

test_a_refusal_says_which_path_and_why if {
	_said(_added(["src/a.go"])) == {"src/a.go is outside the task's allowed_paths"}
	_said(_added(["docs/../a"])) == {"docs/../a is not a path that can be judged"}
	_said(_added(["docs/.github/a"])) == {"docs/.github/a is protected"}
	_said_of({"path": "docs/a", "op": "add", "new_mode": "160000", "size": 0}) == {"docs/a is a submodule"}
	_said_of({"path": "docs/a", "op": "add", "new_mode": "100644"}) == {"the change of docs/a is incomplete or contradicts itself"}
	_said_of(object.union(fixture.added("docs/a"), {"size": 1048577})) == {"docs/a has 1048577 bytes, the limit is 1048576"}
	_said_of({"path": "docs/a", "op": "add", "new_mode": "120000", "size": 3, "link_target": "/etc"}) == {"the symbolic link docs/a leads to /etc"}
	_said_of({"path": "docs/a", "op": "add", "new_mode": "120000", "size": 3}) == {"the symbolic link docs/a leads to an unknown place"}
}

test_a_change_without_a_path_is_named_by_its_place if {
	"the change of changes[0] is incomplete or contradicts itself" in _said_of({"op": "add", "new_mode": "100644", "size": 3})
}

test_what_cannot_be_judged_is_named if {
	reasons := scope.deny with input as _added(["src/a.go"]) with scope.path_reasons as {}
	{r.message | some r in reasons} == {"src/a.go cannot be judged"}
}

test_too_many_files_are_counted if {
	_said(_added([sprintf("docs/%d.md", [i]) | some i in numbers.range(1, 101)])) == {"101 paths change, the limit is 100"}
	"0 paths change, the limit is not known" in _said({"action": "change.push"})
}

test_the_targets_policy_is_quoted if {
	_said(_policy(fixture.push, {"forbidden_paths": ["docs/*.md"]})) == {"docs/a.md is forbidden by .leviathan/policy.yaml (docs/*.md)"}
	_said(_policy(fixture.push, {"allowed_paths": {"code": []}})) == {"docs/a.md is not in allowed_paths of .leviathan/policy.yaml for scope docs"}
	_said(_policy(fixture.push, {"file_size_limits": {"max_file_size_kb": {"*.md": 0}}})) == {"docs/a.md has 12 bytes, more than .leviathan/policy.yaml allows"}
}

# _operation says what is said of a change when no operation is allowed.
_operation(change) := _said(_policy(fixture.push_of([change]), {"scope_constraints": {"docs": {"allowed_operations": []}}}))

test_an_operation_is_named_as_the_targets_policy_names_it if {
	text := "docs/a.md: to %s is not among the operations that .leviathan/policy.yaml allows"
	_operation(fixture.added("docs/a.md")) == {sprintf(text, ["create"])}
	_operation({"path": "docs/a.md", "op": "modify", "old_mode": "100644", "new_mode": "100644", "size": 3}) == {sprintf(text, ["update"])}
	_operation({"path": "docs/a.md", "op": "delete", "old_mode": "100644", "size": 0}) == {sprintf(text, ["delete"])}
	sprintf(text, ["?"]) in _operation(object.union(fixture.added("docs/a.md"), {"op": "rename"}))
}

test_each_operation_may_be_allowed if {
	every op, change in {
		"create": fixture.added("docs/a.md"),
		"update": {"path": "docs/a.md", "op": "modify", "old_mode": "100644", "new_mode": "100644", "size": 3},
		"delete": {"path": "docs/a.md", "op": "delete", "old_mode": "100644", "size": 0},
	} {
		_codes(_policy(fixture.push_of([change]), {"scope_constraints": {"docs": {"allowed_operations": [op]}}})) == set()
	}
}

test_every_protected_name_is_denied if {
	every name in [
		".git", ".github", ".gitlab-ci.yml", ".leviathan", "leviathan-autonomy-config", ".circleci", ".buildkite", ".woodpecker", ".woodpecker.yml",
		".drone.yml", ".travis.yml", "Jenkinsfile", "azure-pipelines.yml", "bitbucket-pipelines.yml", ".pre-commit-config.yaml", "CODEOWNERS",
		"AGENTS.md", "CLAUDE.md", ".claude", ".cursor", ".mcp.json", ".devcontainer", ".vscode", ".husky", ".envrc", "git~1",
	] {
		_codes(_added([sprintf("docs/%s", [name])])) == {"scope.protected"}
		_codes(_added([sprintf("docs/%s/a", [name])])) == {"scope.protected"}
	}
}

test_a_protected_name_below_an_allowed_prefix_is_denied_from_its_first_character if {
	every paths in [[".github/a.yml"], ["docs/a.md", ".github/a.yml"]] {
		question := fixture.set(_tasks(_added(paths), ["docs/", ".github/"], ["docs/", ".github/"]), "/config/values/allowed_path_prefixes", ["docs/", ".github/"])
		_codes(question) == {"scope.protected"}
	}
}

test_a_closer_look_lets_pass_what_only_looks_protected if {
	every path in ["docs/xgit", "docs/xcircleci/a", "docs/digit.git"] {
		_codes(_beside(fixture.added(path))) == set()
	}
}

test_a_glance_lets_pass_what_only_looks_protected if _glance([fixture.added("docs/digit.git"), fixture.added("docs/xgit")])

test_a_file_of_just_the_limit_is_small_enough_for_every_look if {
	most := object.union(fixture.added("docs/a.md"), {"size": 1048576})
	_glance([most])
	_codes(_beside(most)) == set()
	_codes(fixture.push_of([object.union(most, {"path": "README.md"})])) == set()
}

test_globs_of_a_task_mean_what_is_below_their_folders if {
	_codes(_tasks(_added(["docs/a/b.md"]), ["docs/*/**"], ["docs/"])) == set()
	_codes(_tasks(_added(["src/a.go"]), ["docs/*/"], ["src/"])) == {"scope.outside_task"}
}

test_what_is_no_text_among_the_prefixes_allows_nothing if {
	_codes(fixture.set(fixture.push, "/config/values/allowed_path_prefixes", ["docs/", 7, null])) == set()
	_codes(fixture.set(_added(["README.md"]), "/config/values/allowed_path_prefixes", ["docs/", 7])) == {"scope.outside_prefix"}
}

test_the_common_folders_are_the_deeper_ones if {
	scope.common({"docs/", "src/"}, {"docs/a/", "other/"}) == {"docs/a/"}
	scope.common({"docs/a/"}, {"docs/"}) == {"docs/a/"}
	scope.common({"docs/"}, {"docs/"}) == {"docs/"}
}

test_where_a_link_leads if {
	scope.link_place("docs/a", "b.md") == "docs/b.md"
	scope.link_place("docs/x/a", "../b//./c") == "docs/b/c"
	scope.link_place("docs/a", "../src") == "src"
	every target in ["b/../c", "../../x", "/etc", ""] {
		not scope.link_place("docs/a", target)
	}
}

test_a_link_to_what_is_protected_or_beyond_the_root_is_denied if {
	_link("docs/a", ".github/x") == {"scope.symlink"}
	_link("docs/a", "../../src/x") == {"scope.symlink"}
}

# _many are changes in docs/, of which those at the given places are in src/.
_many(n, bad) := [fixture.added(path) |
	some i in numbers.range(0, n - 1)
	path := _path_at(i, bad)
]

_path_at(i, bad) := sprintf("src/%d.go", [i]) if i in bad

_path_at(i, bad) := sprintf("docs/%d.md", [i]) if not i in bad

test_of_too_many_changes_the_first_two_hundred_are_looked_at if {
	every place in [0, 199] {
		_said(fixture.push_of(_many(210, {place}))) == {"210 paths change, the limit is 100", sprintf("src/%d.go is outside the task's allowed_paths", [place])}
	}
	_said(fixture.push_of(_many(210, {200}))) == {"210 paths change, the limit is 100"}
}

test_as_many_changes_as_may_be_are_all_looked_at if {
	_codes(fixture.set(fixture.push_of(_many(300, {250})), "/config/values/limits/max_files", 300)) == {"scope.outside_task"}
}

# _more says how many more are refused than are named.
_more(changes) := {r.message | some r in reasons; r.code == "scope.more"} if {
	reasons := scope.reasons with input as fixture.set(fixture.push_of(changes), "/config/values/limits/max_files", 5000)
}

test_fifty_refused_paths_are_named_and_none_is_more if {
	_more(_many(60, numbers.range(0, 49))) == set()
	_more(_many(60, numbers.range(0, 50))) == {"at least 1 more changed paths are refused"}
}

test_the_rest_is_looked_at_when_the_sample_is_not_bad_enough if {
	changes := [fixture.added(sprintf("src/%d.go", [i])) | some i in numbers.range(0, 59)]
	_more(changes) == {"at least 10 more changed paths are refused"} with scope._sample as 50
	_more(changes) == {"at least 1 more changed paths are refused"} with scope._sample as 51
}

test_both_scopes_of_a_task_must_be_allowed_the_path if {
	question := fixture.set(fixture.push, "/task_now/task/scope", "code")
	_codes(_policy(question, {"allowed_paths": {"docs": ["docs/**"], "code": ["docs/**"]}})) == set()
	_codes(_policy(question, {"allowed_paths": {"docs": ["docs/**"]}})) == {"scope.not_in_target_policy"}
	_codes(_policy(question, {"allowed_paths": {"code": ["docs/**"]}})) == {"scope.not_in_target_policy"}
}

test_a_bound_of_no_files_is_none if {
	_codes(_policy(fixture.push, {"scope_constraints": {"docs": {"max_files_per_task": 0}}})) == set()
}

test_a_size_of_just_the_targets_bound_is_small_enough if {
	bounds := {"file_size_limits": {"max_file_size_kb": {"*.md": 1}}}
	_codes(_policy(fixture.push_of([object.union(fixture.added("docs/a.md"), {"size": 1024})]), bounds)) == set()
	_codes(_policy(fixture.push_of([object.union(fixture.added("docs/a.md"), {"size": 1025})]), bounds)) == {"scope.file_too_large_for_target"}
}

# _forbids reports whether the target's pattern forbids the path.
_forbids(pattern, path) if "scope.forbidden" in _codes(_policy(_added([path]), {"forbidden_paths": [pattern]}))

test_a_pattern_with_a_slash_is_about_the_whole_path if {
	not _forbids("{x/,}a.md", "docs/a.md")
	not _forbids("docs/*.md", "docs/x/a.md")
	not _forbids("docs/a", "docs/ab.md")
	not _forbids("src/", "docs/a.md")
	_forbids("docs/", "docs/a.md")
}

_valid(values) := {"known": true, "state": "valid", "values": values}

test_an_entry_of_several_files_passes_if_one_pattern_can_reach_below_it if {
	every entry in ["docs/", "docs/**", "docs/*.md"] {
		_in_plan(entry, _valid({"allowed_paths": ["src/**", "docs/guides/**"]})) == set()
		_in_plan(entry, _valid({"allowed_paths": ["src/**"]})) == {"scope.not_in_target_policy"}
	}
	_in_plan("docs/a.md", _valid({"allowed_paths": ["docs/a.md/*"]})) == {"scope.not_in_target_policy"}
}

test_a_pushed_folder_is_no_entry if {
	_codes(_policy(_added(["docs/a/"]), {"allowed_paths": ["docs/a/b/*"]})) == {"scope.malformed_path", "scope.not_in_target_policy"}
}

# _plan_says are the sentences against a task's path in a plan.
_plan_says(path, policy) := {r.message | some rs in by_path; some r in rs} if {
	by_path := scope.path_reasons with input as json.patch(fixture.plan, [
		{"op": "replace", "path": "/backlog/tasks/T-1/allowed_paths", "value": [path]},
		{"op": "replace", "path": "/target_policy", "value": policy},
	])
}

test_a_plan_names_the_scope_where_scopes_differ if {
	_plan_says("docs/a.md", _valid({"allowed_paths": {"code": []}})) == {"docs/a.md is not in allowed_paths of .leviathan/policy.yaml for scope docs"}
	_plan_says("docs/a.md", _valid({"allowed_paths": []})) == {"docs/a.md is not in allowed_paths of .leviathan/policy.yaml for scope "}
}

test_what_cannot_be_seen_is_looked_for_in_entries if _planned("docs/a\u200cb/") == {"scope.malformed_path"}

test_a_task_without_a_list_takes_the_glance_away if {
	listed := fixture.set(fixture.plan, "/backlog/tasks/T-1/allowed_paths", ["docs/a.md"])
	scope._all_entries_fine with input as listed
	not scope._all_entries_fine with input as fixture.set(listed, "/backlog/tasks/T-2", object.remove(fixture.task, ["allowed_paths"]))
}

test_a_push_is_judged_as_a_push_alone if {
	bad := _added([sprintf("src/%d.go", [i]) | some i in numbers.range(1, 120)])
	scope.reasons == set() with input as object.union(bad, {"action": "attempt.heartbeat"})
	scope.deny == set() with input as object.union(bad, {"action": "attempt.heartbeat"})
}

test_a_plan_has_no_reasons_of_a_push if {
	every path in ["docs/*.md", "other/a.md"] {
		question := fixture.set(fixture.plan, "/backlog/tasks/T-1/allowed_paths", [path])
		scope.reasons == set() with input as question
		scope.deny == set() with input as question
	}
}
