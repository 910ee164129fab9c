package leviathan.delivery

import rego.v1

import data.leviathan.guard
import data.leviathan.reason

_zero := "0000000000000000000000000000000000000000"

# METADATA
# title: The push is for another branch
# description: An attempt may write exactly one branch, its own.
# custom:
#   code: delivery.ref
#   message: "{ref} is not the attempt's branch {expected}"
#   remedy: "Push to the branch that the start of the attempt named."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not _own_ref
	r := reason.of(rego.metadata.chain(), {
		"ref": object.get(input, ["push", "ref"], "?"),
		"expected": object.get(input, ["push", "expected_ref"], "?"),
	})
}

_own_ref if {
	input.push.ref == input.push.expected_ref
	input.push.ref == concat("", ["refs/heads/agent/", input.attempt.id])
}

# METADATA
# title: The branch exists already
# description: The branch of an attempt is created by one push and never changed.
# custom:
#   code: delivery.branch_exists
#   message: "the attempt's branch exists already"
#   remedy: "Ask for the pull request; another content needs another attempt."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not _creates_branch
	r := reason.fixed(rego.metadata.chain())
}

_creates_branch if {
	input.push.branch_exists == false
	input.push.old in {_zero, input.push.new}
	input.push.new != _zero
}

# METADATA
# title: A push is under way
# description: An earlier push of this attempt was decided, and what became of it has not been seen yet.
# custom:
#   code: unknown.push_intent
#   message: "an earlier push of this attempt has not been settled yet"
#   remedy: "Push the same commit again in some seconds."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not input.attempt.has_push_intent == false
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The push changes nothing
# description: A commit without a change is no delivery.
# custom:
#   code: delivery.no_change
#   message: "the commit changes nothing"
#   remedy: "Finish the attempt as failed with no_change."
deny contains r if {
	input.action == "change.push"
	input.changes == []
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: Not one commit on the base
# description: A delivery is exactly one commit whose only parent is the attempt's base commit.
# custom:
#   code: delivery.parents
#   message: "the commit's parents are {parents}; its only parent must be {base}"
#   remedy: "Squash the work into one commit on the base commit."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not _on_base
	r := reason.of(rego.metadata.chain(), {
		"parents": concat(" ", [sprintf("%v", [p]) | some p in object.get(input, ["push", "commit", "parents"], [])]),
		"base": object.get(input, ["attempt", "base_commit"], "?"),
	})
}

_on_base if {
	input.attempt.base_commit != ""
	input.push.commit.parents == [input.attempt.base_commit]
	input.push.commit.id == input.push.new
}

# METADATA
# title: The commit message is not the given one
# description: The message was given at the start, with the trailers by which the change is found again.
# custom:
#   code: delivery.message
#   message: "the commit message is not the one that start gave"
#   remedy: "Commit with exactly the message of start."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not input.push.commit.message == input.push.expected.message
	r := reason.fixed(rego.metadata.chain())
}

# METADATA
# title: The author is not the given one
# description: The author was given at the start, so that no change passes for a person's.
# custom:
#   code: delivery.author
#   message: "the commit's author is not the one that start gave"
#   remedy: "Commit with exactly the author of start."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not _given_author
	r := reason.fixed(rego.metadata.chain())
}

_given_author if {
	input.push.commit.author.name == input.push.expected.author.name
	input.push.commit.author.email == input.push.expected.author.email
}

# METADATA
# title: The message is not a conventional commit
# description: The target's policy requires conventional commits.
# custom:
#   code: delivery.conventional_commit
#   message: "the commit message does not begin as a conventional commit does"
#   remedy: "Give the task a title such as \"docs: explain the limits\"."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	input.target_policy.state == "valid"
	input.target_policy.values.safety_rules.require_conventional_commit == true
	not _conventional
	r := reason.fixed(rego.metadata.chain())
}

_conventional if regex.match(`^[a-z]+(\([^()\n]+\))?!?: [^ \n]`, input.push.commit.message)

# METADATA
# title: The pack is too large
# description: The pushed objects are larger than the config allows for one push.
# custom:
#   code: delivery.pack_too_large
#   message: "the push has {size} bytes, the limit is {limit} MiB"
#   remedy: "Leave large files out, or raise limits.max_pack_mb in the config."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not _pack_ok
	r := reason.of(rego.metadata.chain(), {
		"size": object.get(input, ["push", "pack_bytes"], "?"),
		"limit": object.get(input, ["config", "values", "limits", "max_pack_mb"], "?"),
	})
}

_pack_ok if input.push.pack_bytes <= input.config.values.limits.max_pack_mb * 1048576

# METADATA
# title: No push is left
# description: As many pushes of this attempt were refused as may be.
# custom:
#   code: delivery.push_attempts
#   message: "{count} pushes of this attempt were refused, the limit is {limit}"
#   remedy: "The attempt ends; see the refused decisions for what was wrong."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	not _push_left
	r := reason.of(rego.metadata.chain(), {
		"count": object.get(input, ["attempt", "push_attempts"], "?"),
		"limit": object.get(input, ["config", "values", "limits", "max_push_attempts"], "?"),
	})
}

_push_left if input.attempt.push_attempts < input.config.values.limits.max_push_attempts

# METADATA
# title: A verification failed
# description: The worker itself says that a verification of this very tree failed.
# custom:
#   code: delivery.verify_failed
#   message: "the worker says that verification {name} of this tree failed"
#   remedy: "Finish the attempt as failed with verify_failed, or push a tree that passes."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	input.attempt.evidence.tree == input.push.commit.tree
	some result in input.attempt.evidence.results
	not result.exit_code == 0
	r := reason.of(rego.metadata.chain(), {"name": object.get(result, "name", "?")})
}

# METADATA
# title: A problem of the push cannot be read
# description: The gateway found a problem in what was pushed and did not say it as a reason.
# custom:
#   code: delivery.problem
#   message: "what was pushed has a problem that is not understood"
#   remedy: "See the gateway's log for this decision."
deny contains r if {
	input.action == "change.push"
	not guard.dry_push
	some problem in input.push.problems
	not _readable(problem)
	r := reason.fixed(rego.metadata.chain())
}

_readable(problem) if {
	is_string(problem.code)
	is_string(problem.message)
}

# problems are what the gateway found in the pushed objects: reasons already.
problems contains object.union({"rule": "leviathan.delivery"}, problem) if {
	input.action == "change.push"
	not guard.dry_push
	some problem in input.push.problems
	_readable(problem)
}
