// Package release04 reads the event journal of release 0.4, so that a history
// can be checked and taken over: lines of JSON, one event each, every one
// chained to the one before by a hash.
//
// The chain shows that nobody changed, removed or reordered what lies between
// its ends without making it anew. It was never signed: who owned the file
// could make it anew. So what is taken over is a claim, and no policy reads it.
//
// It writes no such journal.
package release04
