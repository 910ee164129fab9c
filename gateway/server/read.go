package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// limitOf reads ?limit=, from 1 to most.
func limitOf(r *http.Request, fallback, most int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &gateway.Error{Kind: gateway.Invalid, Field: "limit", Detail: "limit is a number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}

// readTarget is the target that a read is about: the one in its path, that of
// the attempt in its path, or, where the answer is filtered by it, the token's
// own. A token that is bound to a target reads nothing else.
func (s *Server) readTarget(r *http.Request, p principal, row route) gateway.TargetID {
	vars := fields(r)
	if id := gateway.AttemptID(vars["attempt"]); id.Valid() {
		if a, ok, err := s.journal.Attempt(r.Context(), id); err == nil && ok {
			return a.Target
		}
	}
	if boundRoutes[row.path] {
		return p.target
	}
	return gateway.TargetID(vars["target"])
}

// boundRoutes are the lists that show a bound token its own target alone.
var boundRoutes = map[string]bool{"/v1/attempts": true, "/v1/autonomy/status": true, "/v1/graph": true, "/v1/graph/nodes": true}

func (s *Server) listAttempts(w http.ResponseWriter, r *http.Request, p principal) error {
	limit, err := limitOf(r, 50, 1000)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if state := gateway.AttemptState(query.Get("state")); state != "" && state != "live" && !slices.Contains(gateway.AttemptStates(), state) {
		return &gateway.Error{Kind: gateway.Invalid, Field: "state", Detail: fmt.Sprintf("state %q is none of attempts: live, or one of %v", state, gateway.AttemptStates())}
	}
	filter := journal.AttemptFilter{Target: gateway.TargetID(query.Get("target")), State: query.Get("state"), Page: journal.Page{Limit: limit, Token: query.Get("page_token")}}
	if p.target != "" {
		filter.Target = p.target
	}
	list, err := s.journal.Attempts(r.Context(), filter)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) showAttempt(w http.ResponseWriter, r *http.Request, _ principal) error {
	detail, err := s.journal.AttemptDetail(r.Context(), gateway.AttemptID(fields(r)["attempt"]))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, detail)
}

func (s *Server) listFailures(w http.ResponseWriter, r *http.Request, _ principal) error {
	limit, err := limitOf(r, 50, 1000)
	if err != nil {
		return err
	}
	list, err := s.journal.Failures(r.Context(), gateway.TargetID(r.URL.Query().Get("target")), journal.Page{Limit: limit, Token: r.URL.Query().Get("page_token")})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) listDecisions(w http.ResponseWriter, r *http.Request, _ principal) error {
	if wantsLines(r) {
		return s.streamDecisions(w, r)
	}
	filter, err := decisionFilter(r)
	if err != nil {
		return err
	}
	list, err := s.journal.Decisions(r.Context(), filter)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list)
}

// accepts reports whether the client asks for a media type by name.
func accepts(r *http.Request, kind string) bool {
	return strings.Contains(r.Header.Get("Accept"), kind)
}

// showDecision is one decision with its whole input, put together from its
// parts. What was pruned of it is named.
func (s *Server) showDecision(w http.ResponseWriter, r *http.Request, _ principal) error {
	record, ok, err := s.journal.Decision(r.Context(), gateway.DecisionID(fields(r)["decision"]))
	if err != nil {
		return err
	}
	if !ok {
		return gateway.Errorf(gateway.NotFound, "no decision %q", fields(r)["decision"])
	}
	return writeJSON(w, http.StatusOK, record)
}

func (s *Server) decisionBundle(w http.ResponseWriter, r *http.Request, _ principal) error {
	id := gateway.DecisionID(fields(r)["decision"])
	record, ok, err := s.journal.Decision(r.Context(), id)
	if err != nil {
		return err
	}
	if !ok || record.Target == "" {
		return gateway.Errorf(gateway.NotFound, "no refused push has decision %q", id)
	}
	cfg := s.targets.Check(record.Target).Config
	if cfg == nil {
		return gateway.Errorf(gateway.Unknown, "the config of target %s cannot be read", record.Target)
	}
	mirror, _, err := s.open(r.Context(), s.lookup(record.Target), cfg)
	if err != nil {
		return gateway.Errorf(gateway.Unknown, "the mirror of %s cannot be opened: %v", record.Target, err)
	}
	w.Header().Set("Content-Type", "application/x-git-bundle")
	w.Header().Set("Content-Disposition", `attachment; filename="`+string(id)+`.bundle"`)
	return mirror.Bundle(r.Context(), string(id), w)
}

func (s *Server) checkpoint(w http.ResponseWriter, r *http.Request, _ principal) error {
	note, err := s.journal.Checkpoint(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := w.Write(note); err != nil {
		return errGone{err}
	}
	return nil
}

// listEvents lists events in journal order, from after=SEQ on: as a page of
// JSON, as a batch of CloudEvents, or as lines of JSON, which follow the
// journal when follow=true, until the client goes. Lines are CloudEvents, too,
// when the client accepts those beside lines.
func (s *Server) listEvents(w http.ResponseWriter, r *http.Request, _ principal) error {
	limit, err := limitOf(r, 100, 1000)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	after := int64(0)
	for _, name := range []string{"after", "page_token"} { // the token of a page is the seq that the next one comes after
		if text := query.Get(name); text != "" {
			if after, err = strconv.ParseInt(text, 10, 64); err != nil || after < 0 {
				return &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: name + " is a sequence number"}
			}
		}
	}
	if accepts(r, "application/x-ndjson") {
		return s.streamEvents(w, r, after, limit, query.Get("follow") == "true")
	}
	events, err := s.journal.Events(r.Context(), journal.EventFilter{After: after}, limit)
	if err != nil {
		return err
	}
	if accepts(r, gateway.CloudEventBatchMediaType) {
		batch := make([]gateway.CloudEvent, 0, len(events))
		for _, e := range events {
			batch = append(batch, asCloudEvent(e))
		}
		return writeAs(w, http.StatusOK, gateway.CloudEventBatchMediaType, batch)
	}
	out := eventList{Items: events}
	if len(events) == limit {
		out.NextPageToken = strconv.FormatInt(events[len(events)-1].Seq, 10)
	}
	return writeJSON(w, http.StatusOK, out)
}

// An eventList is a page of events in the order of the journal.
type eventList struct {
	Items []journal.LoggedEvent `json:"items"`
	// NextPageToken is the seq that the next page comes after.
	NextPageToken string `json:"next_page_token,omitempty"`
}

func asCloudEvent(e journal.LoggedEvent) gateway.CloudEvent {
	e.Event.Origin = string(e.Origin)
	return e.CloudEvent()
}

func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request, after int64, limit int, follow bool) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	structured := accepts(r, gateway.CloudEventMediaType)
	flush := http.NewResponseController(w)
	for {
		seen := s.journal.Seq()
		events, err := s.journal.Events(r.Context(), journal.EventFilter{After: after}, limit)
		if err != nil {
			return err
		}
		for _, e := range events {
			var line any = e
			if structured {
				line = asCloudEvent(e)
			}
			if err := enc.Encode(line); err != nil {
				return errGone{err}
			}
			after = e.Seq
		}
		if err := flush.Flush(); err != nil {
			return errGone{err}
		}
		if !follow {
			return nil
		}
		if len(events) == limit {
			continue
		}
		if _, err := s.journal.Wait(r.Context(), seen); err != nil {
			return errGone{err}
		}
		if _, err := s.authenticate(r); err != nil { // revoked or expired meanwhile
			return errGone{err}
		}
	}
}

func (s *Server) recentEvents(w http.ResponseWriter, r *http.Request, _ principal) error {
	limit, err := limitOf(r, 100, 1000)
	if err != nil {
		return err
	}
	events, err := s.journal.RecentEvents(r.Context(), journal.EventFilter{}, limit)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, events)
}
