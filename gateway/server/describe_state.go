package server

import (
	"leviathan/gateway"
	"leviathan/gateway/openapi"
)

// describedState are the routes of autonomy, policy and tokens.
func describedState() map[string]description {
	stop := []gateway.Kind{gateway.NotFound, gateway.Invalid, gateway.TooLarge}
	changed := []gateway.Kind{gateway.NotFound, gateway.Conflict, gateway.Invalid, gateway.TooLarge}
	return map[string]description{
		"GET /v1/autonomy/status": {client: "Status", tag: "autonomy", roles: []gateway.Role{gateway.RoleOperator, gateway.RoleReader, gateway.RoleScheduler},
			text:    "autonomy_enabled is true if any target's config says so: false proves that all are off. effective, of a target, is the conjunction of everything that can stop it.",
			answers: ok(gateway.Status{}, "What governs now"), examples: []openapi.Example{asked("now", "one target that is on")}},
		"POST /v1/autonomy/halt": {client: "Halt", tag: "autonomy", roles: byOperator, text: "Of one target, or of all without one, until resume. Never refused for a fact that is not known.",
			body: taking(gateway.ReasonRequest{}, "reason"), answers: ok(gateway.ActionResult{}, "It is halted"), kinds: stop,
			examples: []openapi.Example{sent("one", "halt a target", `{"target":"demo","reason":"look into the build"}`), sent("all", "halt everything", `{"reason":"look into the build"}`)}},
		"POST /v1/autonomy/resume": {client: "Resume", tag: "autonomy", roles: byOperator, text: "The halt of a target, or the one of all: each is lifted by itself.",
			body: taking(gateway.ReasonRequest{}, "reason"), answers: ok(gateway.ActionResult{}, "The halt is lifted"), kinds: stop,
			examples: []openapi.Example{sent("one", "lift a target's halt", `{"target":"demo","reason":"the build is mended"}`), sent("all", "lift the halt of all", `{"reason":"the build is mended"}`)}},
		"POST /v1/clock/accept": {client: "AcceptClock", tag: "autonomy", roles: byOperator, body: taking(gateway.ReasonRequest{}, "reason"), answers: ok(gateway.ActionResult{}, "Records follow the clock as it is"),
			kinds: stop, examples: []openapi.Example{sent("accept", "the clock was set right", `{"reason":"it was an hour ahead"}`)}},

		"GET /v1/policy": {client: "Policy", tag: "policy", roles: byReaders, answers: ok(gateway.PolicyStatus{}, "The policy that governs"),
			examples: []openapi.Example{asked("waiting", "a candidate waits for an operator")}},
		"GET /v1/policy/history": {client: "PolicyHistory", tag: "policy", roles: byReaders, parameters: []openapi.Parameter{limit(50, 1000)},
			answers: ok(gateway.PolicyHistory{}, "The policies"), kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("latest", "the newest", "?limit", "1")}},
		"GET /v1/policy/coverage": {client: "PolicyCoverage", tag: "policy", roles: byReaders, parameters: []openapi.Parameter{when("since", "Decisions from here on; all without it.")},
			answers: ok(gateway.PolicyCoverage{}, "Every code of the policy"), kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("since", "what fired this year", "?since", "2026-01-01T00:00:00Z")}},
		"POST /v1/policy/replay": {client: "ReplayPolicy", tag: "policy", roles: byReaders, text: "By the candidate in the body, or without one by the candidate that waits. It changes nothing.",
			parameters: []openapi.Parameter{when("since", "Decisions from here on."), query("target", "Only those of this target.")},
			body:       &openapi.Body{Description: "A bundle as tar.gz", Contents: []openapi.Content{{Media: mediaBytes}}}, answers: ok(gateway.ReplayReport{}, "What would be decided otherwise"),
			kinds: []gateway.Kind{gateway.Conflict, gateway.Invalid, gateway.TooLarge}, examples: []openapi.Example{asked("waiting", "by the candidate that waits", "?target", "demo")}},
		"POST /v1/policy/activate": {client: "ActivatePolicy", tag: "policy", roles: byOperator, body: taking(gateway.PolicyChangeRequest{}, "reason"), answers: ok(gateway.PolicyStatus{}, "The policy that governs now"), kinds: changed,
			examples: []openapi.Example{sent("accept", "knowing what it allows anew", `{"accept":["deny_to_allow"],"reason":"looked at the flips"}`)}},
		"POST /v1/policy/rollback": {client: "RollBackPolicy", tag: "policy", roles: byOperator, text: "To the one before, or to the one that revision or policy_digest names.", body: taking(gateway.PolicyChangeRequest{}, "reason"),
			answers: ok(gateway.PolicyStatus{}, "The policy that governs now"), kinds: changed, examples: []openapi.Example{sent("previous", "to the policy before", `{"reason":"it allows too much"}`)}},

		"GET /v1/invariants": {client: "InvariantChecks", tag: "invariants", roles: byReaders, answers: ok(gateway.InvariantChecks{}, "The categories and their codes"), kinds: []gateway.Kind{gateway.NotFound},
			examples: []openapi.Example{asked("all", "what can be asked")}},
		"POST /v1/invariants/check": {client: "CheckInvariants", tag: "invariants", roles: byReaders, text: "The body is what `leviathan invariants facts` prints of the repository. A category that could not be decided is no pass: its reasons say why.",
			parameters: []openapi.Parameter{{Name: "category", Description: "Each category that is asked.", Of: []string{}, Required: true}, query("policy_digest", "Only by the policy with this digest.")},
			body:       taking(map[string]any{}), answers: ok(gateway.InvariantVerdicts{}, "The verdicts, in the order of the categories"),
			kinds:    []gateway.Kind{gateway.NotFound, gateway.Conflict, gateway.Invalid, gateway.TooLarge, gateway.RateLimited},
			examples: []openapi.Example{sent("nothing", "of facts about nothing there is no pass", `{"documents":{}}`, "?category", "namespaces")}},

		"POST /v1/tokens": {client: "CreateToken", tag: "tokens", roles: byOperator, text: "The secret is in this answer and nowhere else. Roles: scheduler, reader, ingest.", body: taking(gateway.TokenRequest{}, "role"),
			answers: []openapi.Answer{{Status: 201, Description: "The token", Contents: []openapi.Content{{Media: mediaJSON, Of: gateway.TokenResult{}}}}}, kinds: []gateway.Kind{gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("reader", "a reader of one target, for a month", `{"role":"reader","target":"demo","expires_in":"720h"}`)}},
		"GET /v1/tokens": {client: "Tokens", tag: "tokens", roles: byOperator, answers: ok(gateway.TokenList{}, "The tokens"), examples: []openapi.Example{asked("all", "every token that was made")}},
		"DELETE /v1/tokens/{token}": {client: "RevokeToken", tag: "tokens", roles: byOperator, parameters: []openapi.Parameter{inPath("token", "The id of a token.")},
			answers: ok(gateway.ActionResult{}, "It is good for nothing from now on"), kinds: []gateway.Kind{gateway.NotFound}, examples: []openapi.Example{asked("revoke", "end a token", "token", sampleToken)}},
	}
}
