package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"leviathan/gateway"
)

// readJSON decodes a request body into v, strictly: unknown fields, duplicate
// keys (letter case aside, since the decoder ignores it) and trailing data
// are errors of kind invalid that name the field. An empty body reads as {}.
func readJSON(r *http.Request, v any) error {
	data, err := readBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	if err := checkKeys(data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return jsonError(err)
	}
	return nil
}

// readBody reads the whole body, which the route has bounded.
func readBody(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, gateway.Errorf(gateway.TooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case err != nil:
		return nil, gateway.Errorf(gateway.Invalid, "reading the body: %v", err)
	}
	return data, nil
}

// jsonError turns a decoder's error into one that names the field.
func jsonError(err error) *gateway.Error {
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) {
		return &gateway.Error{Kind: gateway.Invalid, Field: typed.Field,
			Detail: fmt.Sprintf("%s cannot be a %s", typed.Field, typed.Value)}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "unknown field " + name}
	}
	return gateway.Errorf(gateway.Invalid, "the body is not what this route takes: %v", err)
}

// checkKeys walks one JSON value and refuses duplicate keys, nesting deeper
// than 64 and anything after the value.
func checkKeys(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := walkKeys(dec, "", 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return gateway.Errorf(gateway.Invalid, "the body has data after its JSON value")
	}
	return nil
}

func walkKeys(dec *json.Decoder, path string, depth int) error {
	if depth > 64 {
		return &gateway.Error{Kind: gateway.Invalid, Field: path, Detail: "the body nests deeper than 64 levels"}
	}
	token, err := dec.Token()
	if err != nil {
		return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
	}
	switch token {
	case json.Delim('{'):
		seen := map[string]bool{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
			}
			name := strings.TrimPrefix(path+"."+key.(string), ".")
			if folded := strings.ToLower(key.(string)); seen[folded] {
				return &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "duplicate key " + name}
			} else {
				seen[folded] = true
			}
			if err := walkKeys(dec, name, depth+1); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for i := 0; dec.More(); i++ {
			if err := walkKeys(dec, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	if _, err := dec.Token(); err != nil {
		return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
	}
	return nil
}

// writeJSON answers with v. A client that has gone away is not an error.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	return writeAs(w, status, "application/json", v)
}

// writeAs is writeJSON for another media type of JSON.
func writeAs(w http.ResponseWriter, status int, media string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return gateway.Errorf(gateway.InternalError, "encoding the answer: %v", err)
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	if _, err := w.Write(append(data, '\n')); err != nil {
		return errGone{err}
	}
	return nil
}

// errGone wraps a failed write to a client: there is nobody to tell.
type errGone struct{ error }

// writeProblem answers with err in the form of RFC 9457.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	var gone errGone
	if errors.As(err, &gone) {
		return
	}
	var known *gateway.Error
	if !errors.As(err, &known) {
		level := slog.LevelError
		if r.Context().Err() != nil {
			level = slog.LevelDebug // the client went away, or its time was over
		}
		s.log.Log(r.Context(), level, "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		known = gateway.Errorf(gateway.InternalError, "the gateway failed; its log says why")
	}
	problem := gateway.NewProblem(known)
	data, err := json.Marshal(problem)
	if err != nil {
		s.log.Error("encoding a problem", "error", err)
	}
	if known.Kind == gateway.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="leviathan", Basic realm="leviathan"`)
	}
	if known.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(known.RetryAfter.Seconds()+0.999)))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(known.Kind.Status())
	if _, err := w.Write(append(data, '\n')); err != nil {
		s.log.Debug("client gone", "path", r.URL.Path, "error", err)
	}
}
