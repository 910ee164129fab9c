// Package server is the gateway itself: the routes, who may use them, and the
// one door through which every question passes on its way to an effect.
//
// The door (door.go) is the only caller of the engine for live questions. It
// evaluates a question with everything that the policy may know, commits the
// decision with the events that follow from it in one transaction, and only
// then lets the caller answer or act. Whatever reaches the outside world, a
// push to the upstream or a pull request on the forge, is written down as an
// intent by such a commit before it is tried, and as a receipt after.
//
// The package owns no policy: it gathers facts, asks, records and obeys. It
// never acts on an answer that is not on disk, never trusts a body to say who
// is asking, and never reads an environment variable.
//
// Reading order: server.go (what it is made of), routes.go (the table),
// door.go (decide), input.go (what the policy is told), observe.go (where the
// facts come from), then one file for each step of an attempt's life.
package server
