package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/gorilla/mux"

	"leviathan/gateway"
)

// A route is one row of the table that drives the router, authentication,
// policy, metrics and documents. A row whose action no policy names answers
// 403 to everybody: a route without a policy does not open.
type route struct {
	method string
	path   string
	// action is what the handler asks the door. Rows with route.read are
	// decided here, before the handler; all others by the handler, which knows
	// the resource. An empty action is for the rows that are open.
	action  string
	body    int64         // limit of the request body in bytes; 0 means no body
	timeout time.Duration // 0 means the default
	handle  func(*Server, http.ResponseWriter, *http.Request, principal) error
	summary string
}

const (
	kib = 1 << 10
	mib = 1 << 20

	defaultTimeout = 30 * time.Second
	cycleTimeout   = 2 * time.Minute
	gitTimeout     = 15 * time.Minute
)

const (
	// open marks the rows that need no token. A webhook's is its signature.
	open = ""
	// anyAction marks the rows whose body names the action.
	anyAction = "*"
)

// routes is the table. The order is that of the documents.
func routes() []route {
	const read = gateway.ActionRouteRead
	return []route{
		{"GET", "/health", open, 0, 0, (*Server).health, "a status word"},
		{"GET", "/healthz", open, 0, 0, (*Server).healthz, "a status word"},
		{"GET", "/health/ready", open, 0, 0, (*Server).ready, "what is not ready, in words"},
		{"GET", "/.well-known/jwks.json", open, 0, 0, (*Server).jwks, "public keys of attempt tokens"},
		{"GET", "/metrics", read, 0, 0, (*Server).serveMetrics, "Prometheus metrics"},

		{"POST", "/access/v1/evaluation", anyAction, 1 * mib, 0, (*Server).evaluate, "ask one question; a dry run"},
		{"POST", "/access/v1/evaluations", anyAction, 4 * mib, 0, (*Server).evaluateBatch, "ask several questions; dry runs"},

		{"POST", "/v1/targets/{target}/cycle", gateway.ActionCyclePlan, 64 * kib, cycleTimeout, (*Server).cycle, "plan the backlog and reserve attempts"},
		{"GET", "/v1/targets/{target}/tasks", read, 0, 0, (*Server).listTasks, "the backlog, and why each task is not running"},
		{"GET", "/v1/targets/{target}/plan", read, 0, cycleTimeout, (*Server).tryLimit, "the next plan, as it is and with another value of one limit"},
		{"POST", "/v1/targets/{target}/tasks/{task}/retry", gateway.ActionTaskRetry, 64 * kib, 0, (*Server).retryTask, "unblock a task"},
		{"POST", "/v1/targets/{target}/circuit/reset", gateway.ActionCircuitReset, 64 * kib, 0, (*Server).resetCircuit, "close the breaker"},

		{"GET", "/v1/attempts", read, 0, 0, (*Server).listAttempts, "attempts, newest first"},
		{"GET", "/v1/attempts/{attempt}", read, 0, 0, (*Server).showAttempt, "one attempt with its events and artifacts"},
		{"POST", "/v1/attempts/{attempt}/start", gateway.ActionAttemptStart, 64 * kib, 0, (*Server).start, "take the lease and learn what may run"},
		{"POST", "/v1/attempts/{attempt}/heartbeat", gateway.ActionAttemptHeartbeat, 64 * kib, 0, (*Server).heartbeat, "renew the lease, or be told to stop"},
		{"PUT", "/v1/attempts/{attempt}/artifacts/{name}", gateway.ActionArtifactPut, 10*mib + kib, 0, (*Server).putArtifact, "append to an artifact"},
		{"GET", "/v1/attempts/{attempt}/artifacts/{name}", read, 0, 0, (*Server).getArtifact, "an artifact as plain text"},
		{"POST", "/v1/attempts/{attempt}/evidence", gateway.ActionAttemptEvidence, 256 * kib, 0, (*Server).evidence, "the worker's claim of its verifications"},
		{"POST", "/v1/attempts/{attempt}/pull-request", gateway.ActionPullRequestOpen, 256 * kib, cycleTimeout, (*Server).openPullRequest, "open the pull request"},
		{"POST", "/v1/attempts/{attempt}/finish", gateway.ActionAttemptFinish, 64 * kib, 0, (*Server).finish, "end the attempt"},
		{"POST", "/v1/attempts/{attempt}/lost", gateway.ActionAttemptLost, 64 * kib, 0, (*Server).lost, "report a worker that is gone"},
		{"POST", "/v1/attempts/{attempt}/cancel", gateway.ActionAttemptCancel, 64 * kib, 0, (*Server).cancelAttempt, "stop an attempt"},
		{"POST", "/v1/attempts/{attempt}/invalidate", gateway.ActionAttemptInvalidate, 64 * kib, 0, (*Server).invalidateAttempt, "take an attempt out of the counts"},
		{"GET", "/v1/failures", read, 0, 0, (*Server).listFailures, "failed attempts, newest first"},

		{"GET", "/git/{target}.git/info/refs", gateway.ActionRepositoryFetch, 0, 0, (*Server).gitRefs, "git smart HTTP"},
		{"POST", "/git/{target}.git/git-upload-pack", gateway.ActionRepositoryFetch, 16 * mib, gitTimeout, (*Server).gitUploadPack, "git fetch and clone"},
		{"POST", "/git/{target}.git/git-receive-pack", gateway.ActionChangePush, 1 << 40, gitTimeout, (*Server).gitReceivePack, "git push"},

		{"GET", "/v1/autonomy/status", read, 0, 0, (*Server).status, "switch, halts, breakers, limits and facts"},
		{"POST", "/v1/autonomy/halt", gateway.ActionAutonomyHalt, 64 * kib, 0, (*Server).halt, "emergency stop"},
		{"POST", "/v1/autonomy/resume", gateway.ActionAutonomyResume, 64 * kib, 0, (*Server).resume, "lift a halt"},
		{"POST", "/v1/clock/accept", gateway.ActionClockAccept, 64 * kib, 0, (*Server).acceptClock, "go on with a clock that went backwards"},

		{"GET", "/v1/decisions", read, 0, gitTimeout, (*Server).listDecisions, "decisions, newest first; NDJSON in the form of a decision log, and follows"},
		{"GET", "/v1/decisions/{decision}", read, 0, 0, (*Server).showDecision, "one decision with its input"},
		{"GET", "/v1/decisions/{decision}/why", read, 0, cycleTimeout, (*Server).whyDecision, "one decision, decided again with every step shown"},
		{"GET", "/v1/decisions/{decision}/bundle", read, 0, gitTimeout, (*Server).decisionBundle, "what a refused push carried, as a git bundle"},

		{"GET", "/v1/policy", read, 0, 0, (*Server).policyStatus, "which policy governs, and what became of the newest candidate"},
		{"GET", "/v1/policy/history", read, 0, 0, (*Server).policyHistory, "the policies that governed, newest first"},
		{"GET", "/v1/policy/coverage", read, 0, cycleTimeout, (*Server).policyCoverage, "which rules were a reason since a time, and which a test makes one"},
		{"POST", "/v1/policy/replay", gateway.ActionBundleReplay, 16 * mib, gitTimeout, (*Server).replayPolicy, "decide the journal again by a candidate"},
		{"POST", "/v1/policy/activate", gateway.ActionBundleActivate, 64 * kib, gitTimeout, (*Server).activatePolicy, "take the candidate that waits"},
		{"POST", "/v1/policy/rollback", gateway.ActionBundleRollback, 64 * kib, cycleTimeout, (*Server).rollBackPolicy, "make an earlier policy govern again"},

		{"GET", "/v1/invariants", read, 0, 0, (*Server).listInvariants, "the categories of invariants in the policy that governs, and their codes"},
		{"POST", "/v1/invariants/check", gateway.ActionInvariantsCheck, gateway.MaxFactsBytes, cycleTimeout, (*Server).checkInvariants, "the verdict of each category=NAME on a repository, whose facts are the body"},

		{"POST", "/v1/tokens", gateway.ActionTokenCreate, 64 * kib, 0, (*Server).createToken, "make a component's token"},
		{"GET", "/v1/tokens", read, 0, 0, (*Server).listTokens, "component tokens, without secrets"},
		{"DELETE", "/v1/tokens/{token}", gateway.ActionTokenRevoke, 0, 0, (*Server).revokeToken, "revoke a component's token"},

		{"GET", "/v1/journal/checkpoint", read, 0, 0, (*Server).checkpoint, "a signed note of the journal's tree"},
		{"GET", "/v1/journal/inclusion", read, 0, 0, (*Server).inclusionProof, "proof that a record is in the journal's tree"},
		{"GET", "/v1/journal/consistency", read, 0, 0, (*Server).consistencyProof, "proof that an older tree is the beginning of a newer one"},
		{"GET", "/v1/journal/backup", read, 0, gitTimeout, (*Server).backup, "the database as it is now, as one file"},
		{"GET", "/v1/journal/export", read, 0, gitTimeout, (*Server).exportJournal, "every record, a line of JSON each"},
		{"POST", "/v1/journal/prune", gateway.ActionJournalPrune, 64 * kib, gitTimeout, (*Server).prune, "remove inputs of old decisions"},
		{"GET", "/v1/events", read, 0, gitTimeout, (*Server).listEvents, "events in journal order; NDJSON follows"},
		{"GET", "/v1/events/recent", read, 0, 0, (*Server).recentEvents, "events, newest first"},
		{"POST", "/v1/events/ingest", gateway.ActionEventAppend, 8 * mib, 0, (*Server).ingest, "append external events, all or nothing"},
		{"POST", "/v1/forge/github/webhook", open, 1 * mib, 0, (*Server).githubWebhook, "GitHub says what happened, signed; 404 without a secret"},
		{"GET", "/v1/graph", read, 0, 0, (*Server).graphPicture, "the newest attempts with their targets, tasks and pull requests"},
		{"GET", "/v1/graph/nodes", read, 0, 0, (*Server).graphNodes, "nodes of the graph, newest first"},
		{"GET", "/v1/graph/nodes/{node}", read, 0, 0, (*Server).graphNode, "one node of the graph"},
		{"GET", "/v1/graph/edges", read, 0, 0, (*Server).graphEdges, "edges of the graph, in their order"},
		{"GET", "/v1/graph/summary", read, 0, 0, (*Server).graphSummary, "nodes and edges by type"},
	}
}

// router builds the handler from the table.
func (s *Server) router() http.Handler {
	m := mux.NewRouter().UseEncodedPath()
	for _, row := range append(routes(), s.consoleRoutes(m)...) {
		m.Handle(row.path, s.serve(row)).Methods(row.method)
	}
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.writeProblem(w, r, gateway.Errorf(gateway.NotFound, "no such route: %s %s", r.Method, r.URL.Path))
	})
	m.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.writeProblem(w, r, gateway.Errorf(gateway.NotFound, "no such route: %s is not served at %s", r.Method, r.URL.Path))
	})
	return m
}

// requestID is what a request may be called by who asks.
var requestID = regexp.MustCompile(`^[!-~]{1,128}$`)

// serve wraps a row's handler with what every request gets: a deadline, a
// body limit, a principal, the policy for reads, and an answer to its error.
func (s *Server) serve(row route) http.Handler {
	timeout := row.timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		if id := r.Header.Get("X-Request-ID"); requestID.MatchString(id) {
			w.Header().Set("X-Request-ID", id) // AuthZEN: who asks finds the answer by it
		}
		// The deadline holds for the bytes on the wire as well: who sends or
		// reads slowly keeps nothing open for longer. Not every connection
		// has deadlines; one that lacks them has at least the context's.
		wire := http.NewResponseController(w)
		if err := errors.Join(wire.SetReadDeadline(time.Now().Add(timeout)), wire.SetWriteDeadline(time.Now().Add(timeout+defaultTimeout))); err != nil {
			s.log.Debug("no deadline on a connection", "path", row.path, "error", err)
		}
		defer func() { // the next request of the connection has its own
			if err := wire.SetWriteDeadline(time.Time{}); err != nil {
				s.log.Debug("no deadline on a connection", "path", row.path, "error", err)
			}
		}()
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		r = r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		if err := s.handle(row, rec, r); err != nil {
			if rec.wrote {
				level := slog.LevelWarn
				if r.Context().Err() != nil {
					level = slog.LevelDebug // the client went away, or its time was over
				}
				s.log.Log(r.Context(), level, "answer broken off", "path", row.path, "error", err)
			} else {
				s.writeProblem(rec, r, err)
			}
		}
		s.metrics.request(row, rec.status, s.now().Sub(began))
	})
}

func (s *Server) handle(row route, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in %s %s: %v", row.method, row.path, p)
		}
	}()
	if row.body == 0 {
		r.Body = http.MaxBytesReader(w, r.Body, 0)
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, row.body)
	}
	if row.action == open {
		return row.handle(s, w, r, principal{})
	}
	if row.path == "/metrics" && s.openMetrics {
		return row.handle(s, w, r, principal{})
	}
	p, err := s.authenticate(r)
	if err != nil {
		return err
	}
	r, span := s.requestSpan(r, row, p)
	defer func() {
		spanFailed(span, err)
		span.End()
	}()
	if row.action == gateway.ActionRouteRead {
		if err := s.read(r, p, row); err != nil {
			return err
		}
	}
	return row.handle(s, w, r, p)
}

// A recorder remembers the status of an answer and whether it has begun.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// health answers as release 0.4 did.
func (s *Server) health(w http.ResponseWriter, _ *http.Request, _ principal) error {
	return writeJSON(w, http.StatusOK, gateway.Health{Status: "healthy", Service: "control-plane", Version: gateway.Version})
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request, _ principal) error {
	return writeJSON(w, http.StatusOK, gateway.Health{Status: "ok"})
}

// leastDisk is how many bytes a journal needs to write at all.
const leastDisk = 1 << 20

// ready says in one word whether questions can be answered. What keeps it
// from being ready is in the status route, which needs a token.
func (s *Server) ready(w http.ResponseWriter, r *http.Request, _ principal) error {
	if _, err := s.journal.Stats(r.Context()); err != nil {
		s.log.Warn("not ready", "error", err)
		return writeJSON(w, http.StatusServiceUnavailable, gateway.Health{Status: "journal"})
	}
	if free, _, err := diskSpace(s.stateDir); err == nil && free < leastDisk {
		return writeJSON(w, http.StatusServiceUnavailable, gateway.Health{Status: "disk"})
	}
	if s.writer != nil && s.writer.Held() != nil {
		return writeJSON(w, http.StatusServiceUnavailable, gateway.Health{Status: "lease"})
	}
	if s.clockBehind() > clockTolerance {
		return writeJSON(w, http.StatusServiceUnavailable, gateway.Health{Status: "clock"})
	}
	return writeJSON(w, http.StatusOK, gateway.Health{Status: "ready"})
}

func (s *Server) jwks(w http.ResponseWriter, _ *http.Request, _ principal) error {
	return writeJSON(w, http.StatusOK, s.keys.public)
}

// errBodyTooLarge reports whether err came from a body over its limit.
func errBodyTooLarge(err error) bool {
	var tooLarge *http.MaxBytesError
	return errors.As(err, &tooLarge)
}

// fields reads the {names} of a route's path.
func fields(r *http.Request) map[string]string { return mux.Vars(r) }
