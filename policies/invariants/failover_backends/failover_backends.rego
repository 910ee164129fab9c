# METADATA
# title: Failover backends
# description: |
#   The journal is durable, its migrations are in order and shipped, and tests
#   that run hold that a backup becomes a journal again and that what was
#   acknowledged survives a crash.
#   Parameters: package (the folder of the journal's code, which belongs into
#   code), pragmas (each a name and the only value that is durable), migrations
#   (their folder), tests (names of functions).
# custom:
#   needs: [code]
#   named: true
package leviathan.invariants.failover_backends

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: The journal's code is not looked at
# description: The facts have no Go file of the journal's folder.
# custom:
#   code: failover_backends.no_code
#   severity: error
#   message: "there is no Go file of {package} to look at"
#   remedy: "Name the folder in code of .leviathan/invariants.yaml, or another with parameters.failover_backends.package."
deny contains v if {
	count(_code) == 0
	v := lib.violation(rego.metadata.chain(), lib.file_place(_package), {"package": _package, "subject": _package})
}

# METADATA
# title: A durable setting is missing
# description: The database is opened without a pragma that a commit needs to survive a loss of power.
# custom:
#   code: failover_backends.no_pragma
#   severity: error
#   message: "nothing in {package} opens the database with {pragma}"
#   remedy: "Open the database that is written to with it."
deny contains v if {
	count(_code) > 0
	some name, value in _pragmas
	count([1 | some pragma in _set; pragma.name == name; _same(pragma.value, value)]) == 0
	v := lib.violation(rego.metadata.chain(), _opened, {"package": _package, "pragma": concat("=", [name, value]), "subject": name})
}

# METADATA
# title: A setting is not durable
# description: The database is opened with another value of a pragma, so that a commit that was acknowledged may be lost.
# custom:
#   code: failover_backends.weak_pragma
#   severity: error
#   message: "{name}={value} is not {wanted}"
#   remedy: "Open the database with {name}={wanted}."
deny contains v if {
	some pragma in _set
	wanted := _pragmas[pragma.name]
	not _same(pragma.value, wanted)
	v := lib.violation(rego.metadata.chain(), pragma.place, {"name": pragma.name, "value": pragma.value, "wanted": wanted, "subject": pragma.name})
}

# METADATA
# title: Migrations are not in order
# description: Migrations are numbered files, each number once and none left out, so that every database has run the same ones.
# custom:
#   code: failover_backends.migration_order
#   severity: error
#   message: "{file} is not the migration {number}"
#   remedy: "Number the migrations 0001_name.sql, 0002_name.sql and so on; one that was released is never changed or removed."
deny contains v if {
	some i, file in _migrations
	number := sprintf("%04d", [i + 1])
	not startswith(_base(file), concat("", [number, "_"]))
	v := lib.violation(rego.metadata.chain(), lib.file_place(file), {"file": file, "number": number, "subject": file})
}

# METADATA
# title: There are no migrations
# description: The folder of the migrations does not exist or has no SQL file.
# custom:
#   code: failover_backends.no_migrations
#   severity: error
#   message: "{folder} has no migration"
#   remedy: "Name the folder with parameters.failover_backends.migrations in .leviathan/invariants.yaml."
deny contains v if {
	count(_migrations) == 0
	v := lib.violation(rego.metadata.chain(), lib.file_place(_folder), {"folder": _folder, "subject": _folder})
}

# METADATA
# title: A migration is not shipped
# description: No go:embed of the journal's code has the migration, so that the program does not know it.
# custom:
#   code: failover_backends.not_embedded
#   severity: error
#   message: "{file} is in no go:embed of {package}"
#   remedy: "Embed the whole folder: //go:embed migrations/*.sql"
deny contains v if {
	count(_code) > 0
	some file in _migrations
	not _embedded(file)
	v := lib.violation(rego.metadata.chain(), lib.file_place(file), {"file": file, "package": _package, "subject": file})
}

# METADATA
# title: A test of failover is missing
# description: A test that must be there does not exist, or skips.
# custom:
#   code: failover_backends.no_test
#   severity: error
#   message: "no test {name} runs in {package}"
#   remedy: "Write it, or name its successor in parameters.failover_backends.tests of .leviathan/invariants.yaml."
deny contains v if {
	count(_code) > 0
	some name in lib.parameter("failover_backends", "tests", [
		"TestARestoredBackupIsTheJournal", "TestRestoreRefusesWhatDoesNotVerify",
		"TestWhatWasAcknowledgedSurvivesAKill",
	])
	not _tested(name)
	v := lib.violation(rego.metadata.chain(), _place_of(name), {"name": name, "package": _package, "subject": name})
}

_package := lib.parameter("failover_backends", "package", "gateway/journal")

_folder := lib.parameter("failover_backends", "migrations", concat("/", [_package, "migrations"]))

_pragmas := lib.parameter("failover_backends", "pragmas", {"synchronous": "FULL", "journal_mode": "WAL", "foreign_keys": "1"})

_code := {file: code | some file, code in input.code; _parent(file) == _package}

# _set are the pragmas that the code sets, as name=value, as a statement or as
# the driver's _pragma=name(value).
_set := [{"name": lower(found[1]), "value": found[2], "place": text} |
	some code in _code
	not code.test
	some text in code.strings
	some found in regex.find_all_string_submatch_n(`(?i)(?:^|[;&?\s])(?:_pragma=)?([a-z_]+)\s*[=(]\s*'?([a-z0-9_-]+)`, text.value, -1)
	_pragmas[lower(found[1])]
]

# _opened is where the database is opened: where one of the pragmas is set.
_opened := _set[0].place if count(_set) > 0

_opened := lib.file_place(min({file | some file, code in _code; not code.test})) if count(_set) == 0

_same(value, wanted) if lower(value) == lower(wanted)

_same(value, wanted) if lower(value) in _words[lower(wanted)]

# _words are other ways to write a value, and those that are stricter.
_words := {"full": {"2", "3", "extra"}, "1": {"on", "true", "yes"}}

_migrations := sort([file |
	some file, _ in input.files
	_parent(file) == _folder
	endswith(file, ".sql")
])

_embedded(file) if {
	some name, code in _code
	not code.test
	some embed in code.embeds
	glob.match(concat("/", [_parent(name), embed.pattern]), ["/"], file)
}

_embedded(file) if {
	some name, code in _code
	not code.test
	some embed in code.embeds
	startswith(file, concat("/", [_parent(name), embed.pattern, ""]))
}

_functions := [function | some code in _code; code.test; some function in code.functions]

_tested(name) if {
	some function in _functions
	function.name == name
	not function.skips
}

_place_of(name) := found[0] if {
	found := [function | some function in _functions; function.name == name]
	count(found) > 0
} else := lib.file_place(_package)

_parent(file) := concat("/", array.slice(parts, 0, count(parts) - 1)) if parts := split(file, "/")

_base(file) := parts[count(parts) - 1] if parts := split(file, "/")
