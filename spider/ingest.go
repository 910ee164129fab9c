package spider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"leviathan/gateway"
)

const (
	// maxBody bounds one bundle, maxEvents the events in it, and maxBundles
	// how many are read at once.
	maxBody    = 16 << 20
	maxEvents  = 10_000
	maxBundles = 4
)

// Handler serves health, metrics and the ingest of events. None of it asks for
// a token, as in release 0.4: keep the port inside.
func (s *Spider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.serveHealth)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("POST /v1/events/ingest", s.serveIngest)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	return mux
}

func (s *Spider) serveHealth(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, map[string]string{"status": "healthy", "service": "spider-node", "version": gateway.Version})
}

// answer writes a JSON answer; that the asker has gone is nobody's concern.
func (s *Spider) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("answering", "error", err)
	}
}

func (s *Spider) refuse(w http.ResponseWriter, e *gateway.Error) {
	w.Header().Set("Content-Type", gateway.ProblemMediaType)
	w.WriteHeader(e.Kind.Status())
	if err := json.NewEncoder(w).Encode(gateway.NewProblem(e)); err != nil {
		s.log.Debug("answering", "error", err)
	}
}

// serveIngest counts a bundle of events, all or nothing.
func (s *Spider) serveIngest(w http.ResponseWriter, r *http.Request) {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-r.Context().Done():
		return
	}
	events, err := readBundle(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		s.refused.Add(1)
		s.refuse(w, err)
		return
	}
	s.receive(events)
	s.answer(w, map[string]any{"status": "ok", "received": len(events)})
}

// receive counts what was sent here. A follower leaves to the stream what is in
// the journal, and counts what is not.
func (s *Spider) receive(events []gateway.Event) {
	now := s.now()
	s.change(func(st *state) {
		for i := range events {
			e := &events[i]
			switch {
			case s.client != nil && e.Seq > 0:
			case !s.seen.first(e.EventID):
				st.Duplicates++
			default:
				if s.client != nil {
					e.Origin = external // the journal alone moves a follower's gauges
				}
				s.count(st, e, now)
			}
		}
	})
}

// readBundle reads {target, bundle_id, events[], artifacts}.
func readBundle(body io.Reader) ([]gateway.Event, *gateway.Error) {
	data, err := io.ReadAll(body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, gateway.Errorf(gateway.TooLarge, "the body is larger than %d bytes", tooLarge.Limit)
		}
		return nil, gateway.Errorf(gateway.Invalid, "reading the body: %v", err)
	}
	var bundle struct {
		Target gateway.TargetID  `json:"target"`
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		return nil, gateway.Errorf(gateway.Invalid, "the body is not a bundle of events: %v", err)
	}
	if bundle.Events == nil {
		return nil, &gateway.Error{Kind: gateway.Invalid, Field: "events", Detail: "events is missing"}
	}
	if len(bundle.Events) > maxEvents {
		return nil, gateway.Errorf(gateway.TooLarge, "a bundle has at most %d events", maxEvents)
	}
	events := make([]gateway.Event, len(bundle.Events))
	for i, raw := range bundle.Events {
		if err := readEvent(raw, &events[i]); err != nil {
			return nil, &gateway.Error{Kind: gateway.Invalid, Field: fmt.Sprintf("events[%d]", i), Detail: err.Error()}
		}
		if events[i].Target == "" {
			events[i].Target = bundle.Target
		}
	}
	return events, nil
}

func readEvent(raw json.RawMessage, e *gateway.Event) error {
	if raw = bytes.TrimSpace(raw); len(raw) == 0 || raw[0] != '{' {
		return errors.New("an event is an object")
	}
	if err := json.Unmarshal(raw, e); err != nil {
		return err
	}
	payload := bytes.TrimSpace(e.Payload)
	switch {
	case e.EventID == "" || len(e.EventID) > maxID:
		return fmt.Errorf("event_id is 1 to %d characters", maxID)
	case e.EventType == "":
		return errors.New("event_type is missing")
	case e.Timestamp.IsZero():
		return errors.New("timestamp is missing")
	case e.Seq < 0:
		return errors.New("seq is not negative")
	case len(payload) > 0 && payload[0] != '{' && string(payload) != "null":
		return errors.New("payload is an object")
	}
	return nil
}
