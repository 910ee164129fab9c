// Package cluster is what a gateway asks the Kubernetes API when it runs in a
// cluster, and nothing else does:
//
//   - a [Lease] says who alone may write the journal, with an epoch that grows
//     with every holder, so that a second replica, or one that was paused and
//     wakes up, never writes;
//   - a [Reviewer] asks whose a projected service-account token is;
//   - a [ConfigMap] is followed, so that the kill switch acts within a second
//     and not when the kubelet next writes the mounted file.
//
// The package never creates, lists or deletes an object, but for TokenReviews,
// which the API does not keep; it reads no Secret, and writes nothing but the
// spec of its own Lease. It decides nothing: what a role may do is policy's,
// and what a config means is the package autonomy's. A token is in no error,
// log line or metric. It needs these rights:
//
//   - get and update of the one Lease, which must exist;
//   - get, list and watch of the one ConfigMap;
//   - create of tokenreviews, which belongs to the whole cluster.
package cluster
