package server

import (
	"net/http"
	"net/url"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// pictureDefault is how many attempts a picture has that does not say.
const pictureDefault = 40

// graphPicture is the newest attempts with what they belong to and left.
func (s *Server) graphPicture(w http.ResponseWriter, r *http.Request, p principal) error {
	limit, err := limitOf(r, pictureDefault, 200)
	if err != nil {
		return err
	}
	graph, err := s.journal.Graph(r.Context(), ownTarget(r, p), limit)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, graph)
}

// ownTarget is the target that a list is filtered by: a bound token's own.
func ownTarget(r *http.Request, p principal) gateway.TargetID {
	if p.target != "" {
		return p.target
	}
	return gateway.TargetID(r.URL.Query().Get("target"))
}

func (s *Server) graphNodes(w http.ResponseWriter, r *http.Request, p principal) error {
	limit, err := limitOf(r, 100, 1000)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	list, err := s.journal.GraphNodes(r.Context(), journal.NodeFilter{Type: query.Get("type"), Target: ownTarget(r, p),
		Page: journal.Page{Limit: limit, Token: query.Get("page_token")}})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) graphNode(w http.ResponseWriter, r *http.Request, _ principal) error {
	id, err := url.PathUnescape(fields(r)["node"])
	if err != nil {
		return &gateway.Error{Kind: gateway.Invalid, Field: "node", Detail: "the node's id is not well escaped"}
	}
	node, found, err := s.journal.GraphNode(r.Context(), id)
	if err != nil {
		return err
	}
	if !found {
		return gateway.Errorf(gateway.NotFound, "the graph has no node %q", id)
	}
	return writeJSON(w, http.StatusOK, node)
}

func (s *Server) graphEdges(w http.ResponseWriter, r *http.Request, _ principal) error {
	limit, err := limitOf(r, 100, 1000)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	list, err := s.journal.GraphEdges(r.Context(), journal.EdgeFilter{Type: query.Get("type"), Node: query.Get("node"),
		Page: journal.Page{Limit: limit, Token: query.Get("page_token")}})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) graphSummary(w http.ResponseWriter, r *http.Request, _ principal) error {
	summary, err := s.journal.GraphSummary(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, summary)
}
