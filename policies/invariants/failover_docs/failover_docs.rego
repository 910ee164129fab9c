# METADATA
# title: Failover documentation
# description: |
#   A page says what to do when a part is lost, with commands for each case that
#   exist and that a test runs.
#   Parameters: document, topics (words of headings), test (the file of the test
#   that runs the page's commands).
# custom:
#   needs: [markdown]
#   named: true
package leviathan.invariants.failover_docs

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: There is no page about failover
# description: The document that says what to do when a part is lost does not exist.
# custom:
#   code: failover_docs.no_document
#   severity: error
#   message: "{document} does not exist"
#   remedy: "Write it, or name another with parameters.failover_docs.document in .leviathan/invariants.yaml."
deny contains v if {
	not _page
	v := lib.violation(rego.metadata.chain(), lib.file_place(_document), {"document": _document, "subject": _document})
}

# METADATA
# title: A case is not described
# description: No heading of the page is about one of the cases that must be there.
# custom:
#   code: failover_docs.missing_topic
#   severity: error
#   message: "{document} has no heading about: {topic}"
#   remedy: "Write a section for it, with the commands to type and what they print."
deny contains v if {
	_page
	some topic in _topics
	count(_sections(topic)) == 0
	v := lib.violation(rego.metadata.chain(), lib.file_place(_document), {"document": _document, "topic": topic, "subject": topic})
}

# METADATA
# title: A case has no commands
# description: The section about a case has no block of console with a command that could be typed and tested.
# custom:
#   code: failover_docs.no_commands
#   severity: error
#   message: "the section about {topic} has no command"
#   remedy: "Write a block of console with the commands behind $ and what they print."
deny contains v if {
	some topic in _topics
	sections := _sections(topic)
	count(sections) > 0
	count([command | some section in sections; some command in _commands; _within(command, section)]) == 0
	v := lib.violation(rego.metadata.chain(), sections[0].heading, {"topic": topic, "subject": topic})
}

# METADATA
# title: A command does not exist
# description: The page tells the reader to type a command or a flag that this release does not have.
# custom:
#   code: failover_docs.unknown_command
#   severity: error
#   message: "{what}"
#   remedy: "Write what the release has; leviathan help lists it."
deny contains v if {
	some command in _commands
	some what in _wrong(command.words)
	v := lib.violation(rego.metadata.chain(), command, {"what": what, "subject": concat(" ", command.words)})
}

# METADATA
# title: No test runs the page
# description: The test that is to run the page's commands does not exist, skips, or does not name the page.
# custom:
#   code: failover_docs.not_tested
#   severity: error
#   message: "{test} does not run {document}"
#   remedy: "Name the page in the test that runs the documents' commands; its folder belongs into code of .leviathan/invariants.yaml."
deny contains v if {
	_page
	test := lib.parameter("failover_docs", "test", "")
	test != ""
	not _runs(test)
	v := lib.violation(rego.metadata.chain(), lib.file_place(test), {"test": test, "document": _document, "subject": test})
}

_document := lib.parameter("failover_docs", "document", "docs/22_FAILOVER.md")

_page := input.markdown[_document]

_topics := lib.parameter("failover_docs", "topics", ["backup", "restore", "lost node", "lost volume"])

# _sections are the parts of the page whose heading has all words of a topic: a
# section ends at the next heading that is not below it.
_sections(topic) := [{"heading": heading, "end": end} |
	some i, heading in _page.headings
	heading.level > 1
	words := {word | some word in regex.find_n(`[a-z0-9]+`, lower(heading.text), -1)}
	count({word | some word in split(topic, " ")} - words) == 0
	ends := [next.line | some j, next in _page.headings; j > i; next.level <= heading.level]
	end := array.concat(ends, [1000000])[0]
]

_within(place, section) if {
	place.line > section.heading.line
	place.line < section.end
}

_commands := [command |
	some block in _page.code
	block.language == "console"
	some command in block.commands
]

_wrong(words) := {sprintf("there is no command %s", [concat(" ", words)])} if {
	words[0] == "leviathan"
	not _known(words)
}

_wrong(words) := {sprintf("%s has no flag %s", [_name(words), word]) |
	some word in words
	startswith(word, "--")
	not _known(words).flags[split(trim_prefix(word, "--"), "=")[0]]
} if {
	words[0] == "leviathan"
	_known(words)
}

_known(words) := command if {
	command := input.binary.commands[_name(words)]
	command.runs
}

# _name is the longest beginning of the words that is a command.
_name(words) := names[count(names) - 1] if {
	names := [name |
		some n in numbers.range(1, count(words))
		name := concat(" ", array.slice(words, 0, n))
		input.binary.commands[name]
	]
}

_runs(test) if {
	file := input.code[test]
	some text in file.strings
	text.value in {_document, regex.replace(_document, `^.*/`, ""), regex.replace(regex.replace(_document, `^.*/`, ""), `\.md$`, "")}
	some function in file.functions
	function.name == text.function
	not function.skips
}
