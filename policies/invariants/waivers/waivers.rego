# METADATA
# title: Waivers
# description: |
#   Holds the waivers themselves to account. It is asked after all other
#   categories, with each waiver and how many violations it matches; a waiver
#   that is denied here waives nothing.
package leviathan.invariants.waivers

import rego.v1

import data.leviathan.invariants._lib as lib

# METADATA
# title: A waiver has expired
# description: The last day of a waiver is over, so that it waives nothing any more.
# custom:
#   code: waivers.expired
#   severity: error
#   message: "the waiver of {code} for {glob} ended with {expires}"
#   remedy: "Correct what it waived, or have its owner, {owner}, agree to a new date."
deny contains v if {
	some waiver in input.waivers
	waiver.expires < input.today
	v := lib.violation(rego.metadata.chain(), waiver, _values(waiver))
}

# METADATA
# title: A waiver waives nothing
# description: No violation has the code and the path of a waiver.
# custom:
#   code: waivers.unused
#   severity: error
#   message: "the waiver of {code} for {glob} matches no violation"
#   remedy: "Remove the waiver."
deny contains v if {
	some waiver in input.waivers
	waiver.matches == 0
	waiver.checked
	v := lib.violation(rego.metadata.chain(), waiver, _values(waiver))
}

# METADATA
# title: A waiver is too broad
# description: A waiver is for a path that begins with a wildcard, or for more than a year, so that it hides what nobody has looked at.
# custom:
#   code: waivers.too_broad
#   severity: error
#   message: "the waiver of {code} for {glob} is too broad: {why}"
#   remedy: "Name one code, and the file or the folder that it is about, for a year at most."
deny contains v if {
	some waiver in input.waivers
	some why in _too_broad(waiver)
	v := lib.violation(rego.metadata.chain(), waiver, object.union(_values(waiver), {"why": why}))
}

_too_broad(waiver) := {why |
	some why, yes in {
		"its path begins with a wildcard": regex.match(`^[*?\[{]`, waiver.glob),
		"its code is a pattern": regex.match(`[*?]`, waiver.code),
		"it ends more than a year from today": waiver.expires > input.in_a_year,
		"it matches more than 20 violations": waiver.matches > 20,
	}
	yes
}

_values(waiver) := {
	"code": waiver.code, "glob": waiver.glob, "expires": waiver.expires, "owner": waiver.owner,
	"subject": sprintf("%s %s", [waiver.code, waiver.glob]),
}
