# METADATA
# title: Reasons
# description: |
#   Builds the reasons of a decision from the METADATA of the rules that give
#   them, so that every sentence is written once. It decides nothing.
package leviathan.reason

import rego.v1

# of makes one reason. chain is rego.metadata.chain() of the rule that denies;
# values fill the {placeholders} of its custom.message and custom.remedy. A
# value under "path" also becomes the reason's path.
#
# It is total: a rule without METADATA, which a parser that skips annotations
# would give, still yields a reason. A denial must never depend on its text.
of(chain, values) := object.union(
	{
		"code": object.get(custom, "code", "unknown.rule_text"),
		"message": fill(object.get(custom, "message", "denied by a rule without text"), values),
		"rule": rule_of(chain),
	},
	object.union(_remedy(custom, values), object.filter(values, ["path"])),
) if {
	custom := object.get({"chain": chain}, ["chain", 0, "annotations", "custom"], {})
}

# fixed is the reason of a rule whose text depends on nothing.
fixed(chain) := of(chain, {})

# fill replaces {name} by the value of that name.
fill(text, values) := strings.replace_n(
	{sprintf("{%s}", [name]): sprintf("%v", [value]) | some name, value in values},
	text,
)

# rule_of is the package of the rule, without "data.".
rule_of(chain) := concat(".", array.slice(path, 0, _depth(path))) if {
	path := object.get({"chain": chain}, ["chain", 0, "path"], ["leviathan", "main"])
}

# One folder is one package, but for the invariants, which have one for each.
_depth(path) := 3 if path[1] == "invariants"

_depth(path) := 2 if path[1] != "invariants"

_remedy(custom, values) := {"remedy": fill(custom.remedy, values)}

_remedy(custom, _) := {} if not custom.remedy

# told is the text of a fact that says why it is as it is.
told(text) := text if {
	is_string(text)
	text != ""
}

told(text) := "no reason is given" if not is_string(text)

told("") := "no reason is given"
