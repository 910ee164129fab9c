// Package strictyaml owns the reading of YAML that somebody's safety hangs
// on: it turns bytes into nodes with their line and column, and nodes into
// typed values, and says of everything else where and why it is refused.
//
// Of YAML it takes one document of mappings, lists and scalars in UTF-8.
// Aliases, anchors, tags, merge keys, directives, duplicate keys and tabs as
// indentation are refused, and so is what would cost the parser more than its
// size allows. A value has the type that YAML 1.2's core schema gives it as it
// is written: no string becomes a boolean or a number, nor the other way.
//
// The package never opens a file, never repairs what it reads, never guesses a
// default, and knows no key of any file: which keys there are, and what they
// mean, is its callers'. It is the only one that the YAML parser is linked for.
package strictyaml
