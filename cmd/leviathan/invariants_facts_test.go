package main

import (
	"testing"
)

// Rules are told which commands do something: a family of others does not, and
// a command that has some below it may do both.
func TestRulesKnowWhichCommandsRun(t *testing.T) {
	known := binaryOf(newRoot()).Commands
	for name, runs := range map[string]bool{
		"leviathan": false, "leviathan invariants": false, "leviathan journal": false,
		"leviathan scheduler": true, "leviathan scheduler job-template": true, "leviathan gateway": true, "leviathan decisions": true, "leviathan version": true,
	} {
		if command, ok := known[name]; !ok || command.Runs != runs {
			t.Errorf("%s: known %v, runs %v, want %v", name, ok, command.Runs, runs)
		}
	}
	if known["leviathan scheduler"].Flags["gateway"] != "string" || known["leviathan gateway"].Flags["cluster"] != "bool" {
		t.Errorf("flags are not known: %v", known["leviathan scheduler"].Flags)
	}
}
