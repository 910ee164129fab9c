package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An endpoint is one POST that is sent over and over: the whole request as it
// goes over the wire, and how to tell a good answer from a bad one.
type endpoint struct {
	addr    string
	request []byte
	good    func(answer []byte) bool
	pid     int // of the server
}

// endpointOf writes the request once, so that the load costs little: on a
// small machine it takes its time from the server that it measures.
func endpointOf(baseURL, path, token string, body []byte, good func([]byte) bool) (endpoint, error) {
	addr, ok := strings.CutPrefix(baseURL, "http://")
	if !ok {
		return endpoint{}, fmt.Errorf("the load needs a server at an http URL, not %s", baseURL)
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, addr, len(body))
	if token != "" {
		fmt.Fprintf(&request, "Authorization: Bearer %s\r\n", token)
	}
	request.WriteString("\r\n")
	request.Write(body)
	return endpoint{addr: addr, request: request.Bytes(), good: good}, nil
}

// A load is what one step under load showed. Every request that was sent is in
// it, as an answer with its time or as an error.
type load struct {
	took     time.Duration // until the last answer
	cpu      time.Duration // that the server used; 0 where the system does not tell
	p50, p99 time.Duration
	count    int
	errors   int
	first    error // of the errors
}

func (l load) perSecond() float64 { return float64(l.count) / l.took.Seconds() }

// drive sends the request over n connections until d has passed, then waits
// for the answers that are still due.
func drive(ctx context.Context, n int, d time.Duration, e endpoint) load {
	var mu sync.Mutex
	var l load
	var all []time.Duration
	var wg sync.WaitGroup
	before := cpuTime(e.pid)
	began := time.Now()
	for range n {
		wg.Go(func() {
			took, failed, first := e.repeat(ctx, began.Add(d))
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			l.errors += failed
			if l.first == nil {
				l.first = first
			}
		})
	}
	wg.Wait()
	l.took, l.cpu, l.count = time.Since(began), cpuTime(e.pid)-before, len(all)
	slices.Sort(all)
	l.p50, l.p99 = percentile(all, 50), percentile(all, 99)
	return l
}

// cpuTime is what a process has used so far, in user and system mode; 0 where
// the system does not tell. What else runs moves it less than the clock.
func cpuTime(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name stands in parentheses and may have spaces in it.
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond // in hundredths of a second
}

// percentile of sorted times, by the nearest rank; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

// mostErrors ends a connection that gets nothing but errors.
const mostErrors = 100

// repeat asks over one connection until the time, one question after the
// other. After an error it goes on with a new connection.
func (e endpoint) repeat(ctx context.Context, until time.Time) (took []time.Duration, failed int, first error) {
	var conn net.Conn
	var answers *bufio.Reader
	var buffer bytes.Buffer
	fail := func(err error) {
		failed++
		if first == nil {
			first = err
		}
		if conn != nil {
			first = errors.Join(first, conn.Close())
			conn = nil
		}
	}
	defer func() {
		if conn != nil {
			if err := conn.Close(); err != nil {
				fail(err)
			}
		}
	}()
	for time.Now().Before(until) && ctx.Err() == nil && failed < mostErrors {
		if conn == nil {
			var err error
			if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", e.addr); err != nil {
				fail(err)
				continue
			}
			answers = bufio.NewReader(conn)
		}
		at := time.Now()
		if err := e.once(conn, answers, &buffer); err != nil {
			fail(err)
			continue
		}
		took = append(took, time.Since(at))
	}
	return took, failed, first
}

// once sends the request, reads the whole answer and checks it.
func (e endpoint) once(conn net.Conn, answers *bufio.Reader, buffer *bytes.Buffer) error {
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := conn.Write(e.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	buffer.Reset()
	_, err = io.Copy(buffer, resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !e.good(buffer.Bytes()) {
		return fmt.Errorf("status %d: %.300s", resp.StatusCode, buffer.Bytes())
	}
	return nil
}

// A series is the steps of one side at one number of connections.
type series []load

// medians are the medians of the steps, each of its own; counts and errors
// are of all steps together.
func (s series) medians() (perSecond float64, p50, p99 time.Duration) {
	var rates []float64
	var halves, tails []time.Duration
	for _, l := range s {
		rates, halves, tails = append(rates, l.perSecond()), append(halves, l.p50), append(tails, l.p99)
	}
	slices.Sort(rates)
	return rates[len(rates)/2], median(halves), median(tails)
}

func (s series) count() (count int) {
	for _, l := range s {
		count += l.count
	}
	return count
}

// failure is what went wrong in any of the steps, nil if nothing did.
func (s series) failure() error {
	failed, first := 0, error(nil)
	for _, l := range s {
		failed += l.errors
		if first == nil {
			first = l.first
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d answers were not what they must be; the first: %w", failed, failed+s.count(), first)
	}
	if s.count() == 0 {
		return errors.New("there was no answer")
	}
	return nil
}

// String is the cell of the table.
func (s series) String() string {
	perSecond, p50, p99 := s.medians()
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s", perSecond, milliseconds(p50), milliseconds(p99))
}

// cost is the processor time of one answer.
func (s series) cost() string {
	var cpu time.Duration
	for _, l := range s {
		cpu += l.cpu
	}
	if cpu <= 0 || s.count() == 0 {
		return "unknown"
	}
	return milliseconds(cpu / time.Duration(s.count()))
}

// rates lists the throughput of each step, to show how much they differ.
func (s series) rates() string {
	var all []string
	for _, l := range s {
		all = append(all, fmt.Sprintf("%.0f", l.perSecond()))
	}
	return strings.Join(all, ", ")
}
