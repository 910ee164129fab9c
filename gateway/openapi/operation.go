package openapi

import (
	"encoding/json"

	"leviathan/gateway"
)

// A Document is what is written.
type Document struct {
	Title, Version, Description string
	// Tags are the groups of operations, in their order.
	Tags []Tag
	// Kinds are the errors of the API, in their order.
	Kinds []gateway.Kind
	// Enums are the values of closed types of strings, by type; each type by
	// its zero value.
	Enums []Enum
	// Comments describe types and their fields.
	Comments   Comments
	Operations []Operation
}

// A Tag is a group of operations.
type Tag struct{ Name, Description string }

// An Enum lists the values of a closed type of strings. Type is any value of
// it.
type Enum struct {
	Type   any
	Values []string
}

// An Operation is one route.
type Operation struct {
	Method, Path string
	ID           string // operationId, unique
	Tag          string
	Summary      string
	Description  string
	// Action is what the policy is asked; "open" for a route that needs no
	// token, and "any" where the question itself names the action.
	Action string
	// Roles may ask it; nil for an open route.
	Roles []gateway.Role
	// Basic says that the token may come as the password of basic
	// authentication, too.
	Basic      bool
	Parameters []Parameter
	Body       *Body
	Answers    []Answer
	// Kinds are the errors that it answers with, beside those of every route.
	Kinds    []gateway.Kind
	Examples []Example
}

// Open is the action of a route that needs no token.
const Open = "open"

// A Parameter is a name in the path, or in the query.
type Parameter struct {
	Name, Description string
	InPath, Required  bool
	// Of is any value of its type; nil means text.
	Of any
	// OneOf are its values, if they are closed.
	OneOf []string
	// Min and Max bound a number; 0 for both means no bounds.
	Min, Max int
	Default  any
}

// A Body is what a request carries.
type Body struct {
	Description string
	Contents    []Content
	// Fields must be in a body of JSON; with none the body may be left out.
	Fields []string
}

// Content is one form of a body. Of is any value of its type, or nil for text
// and bytes that have no schema.
type Content struct {
	Media string
	Of    any
	// Lines says that Of is the type of one line.
	Lines bool
}

// An Answer is a successful one.
type Answer struct {
	Status      int
	Description string
	Contents    []Content
}

// An Example is one request with its answer, as they went over the wire, and
// names its parameters' values.
type Example struct {
	Name    string            `json:"name"`
	Summary string            `json:"summary"`
	Path    map[string]string `json:"path,omitempty"`
	Query   map[string]string `json:"query,omitempty"`
	// Accept is the media type that it asks for, if that is not JSON.
	Accept string `json:"accept,omitempty"`
	// Media and Body are those of the request, if it has one: JSON, or text.
	Media string          `json:"media,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	// Status, Type and Answer are what came back: JSON, or text.
	Status int             `json:"status,omitempty"`
	Type   string          `json:"type,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
}
