package server

import (
	"net/http"
	"strconv"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/gateway/replay"
)

// streamDecisions sends decisions in the form of OPA's decision log, a line
// each, in the order of the journal: after=SEQ on, and on and on with
// follow=true, until the client goes. limit, if it is given, is the most.
func (s *Server) streamDecisions(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	o := replay.ExportOptions{Target: gateway.TargetID(query.Get("target")), Action: query.Get("action")}
	var err error
	if text := query.Get("after"); text != "" {
		if o.AfterSeq, err = strconv.ParseInt(text, 10, 64); err != nil || o.AfterSeq < 0 {
			return &gateway.Error{Kind: gateway.Invalid, Field: "after", Detail: "after is a sequence number"}
		}
	}
	if text := query.Get("since"); text != "" {
		if o.Since, err = gateway.ParseTime(text); err != nil {
			return &gateway.Error{Kind: gateway.Invalid, Field: "since", Detail: err.Error()}
		}
	}
	follow := query.Get("follow") == "true"
	if query.Get("limit") != "" && !follow {
		if o.Limit, err = limitOf(r, 50, 1000); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w)
	for {
		o.UpToSeq = s.journal.Seq()
		if o.UpToSeq > o.AfterSeq {
			if _, err := replay.Export(r.Context(), s.journal, o, w); err != nil {
				return errGone{err}
			}
		}
		if err := flush.Flush(); err != nil {
			return errGone{err}
		}
		if !follow {
			return nil
		}
		o.AfterSeq = max(o.AfterSeq, o.UpToSeq)
		if _, err := s.journal.Wait(r.Context(), o.UpToSeq); err != nil {
			return errGone{err}
		}
		if _, err := s.authenticate(r); err != nil { // revoked or expired meanwhile
			return errGone{err}
		}
	}
}

// policyCoverage says, for every code of the policy that governs, how often it
// was a reason since a time, and whether a test makes it one.
func (s *Server) policyCoverage(w http.ResponseWriter, r *http.Request, _ principal) error {
	var since gateway.Time
	var err error
	if text := r.URL.Query().Get("since"); text != "" {
		if since, err = gateway.ParseTime(text); err != nil {
			return &gateway.Error{Kind: gateway.Invalid, Field: "since", Detail: err.Error()}
		}
	}
	report, err := replay.Coverage(r.Context(), s.journal, s.engine.Current(), since)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, report)
}

// wantsLines reports whether the client asks for the decision log's lines.
func wantsLines(r *http.Request) bool { return accepts(r, "application/x-ndjson") }

// decisionFilter reads the filters of the list of decisions.
func decisionFilter(r *http.Request) (journal.DecisionFilter, error) {
	limit, err := limitOf(r, 50, 1000)
	if err != nil {
		return journal.DecisionFilter{}, err
	}
	query := r.URL.Query()
	f := journal.DecisionFilter{Action: query.Get("action"), Outcome: query.Get("outcome"), Code: query.Get("code"),
		Target: gateway.TargetID(query.Get("target")), Task: gateway.TaskID(query.Get("task")), Attempt: gateway.AttemptID(query.Get("attempt")),
		Revision: query.Get("revision"), Masked: query.Get("masked") == "true", Page: journal.Page{Limit: limit, Token: query.Get("page_token")}}
	if o := f.Outcome; o != "" && o != "allow" && o != "deny" {
		return f, &gateway.Error{Kind: gateway.Invalid, Field: "outcome", Detail: "outcome is allow or deny"}
	}
	for name, at := range map[string]*gateway.Time{"since": &f.Since, "until": &f.Until} {
		if text := query.Get(name); text != "" {
			if *at, err = gateway.ParseTime(text); err != nil {
				return f, &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: err.Error()}
			}
		}
	}
	return f, nil
}
