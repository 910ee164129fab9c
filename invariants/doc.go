// Package invariants owns the gate: it reads a repository's facts, asks every
// category's policy about them, records each answer as a decision, applies
// waivers, a baseline and a limit to changed files, and makes a report.
//
// A category is a package of Rego under leviathan.invariants; see
// policies/invariants. What is true of a repository is said by package facts,
// what is wrong about it by the policies, and how it is shown by package
// report; this package joins them and judges nothing itself.
//
// An answer that is missing, a policy that fails, a category without rules or
// without anything to look at: each is the verdict unknown, never a pass.
//
// The package changes nothing in the repository that it checks, and starts no
// program but git, and that only to learn which files have changed.
package invariants
