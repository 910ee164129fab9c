// Package gateway is Leviathan's contract: the words that every component
// shares, the questions they ask, the answers they get, the errors they see
// and the client that carries them.
//
// It links the standard library and nothing else, so that a worker knows what
// a task is without linking a policy engine or a database. It holds no logic
// beyond what keeps a value well formed: states change only along the
// transition tables of this package, errors map to HTTP in one table, and the
// client never decides anything.
//
// The implementation lives in the packages below: gateway/server is the one
// door through which every question passes.
package gateway
