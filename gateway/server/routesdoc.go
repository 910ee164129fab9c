package server

import "leviathan/gateway"

// A RouteInfo is a row of the route table, for documents.
type RouteInfo struct {
	Method, Path string
	// Action is what the policy is asked; "" for a route that is open, and
	// "any" where the question itself names the action.
	Action  string
	Summary string
}

// Routes lists the route table in its order.
func Routes() []RouteInfo {
	var infos []RouteInfo
	for _, row := range routes() {
		info := RouteInfo{Method: row.method, Path: row.path, Action: row.action, Summary: row.summary}
		if row.action == anyAction {
			info.Action = "any"
		}
		infos = append(infos, info)
	}
	return infos
}

// Kinds lists the kinds of errors that a route may answer with, for documents.
func Kinds() []gateway.Kind {
	return []gateway.Kind{gateway.Unauthenticated, gateway.Forbidden, gateway.NotFound, gateway.Conflict, gateway.TooLarge,
		gateway.Invalid, gateway.RateLimited, gateway.Unknown, gateway.InternalError}
}
