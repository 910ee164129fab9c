package leviathan.scope_test

import rego.v1

import data.leviathan.fixture_test as fixture
import data.leviathan.scope

_glance(changes) if scope._all_fine with input as fixture.push_of(changes)

_refused(changes) if {
	found := scope.reasons with input as fixture.push_of(changes)
	count(found) > 0
}

test_a_glance_is_enough_for_ordinary_files_in_one_folder if {
	_glance([fixture.added("docs/a.md")])
	_glance([
		fixture.added("docs/b/a.md"),
		{"path": "docs/z", "op": "modify", "old_mode": "100644", "new_mode": "100755", "size": 0},
		{"path": "docs/a", "op": "delete", "old_mode": "120000", "size": 0},
	])
}

test_a_glance_is_not_enough_for_anything_else if {
	every change in [
		fixture.added("README.md"),
		fixture.added("src/a.go"),
		fixture.added("docs/é.md"),
		object.union(fixture.added("docs/z"), {"size": -1}),
		object.union(fixture.added("docs/z"), {"size": "1"}),
		object.union(fixture.added("docs/z"), {"size": 1048577}),
		object.union(fixture.added("docs/z"), {"op": "rename"}),
		object.union(fixture.added("docs/z"), {"new_mode": "120000"}),
		object.remove(fixture.added("docs/z"), ["size"]),
		object.remove(fixture.added("docs/z"), ["path"]),
		object.union(fixture.added("docs/z"), {"path": 7}),
		object.union(fixture.added("docs/z"), {"path": []}),
		"docs/z",
		null,
	] {
		not _glance([fixture.added("docs/b.md"), change])
	}
	not _glance([])
}

# What the closer look refuses, no glance lets pass; names with what is in one
# of these are looked at, whether they are refused or not.
test_a_glance_sees_every_name_that_is_refused if {
	names := {
		".git", ".github", ".GitHub", ".gitattributes", "AGENTS.md", "agents.md", "CODEOWNERS", "Jenkinsfile.old", "Jen\u212Ainsfile",
		"bitbuc\u212Aet-pipelines.yml", "azure-pipelines-2.yml", ".cur\u017For", "git~1", ".git:x", ".", "..", "a.", "a ", "", "a\\b", "a\tb", "a\nb", "a\u0000b",
		"a\u007fb", "a\u200bb", "a\u00adb", "\u0000docs", "a\u0000/docs",
	}
	every name in names {
		every form in ["docs/%s", "docs/%s/a", "docs/a/%s"] {
			not _glance([fixture.added("docs/0"), fixture.added(sprintf(form, [name])), fixture.added("docs/zz")])
		}
	}
	every name in names {
		_refused([fixture.added(sprintf("docs/%s", [name]))])
	}
}

test_every_control_character_is_a_sign if {
	every code in numbers.range(1, 31) {
		json.unmarshal(sprintf(`"\u%04x"`, [code])) in scope._signs
	}
}

test_a_protected_name_that_may_mean_more_than_it_says_takes_the_glance_away if {
	not _glance([fixture.added("docs/a.md")]) with data.leviathan.scope.protected as {"ab?"}
	_glance([fixture.added("docs/a.md")]) with data.leviathan.scope.protected as {"ab*"}
	not _glance([fixture.added("docs/ABC")]) with data.leviathan.scope.protected as {"ab*"}
}

test_several_folders_are_one_glance_too if {
	_glance([fixture.added("docs/a.md"), fixture.added("src/a.go"), fixture.added("tests/a")]) with data.leviathan.scope._common_dirs as ["docs/", "src/", "tests/"]
	not _glance([fixture.added("docs/a.md"), fixture.added("other/a.go"), fixture.added("src/a")]) with data.leviathan.scope._common_dirs as ["docs/", "src/"]
}

_entries_glance(lists) if scope._all_entries_fine with input as object.union(fixture.plan, {"backlog": {"tasks": {sprintf("T-%d", [i + 1]): object.union(fixture.task, {"allowed_paths": list}) | some i, list in lists}}})

test_a_glance_is_enough_for_the_ordinary_paths_of_a_backlog if {
	_entries_glance([["docs/a.md"], ["docs/b/", "docs/c.md"]])
	_entries_glance([["docs/a.md", "src/"], ["src/b.go"]])
}

test_a_glance_is_not_enough_for_other_paths_of_a_backlog if {
	every list in [
		[], null, "docs/", {"a": "docs/"}, [7], ["README.md"], ["other/"], ["docs/*.md"], ["docs/?"], ["docs/[a]"], ["docs/{a,b}"], ["docs//a"],
		["docs/../a"], ["docs/.git/"], ["docs/é"], [""],
	] {
		not _entries_glance([["docs/a.md"], list])
	}
}
