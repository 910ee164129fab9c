// Package backlog owns the two files by which a target speaks for itself:
// .leviathan/backlog.yaml, its tasks, and .leviathan/policy.yaml, by which it
// narrows what the operator allows.
//
// It reads bytes and returns values with line-numbered diagnostics. A bad task
// is set aside with its reasons and does not spoil the file; a file that is
// bad as a whole is an error. Nothing here says that a task may run: paths,
// agents and verifications are kept as written, and policy decides.
//
// The package never opens a file, never repairs what it reads, and never
// turns a string into a boolean.
package backlog
