package server

import (
	"leviathan/gateway"
	"leviathan/gateway/openapi"
)

// aQuestion is what the examples ask by hand.
const aQuestion = `{"subject":{"type":"component","id":"worker"},"action":{"name":"change.push"},
	"resource":{"type":"changeset","id":"` + sampleAttempt + `","properties":{"target":"demo","changes":[{"path":"src/core.txt","op":"modify","old_mode":"100644","new_mode":"100644","size":12}]}},"context":{}}`

// describedWork are the routes of health, questions, targets and git.
func describedWork() map[string]description {
	gitBody := func(service string) *openapi.Body {
		return &openapi.Body{Contents: []openapi.Content{{Media: "application/x-git-" + service + "-request"}}}
	}
	gitExample := func(service, body string) []openapi.Example {
		e := asked("flush", "git ends without asking for anything", "target", "demo")
		e.Media, e.Body = "application/x-git-"+service+"-request", compact(body)
		return []openapi.Example{e}
	}
	const isGit = "git itself is the client"
	return map[string]description{
		"GET /health":       {client: "Health", tag: "health", answers: ok(gateway.Health{}, "It lives"), examples: []openapi.Example{asked("alive", "as release 0.4 answered")}},
		"GET /healthz":      {client: "Alive", tag: "health", answers: ok(gateway.Health{}, "It lives"), examples: []openapi.Example{asked("alive", "a probe")}},
		"GET /health/ready": {client: "Ready", tag: "health", answers: append(ok(gateway.Health{}, "It can answer questions"), openapi.Answer{Status: 503, Description: "It cannot; status is one word for what lacks", Contents: []openapi.Content{{Media: mediaJSON, Of: gateway.Health{}}}}), examples: []openapi.Example{asked("ready", "a probe")}},
		"GET /.well-known/jwks.json": {client: "JWKS", tag: "health", text: "A JSON Web Key Set (RFC 7517). Keys overlap when they are rotated.",
			answers: ok(map[string]any{}, "The keys"), examples: []openapi.Example{asked("keys", "the keys of attempts' tokens")}},
		"GET /metrics": {client: "Metrics", tag: "health", roles: byReaders, text: "Open to all where the gateway was started so.", answers: as(mediaText, "The metrics"),
			examples: []openapi.Example{accepting(mediaText, asked("scrape", "as Prometheus asks"))}},

		"POST /access/v1/evaluation": {client: "Evaluate", tag: "access", roles: byAll,
			text: "Operators and readers may ask about any subject, all others about themselves alone. Evaluations are limited per token and second.",
			body: taking(gateway.Question{}, "subject", "action", "resource"), answers: ok(gateway.Evaluation{}, "The decision, allowed or not"),
			kinds:    []gateway.Kind{gateway.Invalid, gateway.TooLarge, gateway.RateLimited},
			examples: []openapi.Example{sent("push", "may a worker push a change of this file?", aQuestion)}},
		"POST /access/v1/evaluations": {client: "EvaluateBatch", tag: "access", roles: byAll, text: "What a question leaves out, the batch supplies. Without evaluations it is one question, and answered like one.",
			body: taking(gateway.Batch{}), answers: []openapi.Answer{{Status: 200, Description: "The decisions, in the order of the questions; of one question alone, the decision itself",
				Contents: []openapi.Content{{Media: mediaJSON, Of: batchAnswer{}}}}},
			kinds: []gateway.Kind{gateway.Invalid, gateway.TooLarge, gateway.RateLimited},
			examples: []openapi.Example{
				sent("all", "two questions about one target", `{"subject":{"type":"component","id":"operator"},"resource":{"type":"target","id":"demo"},"evaluations":[{"action":{"name":"autonomy.halt"}},{"action":{"name":"pull_request.merge"}}]}`),
				sent("until-denied", "the second question is not asked", `{"subject":{"type":"component","id":"operator"},"resource":{"type":"target","id":"demo"},"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{"action":{"name":"pull_request.merge"}},{"action":{"name":"autonomy.halt"}}]}`),
				sent("one", "a batch without evaluations", `{"subject":{"type":"component","id":"operator"},"action":{"name":"autonomy.halt"},"resource":{"type":"target","id":"demo"}}`),
			}},

		"POST /v1/targets/{target}/cycle": {client: "Cycle", tag: "targets", roles: byScheduler,
			text:       "The gateway reads the backlog from its own mirror: a body with tasks in it is refused. reserved lists also what is still reserved from before, with the same tokens, so that a lost answer costs nothing.",
			parameters: []openapi.Parameter{targetPath()}, body: taking(gateway.CycleRequest{}), answers: ok(gateway.CycleResult{}, "What was planned, whatever the outcome"),
			kinds:    []gateway.Kind{gateway.NotFound, gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("plan", "reserve what the policy allows", `{"capacity":3}`, "target", "demo")}},
		"GET /v1/targets/{target}/tasks": {client: "Tasks", tag: "targets", roles: byReaders, parameters: []openapi.Parameter{targetPath(), limit(1000, 50_000), pageToken()},
			answers: ok(gateway.TaskList{}, "The tasks, in the order of their file"), kinds: []gateway.Kind{gateway.NotFound, gateway.Invalid},
			examples: []openapi.Example{asked("backlog", "the first task of the backlog", "target", "demo", "?limit", "1")}},
		"GET /v1/targets/{target}/plan": {client: "TryLimit", tag: "targets", roles: byReaders, parameters: []openapi.Parameter{targetPath(),
			{Name: "key", Description: "The limit's key in the config, with a dot between a part and its key: max_open_prs, limits.max_tasks_per_day.", Required: true},
			{Name: "value", Description: "The value to try, a whole number.", Required: true, Of: 0}},
			text:    "Both plans are evaluated on the same facts by the policy that governs. Nothing is reserved, journalled or changed. It counts as two evaluations of the token's.",
			answers: ok(gateway.PlanTrial{}, "Both plans, and where they differ"), kinds: []gateway.Kind{gateway.NotFound, gateway.Conflict, gateway.Invalid, gateway.RateLimited},
			examples: []openapi.Example{asked("more", "with room for one more pull request", "target", "demo", "?key", "max_open_prs", "?value", "4")}},
		"POST /v1/targets/{target}/tasks/{task}/retry": {client: "Retry", tag: "targets", roles: byOperator, parameters: []openapi.Parameter{targetPath(), inPath("task", "The id of a task.")},
			body: taking(gateway.ReasonRequest{}, "reason"), answers: ok(gateway.ActionResult{}, "Done"), kinds: []gateway.Kind{gateway.NotFound, gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("retry", "try it once more", `{"reason":"the build is mended"}`, "target", "demo", "task", "notes")}},
		"POST /v1/targets/{target}/circuit/reset": {client: "ResetCircuit", tag: "targets", roles: byOperator, parameters: []openapi.Parameter{targetPath()},
			body: taking(gateway.ReasonRequest{}, "reason"), answers: ok(gateway.ActionResult{}, "Done"), kinds: []gateway.Kind{gateway.NotFound, gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("reset", "close the breaker", `{"reason":"the agent's key was renewed"}`, "target", "demo")}},

		"GET /git/{target}.git/info/refs": {id: "gitRefs", without: isGit, tag: "git", roles: []gateway.Role{gateway.RoleOperator, gateway.RoleReader, gateway.RoleAttempt},
			parameters: []openapi.Parameter{targetPath(), {Name: "service", Description: "What git is about to do.", Required: true, OneOf: []string{"git-upload-pack", "git-receive-pack"}}},
			answers: []openapi.Answer{{Status: 200, Description: "The references that the token sees; a refusal is an ERR packet", Contents: []openapi.Content{
				{Media: "application/x-git-upload-pack-advertisement"}, {Media: "application/x-git-receive-pack-advertisement"}}}},
			kinds:    []gateway.Kind{gateway.NotFound, gateway.Invalid},
			examples: []openapi.Example{accepting("*/*", asked("fetch", "the beginning of a clone", "target", "demo", "?service", "git-upload-pack"))}},
		"POST /git/{target}.git/git-upload-pack": {id: "gitUploadPack", without: isGit, tag: "git", roles: []gateway.Role{gateway.RoleOperator, gateway.RoleReader, gateway.RoleAttempt},
			parameters: []openapi.Parameter{targetPath()}, body: gitBody("upload-pack"), answers: as("application/x-git-upload-pack-result", "A pack; a refusal is an ERR packet"),
			kinds: []gateway.Kind{gateway.NotFound, gateway.TooLarge}, examples: gitExample("upload-pack", `"0000"`)},
		"POST /git/{target}.git/git-receive-pack": {id: "gitReceivePack", without: isGit, tag: "git", roles: byAttempt,
			parameters: []openapi.Parameter{targetPath()}, body: gitBody("receive-pack"), answers: as("application/x-git-receive-pack-result", "The report of the push: ok, or ng with a code and the reasons"),
			kinds: []gateway.Kind{gateway.NotFound, gateway.TooLarge}, examples: gitExample("receive-pack", `"0000"`)},

		"POST /v1/forge/github/webhook": {id: "githubWebhook", without: "GitHub is the client", tag: "forge", text: "Signed with the webhook's secret in X-Hub-Signature-256; a gateway without that secret answers 404.",
			body: taking(map[string]any{}), answers: []openapi.Answer{{Status: 202, Description: "An observation of these targets is due", Contents: []openapi.Content{{Media: mediaJSON, Of: gateway.WebhookResult{}}}}},
			kinds:    []gateway.Kind{gateway.Unauthenticated, gateway.NotFound, gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("merged", "a pull request was merged", `{"action":"closed","number":1,"repository":{"full_name":"acme/app"},"pull_request":{"merged":true}}`)}},
	}
}

// A batchAnswer is what a batch is answered: a list, or of one question alone its
// decision.
type batchAnswer struct {
	Evaluations []gateway.Evaluation `json:"evaluations,omitempty"`
	Decision    *bool                `json:"decision,omitempty"`
	Context     *gateway.Decision    `json:"context,omitempty"`
}
