// Package console serves the operator's pages.
//
// It owns sessions, templates, a stylesheet and one small script. It is a
// client like any other: all that it shows and all that it does goes through
// gateway.Client, in process, with the token of who signed in, and so is
// authenticated, decided by policy and journalled exactly as a call from
// outside. It never reads the journal, never asks the engine, holds no
// authority of its own and keeps nothing on disk.
//
// A session is a random id in a cookie that no script can read. It is good for
// these pages alone: the API does not know it. Every page works without
// JavaScript; with it, the main part of a page is loaded again when the
// journal has something new.
//
// What agents, tasks and forges wrote is hostile text. Templates escape it,
// every control and format character of a finished page is made visible, and
// only https addresses become links.
package console
