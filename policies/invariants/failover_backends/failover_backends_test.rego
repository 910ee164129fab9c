package leviathan.invariants.failover_backends_test

import rego.v1

import data.leviathan.invariants.failover_backends

_string(value, line) := {"file": "db/open.go", "line": line, "column": 3, "value": value, "function": "Open"}

_test(name) := {"file": "db/db_test.go", "line": 9, "column": 1, "name": name, "receiver": "", "skips": false}

_tree := {
	"code": {
		"db/open.go": {
			"test": false, "functions": [], "strings": [_string("journal_mode=WAL", 10), _string("synchronous=FULL", 11), _string("foreign_keys=1", 12)],
			"embeds": [{"file": "db/open.go", "line": 3, "column": 1, "pattern": "migrations/*.sql"}],
		},
		"db/db_test.go": {"test": true, "strings": [_string("synchronous=OFF", 20)], "embeds": [], "functions": [_test("TestRestore")]},
	},
	"files": {"db": {}, "db/migrations": {}, "db/migrations/0001_a.sql": {}, "db/migrations/0002_b.sql": {}, "db/migrations/README.md": {}},
	"settings": {"parameters": {"failover_backends": {"package": "db", "tests": ["TestRestore"]}}},
}

_s(i) := sprintf("/code/db~1open.go/strings/%d/value", [i])

_set(path, value) := {"op": "add", "path": path, "value": value}

_found(patches) := {[v.code, v.file, v.line, v.subject] | some v in denied} if {
	denied := failover_backends.deny with input as json.patch(_tree, patches)
}

_is(patches, code, file, line, subject) if _found(patches) == {[concat("", ["failover_backends.", code]), file, line, subject]}

test_a_durable_journal_holds if _found([]) == set()

test_the_code_is_looked_at if {
	_is([_set("/code", {})], "no_code", "db", 1, "db")
}

test_the_defaults_are_the_journals if {
	denied := failover_backends.deny with input as {"code": {}, "files": {}}
	{v.subject | some v in denied} == {"gateway/journal", "gateway/journal/migrations"}
}

test_a_pragma_that_is_missing if {
	_is([_set(_s(1), "cache_size=1")], "no_pragma", "db/open.go", 10, "synchronous")
	found := _found([{"op": "replace", "path": "/code/db~1open.go/strings", "value": []}])
	{[found_code, line] | some [found_code, _, line, _] in found} == {["failover_backends.no_pragma", 1]}
	count(found) == 3
}

test_a_pragma_that_is_weak if {
	_found([_set(_s(1), "PRAGMA Synchronous = normal")]) == {
		["failover_backends.no_pragma", "db/open.go", 10, "synchronous"],
		["failover_backends.weak_pragma", "db/open.go", 11, "synchronous"],
	}
	_is([_set("/code/db~1open.go/strings/-", _string("file:x?_pragma=synchronous(off)", 15))], "weak_pragma", "db/open.go", 15, "synchronous")
}

test_a_pragma_in_other_words if {
	every text in ["synchronous=EXTRA", "PRAGMA synchronous = 2;", "file:x?_pragma=synchronous(FULL)"] {
		_found([_set(_s(1), text)]) == set()
	}
	_found([_set(_s(2), "foreign_keys=ON")]) == set()
}

test_migrations_are_in_order if {
	_is([_set("/files/db~1migrations~10004_c.sql", {})], "migration_order", "db/migrations/0004_c.sql", 1, "db/migrations/0004_c.sql")
	_is([_set("/files/db~1migrations~10002_c.sql", {})], "migration_order", "db/migrations/0002_c.sql", 1, "db/migrations/0002_c.sql")
	_is([{"op": "remove", "path": "/files/db~1migrations~10001_a.sql"}], "migration_order", "db/migrations/0002_b.sql", 1, "db/migrations/0002_b.sql")
}

test_there_are_migrations if {
	_is([_set("/settings/parameters/failover_backends/migrations", "sql")], "no_migrations", "sql", 1, "sql")
}

test_migrations_are_shipped if {
	_is([_set("/code/db~1open.go/embeds/0/pattern", "migrations/0001*")], "not_embedded", "db/migrations/0002_b.sql", 1, "db/migrations/0002_b.sql")
	_found([_set("/code/db~1open.go/embeds/0/pattern", "migrations")]) == set()
}

test_tests_exist_and_run if {
	_is([_set("/settings/parameters/failover_backends/tests", ["TestGone"])], "no_test", "db", 1, "TestGone")
	_is([_set("/code/db~1db_test.go/functions/0/skips", true)], "no_test", "db/db_test.go", 9, "TestRestore")
}
