package engine

import (
	"encoding/json"

	"leviathan/gateway"
)

// Refuse is the Result of a question that was not put to a policy, with one
// reason. The caller owns the code, which must begin with "unknown.".
func Refuse(code, message, remedy string) Result {
	r := Result{
		Reasons:     []gateway.Reason{{Code: code, Message: message, Rule: "gateway", Remedy: remedy}},
		Obligations: json.RawMessage("{}"),
	}
	r.JSON = r.encode()
	return r
}
