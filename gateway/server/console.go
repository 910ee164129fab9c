package server

import (
	"net/http"

	"leviathan/gateway/console"
)

// consoleRoutes are the rows of the operator's pages. They need no token of
// their own: the console asks api, this server, with the token of who signed
// in there, so that every question of a page passes authentication, policy and
// journal like any other. Its sessions are the console's alone; no other row
// takes them.
func (s *Server) consoleRoutes(api http.Handler) []route {
	pages, err := console.New(console.Config{API: api, Logger: s.log, Now: s.now, Refused: s.metrics.authFailures.Inc})
	if err != nil { // its own embedded files do not parse: its test sees that, and the API goes on
		s.log.Error("the console is not served", "error", err)
		return nil
	}
	handle := func(_ *Server, w http.ResponseWriter, r *http.Request, _ principal) error {
		pages.ServeHTTP(w, r)
		return nil
	}
	var rows []route
	for _, served := range console.Routes() {
		row := route{method: served.Method, path: served.Path, action: open, handle: handle, summary: "the console"}
		if served.Body {
			row.body = 64 * kib
		}
		if served.Stream {
			row.timeout = gitTimeout
		}
		rows = append(rows, row)
	}
	return rows
}
