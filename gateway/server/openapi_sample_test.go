package server_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// What differs from one run to the next, and what stands for it in the
// document.
var scrubbed = []struct {
	pattern *regexp.Regexp
	sample  string
}{
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`), "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"},
	{regexp.MustCompile(`lev_(\w+?)_[A-Za-z0-9_-]{20,}`), "lev_${1}_c2VjcmV0"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), strings.Repeat("3", 64)},
	{regexp.MustCompile(`\b[0-9a-f]{40}\b`), strings.Repeat("1", 40)},
	{regexp.MustCompile(`\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b`), "01KAX0V5Z00000000000000000"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "2026-01-28T10:00:00.000000Z"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
}

// sample is an answer as the document shows it: with samples in the place of
// what differs from run to run, and shortened.
func (p *play) sample(a answer) json.RawMessage {
	p.t.Helper()
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	var value any = "(bytes)"
	switch {
	case strings.HasSuffix(kind, "json") && kind != "application/x-ndjson":
		if err := json.Unmarshal([]byte(a.body), &value); err != nil {
			p.t.Fatalf("%v in %s", err, a.body)
		}
	case kind == "application/x-ndjson" || strings.HasPrefix(kind, "text/"):
		first, _, more := strings.Cut(a.body, "\n")
		if value = first + "\n"; strings.HasPrefix(kind, "text/") && more && len(a.body) < 400 {
			value = a.body
		}
	}
	data, err := json.Marshal(p.scrub(value, ""))
	if err != nil {
		p.t.Fatal(err)
	}
	return data
}

func (p *play) scrub(value any, key string) any {
	switch v := value.(type) {
	case map[string]any:
		if key == "input" || key == "keys" {
			return map[string]any{} // as large as the state that it shows, or a key
		}
		out := map[string]any{}
		for k, member := range v {
			out[k] = p.scrub(member, k)
		}
		return out
	case []any:
		out := []any{}
		for _, item := range v[:min(len(v), 2)] {
			if key == "keys" {
				item = map[string]any{}
			}
			out = append(out, p.scrub(item, ""))
		}
		return out
	case float64:
		if v != float64(int64(v)) {
			return 0.5
		}
		return v
	case string:
		return p.scrubText(v)
	}
	return value
}

func (p *play) scrubText(text string) string {
	for sample, live := range p.live {
		text = strings.ReplaceAll(text, live, sample)
	}
	text = strings.NewReplacer(p.dir, "/srv/leviathan", p.http.URL, "http://127.0.0.1:8000").Replace(text)
	samples := map[string]bool{}
	for sample := range p.live {
		samples[sample] = true
	}
	for _, s := range scrubbed {
		text = s.pattern.ReplaceAllStringFunc(text, func(found string) string {
			if samples[found] {
				return found
			}
			return s.pattern.ReplaceAllString(found, s.sample)
		})
	}
	if len(text) > 600 {
		cut := 600
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}

// shape is every place of a value with the type of what is there; the places
// of an array's items are one.
func shape(t testing.TB, text json.RawMessage) map[string]bool {
	t.Helper()
	var value any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
	}
	places := map[string]bool{}
	var walk func(place string, value any)
	walk = func(place string, value any) {
		switch v := value.(type) {
		case map[string]any:
			places[place+" object"] = true
			for k, member := range v {
				walk(place+"."+k, member)
			}
		case []any:
			places[place+" array"] = true
			for _, item := range v {
				walk(place+"[]", item)
			}
		default:
			places[place+" "+strings.TrimPrefix(fmt.Sprintf("%T", v), "<")] = true
		}
	}
	walk("", value)
	return places
}
