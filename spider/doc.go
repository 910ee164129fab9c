// Package spider counts events and serves what they say as metrics. It is a
// process of its own that knows the gateway by its contract alone.
//
// It owns the counts, the cursor that belongs to them and the one file that
// holds both. It watches and never acts: it has no write to the gateway, no
// say in any decision, and nothing waits for it. When it is away, metrics are
// missing and everything else goes on.
//
// Events come in two ways. Following (Config.Client), it reads the journal's
// stream from its cursor; cursor and counts are written together and shown
// only once written, so that each event is counted exactly once whatever
// restarts, and no counter goes back. Receiving (POST /v1/events/ingest), it
// takes what the gateway's forwarder and components send, without a token, as
// release 0.4 did; an event id is counted once among the last 16,384.
//
// Labels come from closed sets: event types and outcomes of the contract, and
// at most Config.MaxTargets targets; whatever else comes is "other". No id is
// ever a label. What others merely claim (origin external) is counted and
// moves no gauge.
//
// Limits and the switch are in no event. A following spider reads them from
// the gateway's status; one that only receives does not show them, nor does
// one whose last reading is older than a minute: unknown is not zero.
package spider
