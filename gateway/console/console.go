package console

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"leviathan/gateway"
)

//go:embed assets templates
var files embed.FS

// Config is what a console is made of. API and Logger are required.
type Config struct {
	// API serves the gateway's routes. The console calls it in process.
	API    http.Handler
	Logger *slog.Logger
	// Now is the clock of sessions and ages; time.Now if nil.
	Now func() time.Time
	// Refused is called for each sign-in that the console refuses without
	// asking the API, which counts its own refusals. It may be nil.
	Refused func()
}

// A Route is one path that the console serves.
type Route struct {
	Method, Path string
	// Stream marks an answer that goes on for as long as it may.
	Stream bool
	// Body reports whether a request has one: a form of at most 64 KiB.
	Body bool
}

// Routes lists what the console serves. The names in braces are whole path
// segments.
func Routes() []Route {
	return []Route{
		{Method: "GET", Path: "/"},
		{Method: "GET", Path: "/login"}, {Method: "POST", Path: "/login", Body: true}, {Method: "POST", Path: "/logout", Body: true},
		{Method: "GET", Path: "/assets/{asset}"},
		{Method: "GET", Path: "/tasks"},
		{Method: "GET", Path: "/attempts"}, {Method: "GET", Path: "/attempts/{attempt}"},
		{Method: "GET", Path: "/decisions"}, {Method: "GET", Path: "/decisions/{decision}"},
		{Method: "GET", Path: "/policy"}, {Method: "GET", Path: "/journal"}, {Method: "GET", Path: "/graph"}, {Method: "GET", Path: "/limits"},
		{Method: "GET", Path: "/act/{action}"}, {Method: "POST", Path: "/act/{action}", Body: true},
		{Method: "GET", Path: "/events-stream", Stream: true},
	}
}

// Console serves the operator's pages. It is safe for concurrent use.
type Console struct {
	api      http.Handler
	log      *slog.Logger
	now      func() time.Time
	refused  func()
	sessions *sessions
	tries    *tries
	streams  *streams
	pages    map[string]*template.Template
	assets   map[string]asset
	handler  http.Handler
}

// New makes a console. It serves nothing yet and starts nothing.
func New(c Config) (*Console, error) {
	k := &Console{api: c.API, log: c.Logger, now: c.Now, refused: c.Refused}
	if k.now == nil {
		k.now = time.Now
	}
	if k.refused == nil {
		k.refused = func() {}
	}
	k.sessions, k.tries, k.streams = newSessions(k.now), newTries(k.now), newStreams()
	var err error
	if k.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if k.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	k.handler = k.routes()
	return k, nil
}

// ServeHTTP serves the routes of Routes, each with the headers that keep a
// page to itself.
func (k *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	k.handler.ServeHTTP(w, r)
}

// routes is the console's own router. What changes something is refused when
// another site sent it.
func (k *Console) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", k.signedIn(k.overview))
	m.HandleFunc("GET /login", k.showSignIn)
	m.HandleFunc("POST /login", k.signIn)
	m.HandleFunc("POST /logout", k.signOut)
	m.HandleFunc("GET /assets/{asset}", k.serveAsset)
	m.HandleFunc("GET /tasks", k.signedIn(k.tasks))
	m.HandleFunc("GET /attempts", k.signedIn(k.attempts))
	m.HandleFunc("GET /attempts/{attempt}", k.signedIn(k.attempt))
	m.HandleFunc("GET /decisions", k.signedIn(k.decisions))
	m.HandleFunc("GET /decisions/{decision}", k.signedIn(k.decision))
	m.HandleFunc("GET /policy", k.signedIn(k.policy))
	m.HandleFunc("GET /journal", k.signedIn(k.journal))
	m.HandleFunc("GET /graph", k.signedIn(k.graph))
	m.HandleFunc("GET /limits", k.signedIn(k.limits))
	m.HandleFunc("GET /act/{action}", k.signedIn(k.confirm))
	m.HandleFunc("POST /act/{action}", k.signedIn(k.act))
	m.HandleFunc("GET /events-stream", k.stream)
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.write(w, http.StatusForbidden, "notice", &page{Title: "Refused", Body: notice{
			Heading: "This request came from another site", Text: "Nothing was changed. Open the console itself and do it there."}})
	}))
	return protection.Handler(m)
}

// A visit is one request of who is signed in.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	session *session
	client  *gateway.Client
	now     time.Time
}

// signedIn finds the session of a request and hands its handler a client with
// the session's token. Without one it leads to the sign-in. An error becomes a
// page; one that says the token is no longer good ends the session.
func (k *Console) signedIn(handle func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := k.sessions.find(r)
		if s == nil {
			k.toSignIn(w, r)
			return
		}
		client, err := k.client(s.token)
		v := &visit{w: w, r: r, session: s, client: client, now: k.now()}
		if err == nil {
			err = handle(v)
		}
		switch {
		case err == nil:
		case gateway.KindOf(err) == gateway.Unauthenticated:
			k.sessions.end(s)
			k.toSignIn(w, r)
		default:
			k.fail(v, err)
		}
	}
}

// target is the target that a page is about: the one asked for, or else the
// first of those that there are.
func (v *visit) target(status gateway.Status) gateway.TargetID {
	if asked := v.r.URL.Query().Get("target"); asked != "" {
		return gateway.TargetID(asked)
	}
	for _, t := range status.Targets {
		if t.Target != "" {
			return t.Target
		}
	}
	return ""
}

// An asset is an embedded file with its type and its entity tag.
type asset struct {
	kind, etag string
	data       []byte
}

func loadAssets() (map[string]asset, error) {
	all := map[string]asset{}
	for name, kind := range map[string]string{"style.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		data, err := files.ReadFile("assets/" + name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		all[name] = asset{kind: kind, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, data: data}
	}
	return all, nil
}

// serveAsset serves what needs no session. Browsers keep it and ask whether it
// is still the same.
func (k *Console) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := k.assets[r.PathValue("asset")]
	if !ok {
		k.write(w, http.StatusNotFound, "notice", &page{Title: "Not found", Body: notice{Heading: "There is no such file", Text: "The console has no asset of this name."}})
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	k.send(w, http.StatusOK, a.data)
}

// send writes an answer. That nobody is there to read it is no failure of
// ours.
func (k *Console) send(w http.ResponseWriter, status int, data []byte) {
	w.WriteHeader(cmp.Or(status, http.StatusOK))
	if _, err := w.Write(data); err != nil {
		k.log.Debug("a page was not read to its end", "error", err)
	}
}
