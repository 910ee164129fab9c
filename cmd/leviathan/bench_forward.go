package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"leviathan/gateway"
)

// slowSpider is how long a slow spider takes for a bundle: nearly all of the
// second that it has.
const slowSpider = 900 * time.Millisecond

// A spiderManner is how a spider behaves that events are forwarded to.
type spiderManner struct {
	name   string
	handle http.HandlerFunc // nil: nobody listens
}

// spiderManners are those that a gateway must not feel.
var spiderManners = []spiderManner{
	{"takes them", func(http.ResponseWriter, *http.Request) {}},
	{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	{"is slow", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(slowSpider):
		case <-r.Context().Done():
		}
	}},
	{"answers 500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
	{"is down", nil},
}

// forward measures the ingest of events while they are forwarded to spiders of
// all manners, in turn with a gateway that has none.
func (b *bench) forward(ctx context.Context) (err error) {
	without, err := b.world(ctx, "forward-none", 1, map[string]string{"docs/a.md": "a\n"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, without.close()) }()
	worlds := []*benchWorld{without}
	for i, manner := range spiderManners {
		url, stop, err := manner.serve()
		if err != nil {
			return err
		}
		defer stop()
		w, err := b.world(ctx, fmt.Sprint("forward-", i), 1, map[string]string{"docs/a.md": "a\n"}, "--spider-url", url)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.close()) }()
		worlds = append(worlds, w)
	}
	times := make([][]time.Duration, len(worlds))
	rounds, each := b.size(10, 2), b.size(100, 5)
	for round := range rounds {
		for i := range worlds {
			at := (i + round) % len(worlds) // nobody always comes first
			took, err := worlds[at].ingests(ctx, fmt.Sprintf("%d-%d", round, at), each)
			if err != nil {
				return err
			}
			if round > 0 { // the first is to warm up
				times[at] = append(times[at], took...)
			}
		}
	}
	for i := range times {
		slices.Sort(times[i])
	}
	own := percentile(times[0], 50)
	for i, manner := range spiderManners {
		took := times[i+1]
		ratio := float64(percentile(took, 50)) / float64(own)
		b.add(figure{name: "an ingest while the spider " + manner.name, ours: latency(took), peer: "no spider: " + latency(times[0]),
			target: fmt.Sprintf("p50 ≤ 1.2× (is %.2f×)", ratio), held: ratio <= 1.2, note: fmt.Sprintf("%d bundles of one event, one after the other, in turn with the others", len(took))})
	}
	return nil
}

func latency(sorted []time.Duration) string {
	return "p50 " + milliseconds(percentile(sorted, 50)) + ", p99 " + milliseconds(percentile(sorted, 99))
}

// serve starts the spider, or finds an address at which there is none.
func (m spiderManner) serve() (url string, stop func(), err error) {
	if m.handle != nil {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil { // who has read it all sees the sender go
				m.handle(w, r)
			}
		}))
		return s.URL, func() { s.CloseClientConnections(); s.Close() }, nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return "http://" + free.Addr().String(), func() {}, free.Close()
}

// ingests sends bundles of one event each, one after the other.
func (w *benchWorld) ingests(ctx context.Context, mark string, n int) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	for i := range n {
		id := fmt.Sprintf("%s-%d", mark, i)
		began := time.Now()
		_, err := w.client.Ingest(ctx, gateway.IngestRequest{Target: "bench", BundleID: id, Events: []gateway.Event{{EventID: id, EventType: "note.made",
			Timestamp: gateway.At(began), Target: "bench", Payload: []byte(`{}`)}}})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
