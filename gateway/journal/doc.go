// Package journal owns the one ordered log of every event and every decision:
// its SQLite file, its Merkle tree and signed checkpoints, the projections
// folded from it and the queries over them.
//
// A record is written once and never changed. Commit runs its callers on one
// writer, several in one durable transaction, and returns only when the disk
// has what they appended. Everything that a policy reads (State, Attempt) is
// folded by one switch from the events that the gateway itself wrote; what
// others claim is stored, listed and drawn in the graph, and decides nothing.
// All projections can be dropped and rebuilt from the log, equal.
//
// The package never evaluates policy, never talks to a network, never changes
// or deletes a record, and links only the contract package of this module.
package journal
