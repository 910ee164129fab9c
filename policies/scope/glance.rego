package leviathan.scope

import rego.v1

# One glance at a whole push, or at the paths of a whole backlog. Nearly all name
# ordinary files where they may be, and however many they are, a few builtins
# over all of them tell. The glance may miss that all is fine, and never takes
# for fine what is not: what it does not pass is looked at one by one.
default _all_fine := false

_all_fine if {
	_target_silent
	_paths_fine
	_operations_fine # of objects, as all that have a path are
	_sizes_fine
}

_paths_fine if {
	paths := [path | path := _looked_at[_].path]
	count(paths) == count(_looked_at)
	_all_texts(paths)
	_plain_names(paths, _signs | {"/\u0000"})
	_all_below(paths, _common_dirs)
}

_operations_fine if {
	operations := {operation | operation := object.filter(_looked_at[_], {"op", "old_mode", "new_mode"})}
	count(operations - _plain_changes) == 0
}

# When the least and the greatest size are in bounds, all are.
_sizes_fine if {
	sizes := [size | size := _looked_at[_].size]
	count(sizes) == count(_looked_at)
	min(sizes) >= 0
	max(sizes) <= _max_bytes
}

# all_listed: every task has a list of paths that it may change, and in it paths
# and nothing else.
all_listed if {
	count([1 | input.backlog.tasks[_].allowed_paths]) == count(input.backlog.tasks)
	is_array(min(_lists))
	is_array(max(_lists))
	not [] in _lists
	_all_texts(_all_entries)
}

_all_entries := {path | path := _lists[_][_]}

_all_entries_fine if {
	_target_silent
	all_listed
	paths := [path | some path in _all_entries]
	_plain_names(paths, _signs | {"*", "?", "[", "{"})
	_all_below(paths, prefixes.dirs)
}

# Values have one order, in which texts stand together, and among them those
# that begin alike: when the least and the greatest pass, so do all between.
_all_texts(values) if {
	is_string(min(values))
	is_string(max(values))
}

_all_below(paths, folders) if _below_one(paths, folders)

_all_below(paths, folders) if {
	not _below_one(paths, folders)
	count([1 | some path in paths; strings.any_prefix_match(path, folders)]) == count(paths)
}

_below_one(paths, folders) if {
	some folder in folders
	startswith(min(paths), folder)
	startswith(max(paths), folder)
}

# The paths are put together as one text, in which each name stands behind a
# slash, and each path ends in a character that it cannot have. The text is lower
# case, and ASCII: as many bytes, of two hex digits each, as characters. What
# other characters can hide is for the closer look.
_plain_names(paths, signs) if {
	text := lower(concat("", ["/", concat("\u0000/", paths), "\u0000"]))
	strings.count(text, "\u0000") == count(paths)
	count(hex.encode(text)) == 2 * count(text)
	every sign in signs {
		not contains(text, sign)
	}
}

# A text without these has no name that is protected or malformed, but for a
# slash at the end.
_signs := {_sign_of(name) | some name in protected} | _signs_of_malformed

_sign_of(name) := lower(concat("", ["/", split(name, "*")[0]])) if regex.match(`^[a-zA-Z0-9._~*-]*$`, name)

# A name that may mean more than it says is in every text.
_sign_of(name) := "/" if not regex.match(`^[a-zA-Z0-9._~*-]*$`, name)

_signs_of_malformed := {
	"//", "./", ".\u0000", " /", " \u0000", `\`,
	"\u0001", "\u0002", "\u0003", "\u0004", "\u0005", "\u0006", "\u0007", "\u0008", "\u0009", "\u000a", "\u000b",
	"\u000c", "\u000d", "\u000e", "\u000f", "\u0010", "\u0011", "\u0012", "\u0013", "\u0014", "\u0015", "\u0016",
	"\u0017", "\u0018", "\u0019", "\u001a", "\u001b", "\u001c", "\u001d", "\u001e", "\u001f", "\u007f",
}
