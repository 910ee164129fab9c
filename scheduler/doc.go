// Package scheduler asks the gateway for cycles and launches one worker for
// each attempt that a cycle reserved. It owns the rhythm (at start, on the
// cron, when an attempt ends, when somebody says so), the launchers, and the
// reconciliation of workers with the journal.
//
// It decides nothing: what may run, and how much of it, is in the gateway's
// answer. A gateway that cannot be asked means that nothing is launched.
package scheduler
