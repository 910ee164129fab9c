// Package autonomy owns the autonomy config: the operator's YAML file that
// says whether a target may be worked on, where, by which agents and within
// which limits.
//
// It loads such a file strictly, fills in the defaults, and keeps a live view
// of a file or a directory of them. A file is either wholly valid or it is
// off: nothing of a file with an error in it is ever used to allow anything.
// Unknown keys, wrong types, duplicate keys, values out of range, aliases,
// tags and several documents are errors, each with its line and column.
//
// The package never writes a file, reads no environment variable, opens no
// URL that a config names, and decides nothing: it says what the config says.
// Which paths are protected, and what a limit means, is policy.
package autonomy
