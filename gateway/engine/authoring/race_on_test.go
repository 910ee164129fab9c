//go:build race

package authoring_test

const raceEnabled = true
