// Package engine loads, tests, activates and asks Rego policies. It owns
// everything that touches OPA, and nothing else links OPA.
//
// A [Snapshot] is one bundle, read, parsed, compiled and prepared: a Snapshot
// that exists is valid, immutable and safe for concurrent use. Its answer to a
// question, [Snapshot.Decide], is a pure function of the bundle and the input:
// no clock, no network, no randomness, no environment. The same bundle and the
// same input give the same bytes, today and when the decision is replayed;
// only the deadline, which ends an evaluation that is too slow, looks at time.
//
// The answer is OPA's. A question is evaluated by the plan that OPA makes of the
// bundle, and whatever the plan cannot finish by OPA's interpreter, which is
// slower and whose answers the plan's are held to; see [Options.Interpreted].
//
// What passed the [Gate] before, byte for byte, need not be parsed and compiled
// whole to be asked again: see [Options.Tested].
//
// Whatever goes wrong is a deny with a reason of its own. There is no error to
// forget: an undefined answer, a failing builtin, a malformed result, a
// deadline and a cancelled caller each have a code; see [Failures].
//
// An [Engine] holds the live Snapshot behind one pointer. A candidate has its
// own compiler and store, so deciders never wait and never see half of a
// change; a candidate that does not load, or whose tests fail, leaves the
// active one in place.
//
// A [PolicySource] is a folder, an archive or a URL; [Engine.Follow] keeps the
// live Snapshot equal to it, as far as what it has passes [Gate]. It is the only
// part that reads files or the network, and never while a question is decided.
//
// The package never decides what is activated by whom, records nothing, and
// keeps no state but that pointer.
package engine
