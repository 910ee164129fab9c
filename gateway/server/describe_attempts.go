package server

import (
	"leviathan/gateway"
	"leviathan/gateway/openapi"
)

// describedAttempts are the routes of attempts, in the order of their life.
func describedAttempts() map[string]description {
	own := []openapi.Parameter{attemptPath()}
	first := []string{"attempt", sampleAttempt}
	artifact := append(own[:1:1], inPath("name", "The artifact's name: 1 to 64 of a-z, 0-9, dot, underscore and hyphen."))
	piece := asked("log", "the first bytes of the agent's output", "attempt", sampleAttempt, "name", "agent.log", "?offset", "0")
	piece.Media, piece.Body = mediaBytes, compact(`"the guide is written\n"`)
	usual := []gateway.Kind{gateway.NotFound, gateway.Conflict, gateway.TooLarge, gateway.Invalid}
	return map[string]description{
		"GET /v1/attempts": {client: "Attempts", tag: "attempts", roles: []gateway.Role{gateway.RoleOperator, gateway.RoleReader, gateway.RoleScheduler},
			text: "What others claimed is among them, marked external. A token that is bound to a target sees that target's alone.",
			parameters: []openapi.Parameter{query("target", "Only those of this target."), query("state", "Only those in this state: live for all that have not ended, or reserved, running, pushed, proposed, succeeded, failed, cancelled, expired."),
				limit(50, 1000), pageToken()},
			answers: ok(gateway.AttemptList{}, "The attempts"), kinds: []gateway.Kind{gateway.Invalid},
			examples: []openapi.Example{asked("live", "what runs now", "?state", "live", "?target", "demo", "?limit", "10")}},
		"GET /v1/attempts/{attempt}": {client: "Attempt", tag: "attempts", roles: []gateway.Role{gateway.RoleOperator, gateway.RoleReader, gateway.RoleScheduler, gateway.RoleAttempt},
			text: "An attempt's token sees that attempt alone. An unknown id is answered with a null node and empty lists.", parameters: own,
			answers: ok(gateway.AttemptDetail{}, "The attempt"), examples: []openapi.Example{asked("one", "an attempt that is reserved", "attempt", sampleAttempt3), asked("unknown", "an id that the journal does not know", "attempt", "unknown")}},
		"POST /v1/attempts/{attempt}/start": {client: "Start", tag: "attempts", roles: byAttempt, text: "The same instance gets the same answer again; another one is refused with the code attempt.already_started.",
			parameters: own, body: taking(gateway.StartRequest{}, "instance"), answers: ok(gateway.StartResult{}, "What may run"), kinds: usual,
			examples: []openapi.Example{sent("start", "a worker begins", `{"instance":"worker-5f2c9e"}`, first...)}},
		"POST /v1/attempts/{attempt}/heartbeat": {client: "Heartbeat", tag: "attempts", roles: byAttempt, text: "Answered to any genuine token, also of an attempt that has ended: with stop.",
			parameters: own, body: taking(gateway.HeartbeatRequest{}), answers: ok(gateway.HeartbeatResult{}, "Go on, or stop"), kinds: usual,
			examples: []openapi.Example{sent("beat", "it goes on", `{"progress":"writing the guide"}`, first...)}},
		"PUT /v1/attempts/{attempt}/artifacts/{name}": {client: "PutArtifact", tag: "attempts", roles: byAttempt,
			text:       "10 MiB each and 50 an attempt. A piece that had arrived is accepted again if it says the same.",
			parameters: append(artifact[:2:2], openapi.Parameter{Name: "offset", Description: "The artifact's size so far, in bytes.", Of: 0, Default: 0}),
			body:       &openapi.Body{Contents: []openapi.Content{{Media: mediaBytes}}}, answers: ok(gateway.Artifact{}, "The artifact as it is now"), kinds: usual,
			examples: []openapi.Example{piece}},
		"GET /v1/attempts/{attempt}/artifacts/{name}": {client: "GetArtifact", tag: "attempts", roles: byReaders, text: "As an attachment that no browser runs.", parameters: artifact,
			answers: as(mediaText, "Its bytes"), kinds: []gateway.Kind{gateway.NotFound, gateway.Invalid},
			examples: []openapi.Example{accepting(mediaText, asked("log", "the agent's output", "attempt", sampleAttempt, "name", "agent.log"))}},
		"POST /v1/attempts/{attempt}/evidence": {client: "Evidence", tag: "attempts", roles: byAttempt, text: "A policy may require it; nothing is loosened by it.",
			parameters: own, body: taking(gateway.Evidence{}, "tree"), answers: ok(gateway.EvidenceRecorded{}, "It is in the journal"), kinds: usual,
			examples: []openapi.Example{sent("tests", "the tests passed", `{"tree":"`+sampleTree+`","results":[{"name":"tests","exit_code":0,"seconds":1.2,"artifact":"agent.log"}]}`, first...)}},
		"POST /v1/attempts/{attempt}/pull-request": {client: "OpenPullRequest", tag: "attempts", roles: byAttempt, text: "The title is the gateway's; the summary is shown in a fence that it cannot leave. Asked again, it answers the same.",
			parameters: own, body: taking(gateway.PullRequestRequest{}), answers: ok(gateway.PullRequestResult{}, "The pull request as the forge showed it"), kinds: usual,
			examples: []openapi.Example{sent("open", "propose what was pushed", `{"summary":"Adds the guide."}`, first...)}},
		"POST /v1/attempts/{attempt}/finish": {client: "Finish", tag: "attempts", roles: byAttempt, text: "Succeeded is for an attempt whose pull request is open. A failed one needs a failure_type.",
			parameters: own, body: taking(gateway.FinishRequest{}, "outcome"), answers: ok(gateway.FinishResult{}, "The state in which it ended"), kinds: usual,
			examples: []openapi.Example{sent("succeeded", "the pull request is open", `{"outcome":"succeeded"}`, first...)}},
		"POST /v1/attempts/{attempt}/lost": {client: "Lost", tag: "attempts", roles: byScheduler, parameters: own, body: taking(gateway.LostRequest{}, "observed"),
			answers: ok(gateway.FinishResult{}, "The state in which it ended"), kinds: usual,
			examples: []openapi.Example{sent("oom", "its worker was killed", `{"observed":"oom","detail":"exit code 137"}`, "attempt", sampleAttempt2)}},
		"POST /v1/attempts/{attempt}/cancel": {client: "Cancel", tag: "attempts", roles: byOperator, parameters: own, body: taking(gateway.ReasonRequest{}, "reason"),
			answers: ok(gateway.FinishResult{}, "The state in which it ended"), kinds: usual,
			examples: []openapi.Example{sent("cancel", "stop it", `{"reason":"the task was withdrawn"}`, "attempt", sampleAttempt3)}},
		"POST /v1/attempts/{attempt}/invalidate": {client: "Invalidate", tag: "attempts", roles: byOperator, parameters: own, body: taking(gateway.ReasonRequest{}, "reason"),
			answers: ok(gateway.InvalidateResult{}, "It no longer counts"), kinds: usual,
			examples: []openapi.Example{sent("invalidate", "the machine was at fault", `{"reason":"the node ran out of memory"}`, "attempt", sampleAttempt2)}},
		"GET /v1/failures": {client: "Failures", tag: "attempts", roles: byReaders, parameters: []openapi.Parameter{query("target", "Only those of this target."), limit(50, 1000), pageToken()},
			answers: ok(gateway.FailureList{}, "The failures"), kinds: []gateway.Kind{gateway.Invalid},
			examples: []openapi.Example{asked("recent", "the newest failures", "?target", "demo", "?limit", "5")}},
	}
}
