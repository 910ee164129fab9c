// Package replay decides again what was decided before: the journal's decisions
// by another policy, one decision with every step shown, live questions by a
// candidate beside the policy that governs.
//
// A decision is a pure function of a bundle and an input, and the journal has
// both, so nothing here touches what it looks at: the package asks no question
// of its own, appends no record and activates nothing. What it finds is
// counted by what would change: see gateway.FlipClass.
package replay
