package console

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"leviathan/gateway"
)

// inProcess is the host of the URLs that never leave the process.
const inProcess = "http://gateway.invalid"

// client is the API's client for one token. A page does not wait for a second
// try: it says what the first one said.
func (k *Console) client(token string) (*gateway.Client, error) {
	return gateway.NewClient(inProcess, token, gateway.ClientOptions{HTTPClient: &http.Client{Transport: transport{k.api, k.log}}, MaxTries: 1,
		UserAgent: "leviathan-console/" + gateway.Version})
}

// A transport carries requests to a handler of this process. Answers are
// streamed: the reader sees what the handler has written so far.
type transport struct {
	handler http.Handler
	log     *slog.Logger
}

// RoundTrip calls the handler. The handler ends when it returns, when the
// request's context ends, or when it writes after the body was closed.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "console"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	out := &answer{header: http.Header{}, body: writer, begun: make(chan struct{})}
	go func() {
		var failure error // what the reader of the body gets; io.EOF for nil
		status := http.StatusOK
		defer func() {
			if p := recover(); p != nil {
				t.log.Error("the API panicked under the console", "path", in.URL.Path, "panic", p)
				failure, status = errors.New("the answer broke off"), http.StatusInternalServerError
			}
			out.begin(status)
			writer.CloseWithError(failure)
		}()
		t.handler.ServeHTTP(out, in)
	}()
	select {
	case <-out.begun:
	case <-r.Context().Done():
		return nil, errors.Join(r.Context().Err(), reader.Close())
	}
	return &http.Response{Status: http.StatusText(out.status), StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.sent, Body: reader, ContentLength: -1, Request: r}, nil
}

// An answer is the handler's side of a round trip.
type answer struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	begun  chan struct{}
	// status and sent are what the header was when the answer began; written
	// before begun is closed and never after.
	status int
	sent   http.Header
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.begin(status) }

func (a *answer) begin(status int) {
	a.once.Do(func() {
		a.status, a.sent = status, a.header.Clone()
		close(a.begun)
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.begin(http.StatusOK)
	return a.body.Write(b)
}

// Flush begins the answer: nothing else is held back.
func (a *answer) Flush() { a.begin(http.StatusOK) }

// SetReadDeadline and SetWriteDeadline have nothing to do: there is no wire,
// and the request's context ends what takes too long.
func (a *answer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline has nothing to do.
func (a *answer) SetWriteDeadline(time.Time) error { return nil }
