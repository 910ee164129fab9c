// Package worker runs one attempt: it takes the lease, clones, runs the
// operator's agent in a sandbox, verifies the very tree that will be pushed,
// pushes it to the gateway, asks for the pull request and reports how it ended.
//
// It owns the workspace of the attempt and every process that it starts. It
// holds one token, for one attempt, and knows one address, the gateway's. It
// never decides whether something may happen: it asks, and what the gateway
// refuses does not happen. It never talks to an upstream or a forge, never
// pushes after its lease, and never takes a command from the backlog.
//
// # The workspace
//
//	checkout/   the work tree; it holds no .git of any kind
//	git/        the git directory, out of the agent's reach
//	tmp/        the agent's HOME and TMPDIR, its task file and its summary
//	verify/     a fresh checkout for each verification
//	verify-tmp/ HOME and TMPDIR of a verification
//	spool/      output and events that are not yet with the gateway
//
// The caller removes it.
//
// # The sandbox
//
// A command runs below a supervisor, which is this program started again (see
// SandboxMain). The supervisor is the reaper of everything that the command
// leaves, and nothing is left when it ends. Below it Landlock allows the
// task's paths, the checkout, what programs need and what sandbox.read names,
// as an allow-list for reads too; see sandbox.go for the list and the reasons. A seccomp filter closes
// the ways around Landlock's rule for TCP ports that the kernel leaves open:
// Multipath TCP, TCP fast open, io_uring, raw and exotic sockets, and, before
// Landlock ABI 9, UNIX sockets, behind which a container engine may listen.
//
// What Landlock does not confine, nothing here does: a command can learn that
// a path exists and, where file permissions let it, change modes, owners and
// times of what it can neither read nor write. Run workers as a user of their
// own where that matters.
//
// A command that the sandbox stops sees "permission denied"; the kernel tells
// nobody else. So its failure is an agent_error like any other, and the
// failure type sandbox says that a required sandbox could not be built.
package worker
