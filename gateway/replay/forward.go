package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"leviathan/gateway/journal"
)

// forwardCursor is the name of the forwarder's place in the journal.
const forwardCursor = "decision_log"

const (
	forwardBatch   = 500     // decisions at most in one request; fewer for a receiver that finds it too large
	forwardBytes   = 1 << 20 // of JSON at most in one request, before compression
	forwardTimeout = 30 * time.Second
)

// A Forwarder brings every decision to a receiver of OPA decision logs. It
// reads them from the journal, behind a cursor that is stored there, so a
// receiver that is down loses nothing and delays nobody: each decision arrives
// at least once, in the order of the journal. A receiver that finds a request
// too large (413) gets fewer decisions at once, and one that alone is too large
// without its input and result, marked as incomplete.
type Forwarder struct {
	// Journal is read, and keeps the cursor.
	Journal *journal.Journal
	// URL receives POST requests of gzipped JSON arrays: .../logs of a service.
	URL string
	// Token is sent as a bearer token, if there is one. It is asked for each
	// time, so that it can be rotated.
	Token func() (string, error)
	// Client makes the requests; it must not follow redirects to other hosts.
	Client *http.Client
	Logger *slog.Logger
	// Backoff says how long to wait after failures; nil doubles from one
	// second to five minutes.
	Backoff backoff.BackOff

	cursor  atomic.Int64
	failing atomic.Bool
}

// Cursor is the last record that the receiver has acknowledged, and whether
// the newest request failed.
func (f *Forwarder) Cursor() (seq int64, failing bool) { return f.cursor.Load(), f.failing.Load() }

// Run forwards until ctx ends. It fails only if the journal does.
func (f *Forwarder) Run(ctx context.Context) error {
	at, err := f.Journal.Cursor(ctx, forwardCursor)
	if err != nil {
		return fmt.Errorf("read the cursor of the decision log: %w", err)
	}
	f.cursor.Store(at)
	wait := f.Backoff
	if wait == nil {
		wait = &backoff.ExponentialBackOff{InitialInterval: time.Second, MaxInterval: 5 * time.Minute, Multiplier: 2, RandomizationFactor: 0.3}
	}
	wait.Reset()
	room := forwardBatch
	for ctx.Err() == nil {
		end := f.Journal.Seq()
		batch, last, err := f.read(ctx, at, end, room)
		if err != nil {
			return endedOr(ctx, err)
		}
		if len(batch) > 0 {
			pause, err := f.send(ctx, batch)
			if errors.Is(err, errTooLarge) && room > 0 {
				room /= 2
				continue
			}
			if err != nil {
				f.fail(ctx, at, err)
				if pause == 0 {
					pause = wait.NextBackOff()
				}
				if !sleep(ctx, pause) {
					return nil
				}
				continue
			}
		}
		wait.Reset()
		f.failing.Store(false)
		room = min(2*max(room, 1), forwardBatch)
		if last > at {
			if err := f.Journal.SetCursor(ctx, forwardCursor, last); err != nil {
				return endedOr(ctx, fmt.Errorf("store the cursor of the decision log: %w", err))
			}
			at = last
			f.cursor.Store(at)
		}
		if last < end {
			continue
		}
		if _, err := f.Journal.Wait(ctx, end); err != nil {
			return endedOr(ctx, err)
		}
	}
	return nil
}

// endedOr is nil once ctx has ended: that is how a run ends.
func endedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fail says so once for each time that the receiver goes away.
func (f *Forwarder) fail(ctx context.Context, at int64, err error) {
	if ctx.Err() == nil && !f.failing.Swap(true) {
		f.Logger.Warn("the receiver of the decision log does not take decisions; they wait in the journal", "url", f.URL, "after", at, "error", err)
	}
}

var (
	errFull     = errors.New("the batch is full")
	errTooLarge = errors.New("the request is too large for the receiver")
)

// read takes the next decisions after at, up to end, as one JSON array, and the last
// record that it covers: as many as there is room for, of no room one without
// what makes it large. The array is nil if there is no decision.
func (f *Forwarder) read(ctx context.Context, at, end int64, room int) (batch []byte, last int64, err error) {
	n := 0
	err = f.Journal.EachDecision(ctx, journal.DecisionRange{AfterSeq: at, UpToSeq: end}, func(d journal.StoredDecision) error {
		if n == max(room, 1) || len(batch) >= forwardBytes {
			return errFull
		}
		event, err := NewLogEvent(d)
		if err != nil {
			return err
		}
		if room == 0 {
			event.Input, event.Result, event.Custom.Incomplete = nil, nil, "too large for the receiver"
		}
		text, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("write decision %s for the decision log: %w", d.ID, err)
		}
		batch = append(append(batch, ','), text...)
		n, last = n+1, d.Seq
		return nil
	})
	switch {
	case errors.Is(err, errFull):
		err = nil
	case err == nil:
		last = end // what follows the last decision is no decision
	}
	if len(batch) > 0 {
		batch[0] = '['
		batch = append(batch, ']')
	}
	return batch, last, err
}

// send makes one request. After a failure it says how long the receiver wants
// to be left alone, 0 if it did not say.
func (f *Forwarder) send(ctx context.Context, batch []byte) (pause time.Duration, err error) {
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	if _, err := zip.Write(batch); err != nil {
		return 0, fmt.Errorf("compress a batch: %w", err)
	}
	if err := zip.Close(); err != nil {
		return 0, fmt.Errorf("compress a batch: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL, &body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	if f.Token != nil {
		token, err := f.Token()
		if err != nil {
			return 0, fmt.Errorf("read the token for the decision log: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return 0, err
	}
	_, drained := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if err := errors.Join(drained, resp.Body.Close()); err != nil && resp.StatusCode/100 != 2 {
		return 0, err
	}
	if resp.StatusCode == http.StatusRequestEntityTooLarge {
		return retryAfter(resp), errTooLarge
	}
	if resp.StatusCode/100 != 2 {
		return retryAfter(resp), fmt.Errorf("the receiver answered %s", resp.Status)
	}
	return 0, nil
}

// retryAfter is the number of seconds that a response asks for, an hour at
// most.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Hour)
}
