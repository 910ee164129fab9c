package server

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"leviathan/gateway"
	"leviathan/gateway/openapi"
)

// recorded are the answers to the examples, as a test records them of a real
// gateway: by the operation's id and the example's name, joined by a slash.
//
//go:embed examples.json
var recorded []byte

// A description says of a row of the route table what the row itself does not:
// who may ask it, with what, and what comes back. The rows' own tests hold it
// to what happens: each example is asked of a real gateway.
type description struct {
	// client is the method of gateway.Client that asks it. Without one, id
	// names the operation and without says why there is none.
	client, id, without string
	tag, text           string
	roles               []gateway.Role
	parameters          []openapi.Parameter
	body                *openapi.Body
	answers             []openapi.Answer
	kinds               []gateway.Kind
	examples            []openapi.Example
}

// Tags are the groups of operations, in the order of the document.
func tags() []openapi.Tag {
	return []openapi.Tag{
		{Name: "health", Description: "Whether it lives. No token."},
		{Name: "access", Description: "Questions by hand, in the form of the OpenID AuthZEN Authorization API 1.0: journalled, and without effect."},
		{Name: "targets", Description: "Cycles and backlogs of the repositories under governance."},
		{Name: "attempts", Description: "The runs at tasks: what workers, the scheduler and operators say of them."},
		{Name: "git", Description: "Smart HTTP, for stock git."},
		{Name: "autonomy", Description: "What governs now, and the emergency stop."},
		{Name: "decisions", Description: "What was decided, from what, and why."},
		{Name: "policy", Description: "Which policy governs, and what another one would have decided."},
		{Name: "invariants", Description: "What must be true of a repository."},
		{Name: "tokens", Description: "Credentials of components."},
		{Name: "journal", Description: "The one ordered log, with its proofs."},
		{Name: "events", Description: "Facts that happened, and claims of others."},
		{Name: "graph", Description: "Targets, tasks, attempts and what came of them."},
		{Name: "forge", Description: "What the forge tells."},
	}
}

// enums are the closed types of strings of the API.
func enums() []openapi.Enum {
	roles := []gateway.Role{gateway.RoleOperator, gateway.RoleScheduler, gateway.RoleReader, gateway.RoleIngest, gateway.RoleAttempt, gateway.RoleGateway}
	circuits := []gateway.Circuit{gateway.CircuitClosed, gateway.CircuitOpen, gateway.CircuitHalfOpen}
	return []openapi.Enum{
		{Type: gateway.RoleOperator, Values: texts(roles)},
		{Type: gateway.FlipError, Values: texts(gateway.FlipClasses())},
		{Type: gateway.CircuitClosed, Values: texts(circuits)},
		{Type: gateway.High, Values: texts([]gateway.Priority{gateway.High, gateway.Medium, gateway.Low})},
	}
}

func texts[T ~string](values []T) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		out = append(out, string(v))
	}
	return out
}

// Describe is the OpenAPI document of the route table, but for the comments of
// the types in it. A row without a description, and a description without a
// row, are errors.
func Describe() (openapi.Document, error) {
	doc := openapi.Document{Title: "Leviathan", Version: gateway.Version, Tags: tags(), Kinds: Kinds(), Enums: enums(),
		Description: "The gateway's API. `Authorization: Bearer TOKEN` on every route that does not say otherwise; every question is decided by policy and journalled. " +
			"x-leviathan-action is what the policy is asked, x-leviathan-roles who may ask it by the policy that is built in. Times are RFC 3339 UTC with microseconds. " +
			"Lists page with limit and page_token. Bodies are strict: unknown fields, duplicate keys and trailing data are refused. Fields may be added to answers."}
	described, err := descriptions()
	if err != nil {
		return doc, err
	}
	answers := map[string]openapi.Example{}
	if err := json.Unmarshal(recorded, &answers); err != nil {
		return doc, fmt.Errorf("reading the recorded examples: %w", err)
	}
	var problems []error
	for _, row := range routes() {
		key := row.method + " " + row.path
		d, ok := described[key]
		if !ok {
			problems = append(problems, fmt.Errorf("the route %s is not described", key))
			continue
		}
		delete(described, key)
		op := d.operation(row)
		for i := range op.Examples {
			e := &op.Examples[i]
			if a, ok := answers[op.ID+"/"+e.Name]; ok {
				e.Status, e.Type, e.Answer = a.Status, a.Type, a.Answer
			}
		}
		doc.Operations = append(doc.Operations, op)
	}
	for _, key := range slices.Sorted(maps.Keys(described)) {
		problems = append(problems, fmt.Errorf("%s is described and no route", key))
	}
	return doc, errors.Join(problems...)
}

func (d description) operation(row route) openapi.Operation {
	op := openapi.Operation{Method: row.method, Path: row.path, ID: d.id, Tag: d.tag, Summary: row.summary, Description: d.text, Roles: d.roles,
		Basic: d.tag == "git", Parameters: d.parameters, Body: d.body, Answers: d.answers, Kinds: d.kinds, Examples: slices.Clone(d.examples)}
	if op.ID == "" {
		op.ID = operationID(d.client)
	}
	switch row.action {
	case open:
		op.Action = openapi.Open
	case anyAction:
		op.Action = "any"
	default:
		op.Action = row.action
	}
	return op
}

// operationID is a method's name with a small first word: jwks of JWKS.
func operationID(method string) string {
	runes := []rune(method)
	for i, r := range runes {
		if !unicode.IsUpper(r) || i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}

// descriptions are those of all routes, by method and path.
func descriptions() (map[string]description, error) {
	all := map[string]description{}
	var problems []error
	for _, group := range []map[string]description{describedWork(), describedAttempts(), describedState(), describedRecords(), describedEvents()} {
		for key, d := range group {
			if _, twice := all[key]; twice {
				problems = append(problems, fmt.Errorf("%s is described twice", key))
			}
			if (d.client == "") == (d.id == "" || d.without == "") {
				problems = append(problems, fmt.Errorf("%s names neither a method of the client nor why there is none", key))
			}
			all[key] = d
		}
	}
	return all, errors.Join(problems...)
}

const (
	mediaJSON  = "application/json"
	mediaLines = "application/x-ndjson"
	mediaText  = "text/plain"
	mediaBytes = "application/octet-stream"
)

// The ids of examples. Their test puts real ones in their place.
const (
	sampleAttempt  = "01KAX0V5Z0000000000000000A"
	sampleAttempt2 = "01KAX0V5Z0000000000000000B"
	sampleAttempt3 = "01KAX0V5Z0000000000000000C"
	sampleDecision = "01KAX0V5Z0000000000000000D"
	sampleToken    = "01KAX0V5Z0000000000000000E"
	sampleTree     = "2222222222222222222222222222222222222222"
)

var (
	byOperator  = []gateway.Role{gateway.RoleOperator}
	byReaders   = []gateway.Role{gateway.RoleOperator, gateway.RoleReader}
	byScheduler = []gateway.Role{gateway.RoleOperator, gateway.RoleScheduler}
	byAttempt   = []gateway.Role{gateway.RoleOperator, gateway.RoleAttempt}
	byAll       = []gateway.Role{gateway.RoleOperator, gateway.RoleScheduler, gateway.RoleReader, gateway.RoleIngest, gateway.RoleAttempt}
)

// ok is a successful answer of JSON.
func ok(of any, text string) []openapi.Answer {
	return []openapi.Answer{{Status: 200, Description: text, Contents: []openapi.Content{{Media: mediaJSON, Of: of}}}}
}

// as is a successful answer of another media type.
func as(media, text string) []openapi.Answer {
	return []openapi.Answer{{Status: 200, Description: text, Contents: []openapi.Content{{Media: media}}}}
}

// taking is a body of JSON in which fields are required.
func taking(of any, fields ...string) *openapi.Body {
	return &openapi.Body{Contents: []openapi.Content{{Media: mediaJSON, Of: of}}, Fields: fields}
}

// sent is an example with a body of JSON.
func sent(name, summary, body string, path ...string) openapi.Example {
	e := asked(name, summary, path...)
	e.Media, e.Body = mediaJSON, compact(body)
	return e
}

// asked is an example without a body; path has names and values in turn. A
// name that begins with a question mark is of the query.
func asked(name, summary string, pairs ...string) openapi.Example {
	e := openapi.Example{Name: name, Summary: summary}
	for i := 0; i+1 < len(pairs); i += 2 {
		if key, ok := strings.CutPrefix(pairs[i], "?"); ok {
			if e.Query == nil {
				e.Query = map[string]string{}
			}
			e.Query[key] = pairs[i+1]
			continue
		}
		if e.Path == nil {
			e.Path = map[string]string{}
		}
		e.Path[pairs[i]] = pairs[i+1]
	}
	return e
}

// accepting is an example that asks for a media type by name.
func accepting(media string, e openapi.Example) openapi.Example {
	e.Accept = media
	return e
}

// compact is JSON without spaces; what is no JSON stays as it is, and the
// document's writer refuses it.
func compact(text string) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return json.RawMessage(text)
	}
	return b.Bytes()
}

func inPath(name, text string) openapi.Parameter {
	return openapi.Parameter{Name: name, InPath: true, Description: text}
}

func query(name, text string) openapi.Parameter {
	return openapi.Parameter{Name: name, Description: text}
}

func when(name, text string) openapi.Parameter {
	return openapi.Parameter{Name: name, Description: text, Of: gateway.Time{}}
}

func whole(name, text string, least int) openapi.Parameter {
	return openapi.Parameter{Name: name, Description: text, Of: 0, Min: least}
}

func flag(name, text string) openapi.Parameter {
	return openapi.Parameter{Name: name, Description: text, Of: false}
}

func limit(usual, most int) openapi.Parameter {
	return openapi.Parameter{Name: "limit", Description: "At most so many.", Of: 0, Min: 1, Max: most, Default: usual}
}

func pageToken() openapi.Parameter {
	return query("page_token", "The next_page_token of the page before.")
}

func targetPath() openapi.Parameter { return inPath("target", "The id of a target.") }

func attemptPath() openapi.Parameter { return inPath("attempt", "The id of an attempt.") }

func decisionPath() openapi.Parameter { return inPath("decision", "The id of a decision.") }
