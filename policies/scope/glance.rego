package leviathan.scope

import rego.v1

# One glance at a whole push. Most pushes change ordinary files in one folder of
# the task, and however many they are, a few builtins over all of them tell. The
# glance may miss that a push is fine, and never takes one for fine that is not:
# what it does not pass is looked at change by change.
default _all_fine := false

_all_fine if {
	_target_silent
	_paths_fine
	_operations_fine # of objects, as all that have a path are
	_sizes_fine
}

# Values have one order, in which those of a type stand together, and texts that
# begin alike: when the least and the greatest pass, so do all between.
_paths_fine if {
	paths := [path | path := _looked_at[_].path]
	count(paths) == count(_looked_at)
	least := min(paths)
	greatest := max(paths)
	is_string(least)
	is_string(greatest)
	some folder in _common_dirs
	startswith(least, folder)
	startswith(greatest, folder)
	_plain_names(paths)
}

_operations_fine if {
	operations := {operation | operation := object.filter(_looked_at[_], {"op", "old_mode", "new_mode"})}
	count(operations - _plain_changes) == 0
}

_sizes_fine if {
	sizes := [size | size := _looked_at[_].size]
	count(sizes) == count(_looked_at)
	min(sizes) >= 0
	max(sizes) <= _max_bytes
}

# The paths are put together as one text, in which each name stands behind a
# slash, and each path ends in a character that it cannot have. The text is lower
# case, and ASCII: as many bytes, of two hex digits each, as characters. What
# other characters can hide is for the closer look.
_plain_names(paths) if {
	text := lower(concat("", ["/", concat("\u0000/", paths), "\u0000"]))
	strings.count(text, "\u0000") == count(paths)
	count(hex.encode(text)) == 2 * count(text)
	every sign in _signs {
		not contains(text, sign)
	}
}

# A text without these has no name that is protected or malformed.
_signs := {_sign_of(name) | some name in protected} | _signs_of_malformed

_sign_of(name) := lower(concat("", ["/", split(name, "*")[0]])) if regex.match(`^[a-zA-Z0-9._~*-]*$`, name)

# A name that may mean more than it says is in every text.
_sign_of(name) := "/" if not regex.match(`^[a-zA-Z0-9._~*-]*$`, name)

_signs_of_malformed := {
	"//", "/\u0000", "./", ".\u0000", " /", " \u0000", `\`,
	"\u0001", "\u0002", "\u0003", "\u0004", "\u0005", "\u0006", "\u0007", "\u0008", "\u0009", "\u000a", "\u000b",
	"\u000c", "\u000d", "\u000e", "\u000f", "\u0010", "\u0011", "\u0012", "\u0013", "\u0014", "\u0015", "\u0016",
	"\u0017", "\u0018", "\u0019", "\u001a", "\u001b", "\u001c", "\u001d", "\u001e", "\u001f", "\u007f",
}
