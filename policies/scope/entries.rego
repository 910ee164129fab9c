package leviathan.scope

import rego.v1

# entries sorts a list of paths, as a task or a config has it, into folders,
# files and globs. A folder ends in a slash; docs/** is the folder docs/.
entries(list) := {
	"dirs": _dirs(list),
	"files": {e | some e in list; is_string(e)},
	"globs": {_whole(e) | some e in list; _globby(e); not _plain_subtree(e)},
}

_dirs(list) := {e | some e in list; is_string(e); endswith(e, "/")} | {trim_suffix(e, "**") | some e in list; _plain_subtree(e)}

_plain_subtree(e) if {
	is_string(e)
	endswith(e, "/**")
	not _globby(trim_suffix(e, "**"))
}

_globby(e) if {
	is_string(e)
	regex.match(`[*?\[{]`, e)
}

# A glob that names folders means all below them.
_whole(e) := concat("", [e, "**"]) if endswith(e, "/")

_whole(e) := e if not endswith(e, "/")

# within reports whether a path is one of the entries' files, or below one of
# its folders, or matched by a glob.
within(path, sorted) if path in sorted.files

within(path, sorted) if strings.any_prefix_match(path, sorted.dirs)

within(path, sorted) if {
	some pattern in sorted.globs
	glob.match(pattern, ["/"], path)
}

# common are the folders that lie in both sets.
common(a, b) := {x | some x in a; strings.any_prefix_match(x, b)} | {x | some x in b; strings.any_prefix_match(x, a)}

# literal is the part of an entry that is certain: all of it, or of a glob the
# folders before its first special character.
literal(e) := e if not _globby(e)

literal(e) := regex.find_n(`^(?:[^*?\[{]*/)?`, e, 1)[0] if _globby(e)

# The operator's prefixes: folders and single files, never globs.
prefixes := {
	"dirs": {p | some p in input.config.values.allowed_path_prefixes; is_string(p); endswith(p, "/")},
	"files": {p | some p in input.config.values.allowed_path_prefixes; is_string(p); not endswith(p, "/")},
	"globs": set(),
}
