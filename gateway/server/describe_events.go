package server

import (
	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/openapi"
)

// describedEvents are the routes of events and of the graph.
func describedEvents() map[string]description {
	bound := "A token that is bound to a target sees that target's alone."
	return map[string]description{
		"GET /v1/events": {client: "Events", tag: "events", roles: byReaders,
			text:       "A page of JSON; accepted as application/cloudevents-batch+json a batch of CloudEvents 1.0; accepted as application/x-ndjson lines, which are structured CloudEvents when application/cloudevents+json is accepted, too.",
			parameters: []openapi.Parameter{whole("after", "Those after this place in the journal.", 0), limit(100, 1000), flag("follow", "Lines only: go on with what happens from now on.")},
			answers: []openapi.Answer{{Status: 200, Description: "The events", Contents: []openapi.Content{{Media: mediaJSON, Of: eventList{}}, {Media: gateway.CloudEventBatchMediaType, Of: []gateway.CloudEvent{}},
				{Media: mediaLines, Of: journal.LoggedEvent{}, Lines: true}}}},
			kinds: []gateway.Kind{gateway.Invalid},
			examples: []openapi.Example{asked("page", "one event", "?after", "1", "?limit", "1"), accepting(gateway.CloudEventBatchMediaType, asked("cloudevents", "the same as a CloudEvent", "?after", "1", "?limit", "1")),
				accepting(mediaLines, asked("lines", "the same as a line", "?after", "1", "?limit", "1"))}},
		"GET /v1/events/recent": {client: "RecentEvents", tag: "events", roles: byReaders, parameters: []openapi.Parameter{limit(100, 1000)}, answers: ok([]journal.LoggedEvent{}, "The events"), kinds: []gateway.Kind{gateway.Invalid},
			examples: []openapi.Example{asked("latest", "the newest event", "?limit", "1")}},
		"POST /v1/events/ingest": {client: "Ingest", tag: "events", roles: []gateway.Role{gateway.RoleOperator, gateway.RoleScheduler, gateway.RoleIngest, gateway.RoleAttempt},
			text: "Kept as claims, which no policy reads. The same event with the same body is a duplicate; with another one, a conflict.", body: taking(gateway.IngestRequest{}),
			answers: ok(gateway.IngestResult{}, "How many were new"), kinds: []gateway.Kind{gateway.Conflict, gateway.Invalid, gateway.TooLarge},
			examples: []openapi.Example{sent("one", "an event as release 0.4 sent it", `{"target":"demo","bundle_id":"nightly-7","events":[{"event_id":"nightly-7-1","event_type":"note.made","timestamp":"2026-01-28T10:00:00Z","actor_id":"nightly","payload":{"text":"all is well"}}],"artifacts":null}`)}},

		"GET /v1/graph": {client: "Graph", tag: "graph", roles: byReaders, text: bound, parameters: []openapi.Parameter{query("target", "Only what is of this target."), limit(pictureDefault, 200)}, answers: ok(gateway.Graph{}, "The picture"),
			kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("newest", "the newest attempt of a target", "?target", "demo", "?limit", "1")}},
		"GET /v1/graph/nodes": {client: "GraphNodes", tag: "graph", roles: byReaders, text: bound,
			parameters: []openapi.Parameter{{Name: "type", Description: "Only those of this type.", OneOf: gateway.NodeTypes()}, query("target", "Only those of this target."), limit(100, 1000), pageToken()},
			answers:    ok(gateway.GraphNodeList{}, "The nodes"), kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("pulls", "pull requests", "?type", gateway.NodePullRequest, "?target", "demo")}},
		"GET /v1/graph/nodes/{node}": {client: "GraphNode", tag: "graph", roles: byReaders, parameters: []openapi.Parameter{inPath("node", "The id of a node, escaped: task:demo%2Fguide.")}, answers: ok(gateway.GraphNode{}, "The node"),
			kinds: []gateway.Kind{gateway.NotFound, gateway.Invalid}, examples: []openapi.Example{asked("task", "a task", "node", "task:demo/guide")}},
		"GET /v1/graph/edges": {client: "GraphEdges", tag: "graph", roles: byReaders,
			parameters: []openapi.Parameter{{Name: "type", Description: "Only those of this type.", OneOf: gateway.EdgeTypes()}, query("node", "Only those that begin or end at this node."), limit(100, 1000), pageToken()},
			answers:    ok(gateway.GraphEdgeList{}, "The edges"), kinds: []gateway.Kind{gateway.Invalid}, examples: []openapi.Example{asked("of-attempt", "what an attempt left", "?node", "attempt:"+sampleAttempt)}},
		"GET /v1/graph/summary": {client: "GraphSummary", tag: "graph", roles: byReaders, answers: ok(journal.GraphSummary{}, "The counts, and the newest twenty events"), examples: []openapi.Example{asked("now", "the graph as it is")}},
	}
}
