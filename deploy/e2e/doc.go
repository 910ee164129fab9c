// Package e2e runs Leviathan's own manifests on a real Kubernetes API: etcd,
// API server and controller manager, started on a loopback of their own, with
// a small stand-in for scheduler and kubelet that runs each container as a
// local process. What a test sees is what the API says, and what the processes
// did. It runs on Linux alone.
//
// The stand-in gives a container what its Pod says: user and groups, its root
// (read-only if asked), volumes (ConfigMap, Secret, projected tokens, emptyDir,
// claims), environment, the grace of its end, readiness. Of an image it knows
// the name alone: in each are the machine's programs and our binary. The image of
// the gateway has no git in truth; here it needs one, as the repositories that
// it looks after are on its own disk.
// It enforces no network policy, no limit of memory or processor, no seccomp
// profile and no liveness, and every Pod has the same network.
//
// Instead of the stand-in there can be a [Kubelet]: the real one, with
// containerd and runc and the images of `make images`.
package e2e
