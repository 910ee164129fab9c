package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"leviathan/gateway"
)

// pageNames are the pages; each is a file of templates.
var pageNames = []string{"login", "notice", "overview", "tasks", "attempts", "attempt", "decisions", "decision", "policy", "journal", "graph", "limits", "confirm"}

// A page is what the layout shows around a body.
type page struct {
	Title string
	// Section is the entry of the navigation that the page belongs to.
	Section string
	// Path is where the page can be loaded again; Live says that it changes.
	Path string
	Live bool
	// Role is that of who is signed in; empty for nobody.
	Role    gateway.Role
	Expires gateway.Time
	Now     gateway.Time
	Done    string // what an action that led here has done
	Body    any
}

// Operator reports whether the page offers actions.
func (p *page) Operator() bool { return p.Role == gateway.RoleOperator }

// A notice is the body of a page that only says something.
type notice struct {
	Heading string
	Text    string
	Reasons []gateway.Reason
	// Decision is the decision that refused, if one did.
	Decision gateway.DecisionID
}

// parsePages makes each page of the layout, the parts and its own file.
func parsePages() (map[string]*template.Template, error) {
	base, err := template.New("layout.html").Funcs(functions()).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parsing the console's layout: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, name := range pageNames {
		one, err := base.Clone()
		if err == nil {
			one, err = one.ParseFS(files, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("parsing the console's page %s: %w", name, err)
		}
		pages[name] = one
	}
	return pages, nil
}

// show answers a visit with a page.
func (k *Console) show(v *visit, name string, p *page) error {
	p.Role, p.Expires = v.session.role, gateway.At(v.session.expires)
	p.Path = v.r.URL.RequestURI()
	if said := v.session.said.Swap(nil); said != nil {
		p.Done = *said
	}
	k.write(v.w, http.StatusOK, name, p)
	return nil
}

// fail answers a visit with what went wrong, in the words of the API.
func (k *Console) fail(v *visit, err error) {
	kind := gateway.KindOf(err)
	n := notice{Heading: kind.Title(), Text: err.Error()}
	var e *gateway.Error
	if errors.As(err, &e) {
		n.Text, n.Reasons, n.Decision = e.Detail, e.Reasons, e.DecisionID
	}
	if kind == gateway.InternalError {
		k.log.Error("a page of the console failed", "path", v.r.URL.Path, "error", err)
	}
	k.write(v.w, kind.Status(), "notice", &page{Title: n.Heading, Role: v.session.role, Expires: gateway.At(v.session.expires), Body: n})
}

// write renders a page whole before it sends any of it.
func (k *Console) write(w http.ResponseWriter, status int, name string, p *page) {
	p.Now = gateway.At(k.now())
	var out bytes.Buffer
	if err := k.pages[name].Execute(&out, p); err != nil {
		k.log.Error("a page of the console could not be made", "page", name, "error", err)
		http.Error(w, "this page could not be made; the gateway's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	k.send(w, status, visible(out.Bytes()))
}

func functions() template.FuncMap {
	return template.FuncMap{
		"at": path, "external": external, "age": age, "when": when, "span": span, "short": short, "digest": digest, "bytes": sizeText,
		"json": pretty, "words": words, "deref": deref, "list": func(items ...string) []string { return items }, "label": label,
		"plural": plural, "limitForm": func(target gateway.TargetID) limitForm { return formOf(target, "", "") },
	}
}

// path joins segments to a path of this console, each escaped, so that an id
// with a slash or dots in it stays one segment.
func path(segments ...any) string {
	var b strings.Builder
	for _, s := range segments {
		escaped := url.PathEscape(fmt.Sprint(s))
		if strings.Trim(escaped, ".") == "" {
			escaped = strings.ReplaceAll(escaped, ".", "%2E")
		}
		b.WriteString("/" + escaped)
	}
	return b.String()
}

// external is an address that may be a link: https, with a host and without a
// user; else "".
func external(address any) string {
	text := deref(address)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return text
}

// deref is the text of a value that may be absent.
func deref(v any) string {
	switch v := v.(type) {
	case *string:
		if v == nil {
			return ""
		}
		return *v
	case *int:
		if v == nil {
			return ""
		}
		return strconv.Itoa(*v)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// when is an instant for people: UTC, to the second.
func when(t gateway.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// age says how long before now an instant was, or how long after it will be.
func age(now, t gateway.Time) string {
	switch d := now.Sub(t.Time); {
	case t.IsZero():
		return "never"
	case d > -time.Second && d < time.Second:
		return "now"
	case d > 0:
		return span(d) + " ago"
	default:
		return "in " + span(-d)
	}
}

// span is a duration in its two largest units.
func span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return strings.TrimSuffix(fmt.Sprintf("%d min %d s", s/60, s%60), " 0 s")
	case s < 86400:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", s/3600, s%3600/60), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%d d %d h", s/86400, s%86400/3600), " 0 h")
}

// short is an id's or a commit's last or first characters.
func short(v any) string {
	s := fmt.Sprint(v)
	switch {
	case len(s) == 26: // a ULID: its end tells ids of one time apart
		return "…" + s[18:]
	case len(s) == 40:
		return s[:12]
	}
	return s
}

// digest is the beginning of a digest.
func digest(s string) string {
	if hex, ok := strings.CutPrefix(s, "sha256:"); ok && len(hex) == 64 {
		return hex[:12]
	}
	return s
}

func sizeText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d\u00a0B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f\u00a0KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f\u00a0MiB", float64(n)/(1<<20))
}

// words makes a key readable: max_open_prs is max open prs.
func words(v any) string { return strings.NewReplacer("_", " ", ".", " ").Replace(fmt.Sprint(v)) }

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// jsonMax bounds what a page shows of one document.
const jsonMax = 64 << 10

// pretty is a JSON document with line breaks, cut where it is too long for a
// page.
func pretty(raw json.RawMessage) string {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return string(raw)
	}
	if out.Len() > jsonMax {
		return strings.ToValidUTF8(string(out.Bytes()[:jsonMax]), "") + "\n… cut here; the whole is in: leviathan decisions show --output json"
	}
	return out.String()
}
