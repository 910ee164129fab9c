package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"leviathan/gateway"
)

// readJSON decodes a request body into v, strictly: unknown fields, names of
// another letter case, duplicate keys and trailing data are errors of kind
// invalid that name the field. An empty body reads as {}.
func readJSON(r *http.Request, v any) error {
	data, err := readBody(r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	if err := checkKeys(data, reflect.TypeOf(v)); err != nil {
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
			Detail: fmt.Sprintf("%s cannot be of type %s", cmp.Or(typed.Field, "the body"), typed.Value)}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "unknown field " + name}
	}
	return gateway.Errorf(gateway.Invalid, "the body is not what this route takes: %v", err)
}

// checkKeys walks one JSON value and refuses names that the type has not,
// duplicate keys, nesting deeper than 64 and anything after the value.
func checkKeys(data []byte, t reflect.Type) error {
	w := keyWalk{dec: json.NewDecoder(bytes.NewReader(data)), fields: map[reflect.Type]map[string]reflect.Type{}}
	w.dec.UseNumber()
	if err := w.value(t, "", 0); err != nil {
		return err
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return gateway.Errorf(gateway.Invalid, "the body has data after its JSON value")
	}
	return nil
}

// A keyWalk goes through a JSON value beside the type that it is for.
type keyWalk struct {
	dec    *json.Decoder
	fields map[reflect.Type]map[string]reflect.Type // by name, of types seen before
}

var reads = reflect.TypeFor[json.Unmarshaler]()

// value walks one value. Type nil is any: what is free, or reads itself.
func (w *keyWalk) value(t reflect.Type, path string, depth int) error {
	if depth > 64 {
		return &gateway.Error{Kind: gateway.Invalid, Field: path, Detail: "the body nests deeper than 64 levels"}
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && reflect.PointerTo(t).Implements(reads) {
		return w.own(t, path, depth)
	}
	token, err := w.dec.Token()
	if err != nil {
		return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
	}
	switch token {
	case json.Delim('{'):
		if err := w.members(t, path, depth); err != nil {
			return err
		}
	case json.Delim('['):
		var item reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			item = t.Elem()
		}
		for i := 0; w.dec.More(); i++ {
			if err := w.value(item, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	if _, err := w.dec.Token(); err != nil {
		return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
	}
	return nil
}

// members walks what an object has.
func (w *keyWalk) members(t reflect.Type, path string, depth int) error {
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
		}
		key := token.(string)
		name := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			return &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "duplicate key " + name}
		}
		seen[key] = true
		var member reflect.Type
		switch {
		case t == nil:
		case t.Kind() == reflect.Struct:
			var known bool
			if member, known = w.named(t)[key]; !known {
				return &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: "unknown field " + name}
			}
		case t.Kind() == reflect.Map:
			member = t.Elem()
		}
		if err := w.value(member, name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// own walks a value of a type that reads itself, and has it read, so that what
// it says against the value comes with the field.
func (w *keyWalk) own(t reflect.Type, path string, depth int) error {
	var raw json.RawMessage
	if err := w.dec.Decode(&raw); err != nil {
		return gateway.Errorf(gateway.Invalid, "the body is not JSON: %v", err)
	}
	inner := keyWalk{dec: json.NewDecoder(bytes.NewReader(raw)), fields: w.fields}
	inner.dec.UseNumber()
	if err := inner.value(nil, path, depth); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
		return &gateway.Error{Kind: gateway.Invalid, Field: path, Detail: fmt.Sprintf("%s: %v", cmp.Or(path, "the body"), err)}
	}
	return nil
}

// named are the fields of a struct by the names that they have in JSON.
func (w *keyWalk) named(t reflect.Type) map[string]reflect.Type {
	if known, ok := w.fields[t]; ok {
		return known
	}
	out := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" {
			continue
		}
		out[cmp.Or(name, f.Name)] = f.Type
	}
	w.fields[t] = out
	return out
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
