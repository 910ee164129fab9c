// Package authoring is for who writes policies: it says how good the tests of
// a bundle are, holds its files to the rules of this project, formats them,
// writes new ones, packs and signs. It reads a bundle and answers with a
// report or with bytes.
//
// The package never decides a live question, never activates a bundle and
// never writes a file: its callers do.
package authoring
