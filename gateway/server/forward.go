package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

const (
	// forwardCursor is the forwarder's name among the journal's consumers.
	forwardCursor = "spider"
	// forwardBatch is how many events one bundle has at most, forwardTimeout
	// how long a spider has to take it, forwardPause the longest pause before
	// it is tried again, forwardBehind how many records of the journal may wait
	// for a spider that does not take them, and forwardKeep how often the
	// cursor is written down.
	forwardBatch   = 500
	forwardTimeout = time.Second
	forwardPause   = 30 * time.Second
	forwardBehind  = 50_000
	forwardKeep    = 10 * time.Second
)

// Why events were not forwarded; the label of leviathan_forward_dropped_total.
const (
	droppedBehind  = "behind"  // too many waited for a spider that did not take them
	droppedRefused = "refused" // the spider took none of the bundle, and never will
)

// ForwardConfig is what a forwarder is made of.
type ForwardConfig struct {
	Journal *journal.Journal
	// URL is the spider's, without the route; http or https.
	URL    string
	Logger *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Behind is how many records of the journal may wait for a spider that
	// does not take them; 0 means 50,000.
	Behind int64
	// Timeout is how long the spider has to take a bundle; 0 means one second.
	Timeout time.Duration
	// MaxPause is the longest pause before a spider is tried again; 0 means 30
	// seconds.
	MaxPause time.Duration
	// Client carries the bundles; nil means one with a transport of its own.
	Client *http.Client
}

// A Forwarder sends the journal's events to a spider, best effort.
//
// Nobody's request meets it. The journal is its queue: it reads committed
// events behind everybody's back, over the journal's readers, which hold up no
// writer, and it takes no lock of the server. What it holds in memory is one
// bundle. A spider that is hung, slow or down costs it patience, and in the
// end the oldest events, which are counted; it costs nobody else anything.
//
// Its cursor is kept in the journal, so that a restart goes on where it was.
// After a crash up to ten seconds of events are sent again; a spider counts
// them once, by their ids.
type Forwarder struct {
	journal  *journal.Journal
	ingest   string
	log      *slog.Logger
	now      func() time.Time
	behind   int64
	timeout  time.Duration
	maxPause time.Duration
	client   *http.Client

	forwarded prometheus.Counter
	dropped   *prometheus.CounterVec

	at     atomic.Int64 // after, for who looks on; -1 before Run knows it
	after  int64        // the last record that was dealt with; Run's alone
	kept   int64        // what the journal has of it
	keptAt time.Time
}

// NewForwarder makes a forwarder to the spider at c.URL, with its metrics in
// registry. It sends nothing before Run.
func NewForwarder(c ForwardConfig, registry prometheus.Registerer) (*Forwarder, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the spider's URL must begin with http:// or https://, name a host, and have no user, query or fragment")
	}
	f := &Forwarder{journal: c.Journal, ingest: strings.TrimRight(base.String(), "/") + "/v1/events/ingest", log: c.Logger, now: c.Now, behind: c.Behind,
		timeout: c.Timeout, maxPause: c.MaxPause, client: c.Client,
		forwarded: prometheus.NewCounter(prometheus.CounterOpts{Name: "leviathan_forwarded_total", Help: "Events that the spider took."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leviathan_forward_dropped_total",
			Help: "Events that were not forwarded: too many waited (behind), or the spider refused their bundle (refused)."}, []string{"reason"}),
	}
	f.dropped.WithLabelValues(droppedBehind)
	f.dropped.WithLabelValues(droppedRefused)
	if f.now == nil {
		f.now = time.Now
	}
	if f.behind <= 0 {
		f.behind = forwardBehind
	}
	if f.timeout <= 0 {
		f.timeout = forwardTimeout
	}
	if f.maxPause <= 0 {
		f.maxPause = forwardPause
	}
	if f.client == nil {
		f.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute}}
	}
	f.at.Store(-1)
	for _, c := range []prometheus.Collector{f.forwarded, f.dropped, forwardLag{f}} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("registering the forwarder's metrics: %w", err)
		}
	}
	return f, nil
}

// Run forwards until ctx ends, and at most Timeout longer, and returns its
// error. It waits for the journal
// and for the spider; nothing waits for it.
func (f *Forwarder) Run(ctx context.Context) error {
	at, err := f.journal.Cursor(ctx, forwardCursor)
	if err != nil {
		return fmt.Errorf("reading the forwarder's cursor: %w", err)
	}
	f.after, f.kept, f.keptAt = at, at, f.now()
	f.at.Store(at)
	defer f.keep(context.WithoutCancel(ctx))
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = min(pause.InitialInterval, f.maxPause), f.maxPause
	quiet := true
	for {
		refusal, err := f.forward(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		if said := refusal == nil; said != quiet {
			if quiet = said; refusal != nil {
				f.log.Warn("the spider does not take events: they wait, and nothing else does", "spider", f.ingest, "error", refusal)
			} else {
				f.log.Info("the spider takes events again", "spider", f.ingest)
			}
		}
		if refusal == nil {
			pause.Reset()
			continue
		}
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// forward waits for events and sends one bundle. A refusal says that the
// spider did not take it and may later; an error, that the journal cannot be
// read.
func (f *Forwarder) forward(ctx context.Context) (refusal, err error) {
	end := f.journal.Seq()
	events, err := f.journal.Events(ctx, journal.EventFilter{After: f.after}, forwardBatch)
	if err != nil {
		return nil, fmt.Errorf("reading events to forward: %w", err)
	}
	if len(events) == 0 {
		f.moved(ctx, max(f.after, end)) // what is up to there are decisions
		if _, err := f.journal.Wait(ctx, end); err != nil {
			return nil, fmt.Errorf("waiting for events to forward: %w", err)
		}
		return nil, nil
	}
	switch refusal := f.send(ctx, events); {
	case refusal == nil:
		f.forwarded.Add(float64(len(events)))
	case gateway.KindOf(refusal) == gateway.Invalid:
		f.dropped.WithLabelValues(droppedRefused).Add(float64(len(events)))
		f.log.Error("the spider refuses events: they are dropped", "spider", f.ingest, "events", len(events), "error", refusal)
	default:
		return refusal, f.shed(ctx)
	}
	f.moved(ctx, events[len(events)-1].Seq)
	return nil, nil
}

// moved notes how far the journal was dealt with, and now and then writes it
// down.
func (f *Forwarder) moved(ctx context.Context, seq int64) {
	f.after = seq
	f.at.Store(seq)
	if f.now().Sub(f.keptAt) >= forwardKeep {
		f.keep(ctx)
	}
}

// send posts one bundle. An error of kind Invalid says that the spider will
// never take it.
func (f *Forwarder) send(ctx context.Context, events []journal.LoggedEvent) error {
	body, err := json.Marshal(struct {
		BundleID  string                `json:"bundle_id"`
		Events    []journal.LoggedEvent `json:"events"`
		Artifacts []string              `json:"artifacts"`
	}{BundleID: fmt.Sprintf("journal-%d-%d", events[0].Seq, events[len(events)-1].Seq), Events: events})
	if err != nil {
		return gateway.Errorf(gateway.Invalid, "encoding events to forward: %v", err)
	}
	// A bundle under way is waited for at the end, or it would be sent twice.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.ingest, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return fmt.Errorf("reading the spider's answer: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return nil
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusUnprocessableEntity, resp.StatusCode == http.StatusRequestEntityTooLarge:
		return gateway.Errorf(gateway.Invalid, "the spider answered %s", resp.Status)
	}
	return fmt.Errorf("the spider answered %s", resp.Status)
}

// shed drops the oldest events that wait, so that no more records than behind
// do. It is called only when the spider does not take any.
func (f *Forwarder) shed(ctx context.Context) error {
	floor := f.journal.Seq() - f.behind
	for f.after < floor {
		events, err := f.journal.Events(ctx, journal.EventFilter{After: f.after}, forwardBatch)
		if err != nil {
			return fmt.Errorf("reading events that wait for the spider: %w", err)
		}
		next := floor
		for i, e := range events {
			if e.Seq > floor {
				events = events[:i]
				break
			}
		}
		if len(events) == forwardBatch {
			next = events[len(events)-1].Seq
		}
		f.dropped.WithLabelValues(droppedBehind).Add(float64(len(events)))
		f.after = next
		f.at.Store(next)
	}
	return nil
}

// forwardLag shows how far a forwarder is behind.
type forwardLag struct{ *Forwarder }

var forwardLagDesc = prometheus.NewDesc("leviathan_forward_lag_records",
	"Records of the journal that were not yet looked through for the spider; absent before the forwarder runs.", nil, nil)

// Describe implements prometheus.Collector.
func (f forwardLag) Describe(out chan<- *prometheus.Desc) { out <- forwardLagDesc }

// Collect implements prometheus.Collector.
func (f forwardLag) Collect(out chan<- prometheus.Metric) {
	if at := f.at.Load(); at >= 0 {
		out <- prometheus.MustNewConstMetric(forwardLagDesc, prometheus.GaugeValue, float64(max(0, f.journal.Seq()-at)))
	}
}

// keep writes the cursor down. That it cannot be is no harm but that events
// are sent again after a restart.
func (f *Forwarder) keep(ctx context.Context) {
	if f.after == f.kept {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	f.keptAt = f.now()
	if err := f.journal.SetCursor(ctx, forwardCursor, f.after); err != nil {
		f.log.Warn("writing down how far events were forwarded: some will be sent again", "error", err)
		return
	}
	f.kept = f.after
}
