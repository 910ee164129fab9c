// Package repository owns the git side of one target: a bare mirror of the
// upstream, git smart HTTP (protocol version 0) on top of it, the quarantine
// in which a pushed pack is checked byte by byte before anything else sees
// it, the exact difference between two trees, the forward of exactly one
// commit to the upstream with compare-and-swap, and the store of refused
// pushes.
//
// It knows nothing of policies, routes, tokens or the journal: the caller
// says what a client may see (View), reads what a push is and does (Push),
// and decides. A pushed object reaches the mirror only after the upstream
// has taken it.
//
// # Layout of a mirror's directory
//
//	HEAD config objects/ refs/ packed-refs   a bare repository that stock git can read
//	quarantine/<random>/                     one push that is being checked (removed by Open)
//	refused/<id>/                            kept objects of refused pushes
//	cache/                                   finished packs for clones
//
// Every object of the mirror lies in a pack; every ref lies in packed-refs,
// which is replaced in one rename, so that a crash leaves the refs of before
// or of after.
//
// # Codes of Problems
//
//	delivery.multiple_refs      the push has more than one command
//	delivery.deletion           the push deletes a ref
//	delivery.bad_ref            the ref is not a well-formed refs/heads/ name
//	delivery.not_a_commit       the new value is not a commit
//	delivery.multiple_commits   more than one commit is new
//	delivery.push_certificate   the push is signed with a push certificate
//	delivery.push_options       the push carries push options
//	scope.malformed_pack        the pack cannot be read
//	scope.pack_too_large        the pack, an object, their number or their inflated total is over its limit
//	scope.malformed_object      a tree or commit that git fsck --strict would flag, or worse
//	scope.bad_name              a path component that is unsafe on some file system
//	scope.name_collision        two siblings that are one file where case or Unicode form is ignored
//	scope.bad_mode              a file mode that git does not write
//	scope.gitlink               a new or changed submodule entry
//	scope.symlink_escape        a new symbolic link that leaves the tree
//	scope.gitmodules            hostile contents of .gitmodules
//	scope.missing_objects       an object that neither the pack nor the mirror has
//	scope.unreachable_objects   the pack holds objects that the commit does not need
//	scope.too_many_changes      more changed paths than Limits.MaxChanges
package repository
