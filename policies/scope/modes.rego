package leviathan.scope

import rego.v1

import data.leviathan.reason

_file_modes := {"100644", "100755"}

_modes := _file_modes | {"120000"}

# METADATA
# title: The change is malformed
# description: A change must have a path, an operation, a size, and the modes that its operation calls for.
# custom:
#   code: scope.malformed_change
#   message: "the change of {path} is incomplete or contradicts itself"
#   remedy: "Give path, op (add, modify or delete), size, and old_mode and new_mode as they apply."
path_reasons[j.key] contains r if {
	some j in judged
	j.change
	not _sound(j.change)
	not _gitlink(j.change)
	r := reason.of(rego.metadata.chain(), {"path": j.path})
}

_sound(change) if {
	is_string(change.path)
	is_number(change.size)
	change.size >= 0
	object.filter(change, {"op", "old_mode", "new_mode"}) in _sound_changes
}

_sound_changes := (_plain_changes | {{"op": "add", "new_mode": "120000"}}) | {{"op": "modify", "old_mode": old, "new_mode": "120000"} | some old in _modes}

# METADATA
# title: The change is of a submodule
# description: A submodule brings in another repository, which nobody here has judged.
# custom:
#   code: scope.submodule
#   message: "{path} is a submodule"
#   remedy: "Leave submodules to a human."
path_reasons[j.key] contains r if {
	some j in judged
	j.change
	_gitlink(j.change)
	r := reason.of(rego.metadata.chain(), {"path": j.path})
}

_gitlink(change) if change.new_mode == "160000"

_gitlink(change) if change.old_mode == "160000"

# METADATA
# title: The symbolic link leads astray
# description: |
#   A symbolic link must be relative and lead to a path inside the allowed
#   prefixes that is not protected.
# custom:
#   code: scope.symlink
#   message: "the symbolic link {path} leads to {to}"
#   remedy: "Point the link to a path inside the allowed prefixes, relative, with .. only at its beginning."
path_reasons[j.key] contains r if {
	some j in judged
	j.change
	not _link_ok(j.change)
	r := reason.of(rego.metadata.chain(), {"path": j.path, "to": object.get(j.change, "link_target", "an unknown place")})
}

_link_ok(change) if not change.new_mode == "120000"

_link_ok(change) if {
	change.new_mode == "120000"
	place := link_place(change.path, change.link_target)
	not _malformed(place)
	not is_protected(place)
	_inside(place)
}

# The place itself, or the folder of that name.
_inside(place) if within(place, prefixes)

_inside(place) if within(concat("", [place, "/"]), prefixes)

# link_place is where a relative link leads, from the root of the repository.
# Undefined for an absolute link, for one that leaves the repository, and for
# one with .. after a name: what that name is, cannot be known.
link_place(path, target) := concat("/", array.concat(array.slice(folder, 0, count(folder) - ups), names)) if {
	target != ""
	not startswith(target, "/")
	parts := [part | some part in split(target, "/"); not part in {"", "."}]
	ups := count([part | some part in parts; part == ".."])
	names := array.slice(parts, ups, count(parts))
	not ".." in names
	all_but_name := split(path, "/")
	folder := array.slice(all_but_name, 0, count(all_but_name) - 1)
	ups <= count(folder)
}
