package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leviathan/gateway"
)

const secret = "lev_operator_canary0123456789"

// client makes a client whose pauses are short enough for a test.
func client(t *testing.T, h http.HandlerFunc) *gateway.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := gateway.NewClient(server.URL+"/prefix/", secret, gateway.ClientOptions{
		HTTPClient: server.Client(), MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func refuse(w http.ResponseWriter, e *gateway.Error) {
	w.Header().Set("Content-Type", gateway.ProblemMediaType)
	w.WriteHeader(e.Kind.Status())
	json.NewEncoder(w).Encode(gateway.NewProblem(e))
}

func TestEveryCallHasItsRoute(t *testing.T) {
	ctx := context.Background()
	demo := gateway.TargetID("demo")
	const id = gateway.AttemptID("01J00000000000000000000000")
	drain := func(r io.ReadCloser, err error) error {
		if err == nil {
			r.Close()
		}
		return err
	}
	for want, ask := range map[string]func(c *gateway.Client) error{
		"GET /health":       func(c *gateway.Client) error { return c.Health(ctx) },
		"GET /health/ready": func(c *gateway.Client) error { return c.Ready(ctx) },
		"POST /v1/targets/demo/cycle": func(c *gateway.Client) error {
			_, err := c.Cycle(ctx, demo, gateway.CycleRequest{})
			return err
		},
		"POST /v1/attempts/" + string(id) + "/lost": func(c *gateway.Client) error {
			return c.Lost(ctx, id, gateway.LostRequest{Observed: "oom"})
		},
		"POST /v1/attempts/" + string(id) + "/start": func(c *gateway.Client) error {
			_, err := c.Start(ctx, id, gateway.StartRequest{Instance: "i"})
			return err
		},
		"POST /v1/attempts/" + string(id) + "/heartbeat": func(c *gateway.Client) error {
			_, err := c.Heartbeat(ctx, id, gateway.HeartbeatRequest{})
			return err
		},
		"PUT /v1/attempts/" + string(id) + "/artifacts/agent.log?offset=7": func(c *gateway.Client) error {
			return c.PutArtifact(ctx, id, "agent.log", 7, []byte("x"))
		},
		"GET /v1/attempts/" + string(id) + "/artifacts/agent.log": func(c *gateway.Client) error {
			return drain(c.GetArtifact(ctx, id, "agent.log"))
		},
		"POST /v1/attempts/" + string(id) + "/evidence": func(c *gateway.Client) error { return c.Evidence(ctx, id, gateway.Evidence{}) },
		"POST /v1/attempts/" + string(id) + "/pull-request": func(c *gateway.Client) error {
			_, err := c.OpenPullRequest(ctx, id, gateway.PullRequestRequest{})
			return err
		},
		"POST /v1/attempts/" + string(id) + "/finish": func(c *gateway.Client) error {
			_, err := c.Finish(ctx, id, gateway.FinishRequest{Outcome: "succeeded"})
			return err
		},
		"POST /v1/attempts/" + string(id) + "/cancel":     func(c *gateway.Client) error { return c.Cancel(ctx, id, "r") },
		"POST /v1/attempts/" + string(id) + "/invalidate": func(c *gateway.Client) error { return c.Invalidate(ctx, id, "r") },
		"POST /v1/targets/demo/tasks/a%2Fb/retry":         func(c *gateway.Client) error { return c.Retry(ctx, demo, "a/b", "r") },
		"POST /v1/targets/%2E%2E/circuit/reset":           func(c *gateway.Client) error { return c.ResetCircuit(ctx, "..", "r") },
		"GET /v1/attempts?limit=3&state=live&target=demo": func(c *gateway.Client) error {
			_, err := c.Attempts(ctx, gateway.AttemptQuery{Target: demo, State: "live", Limit: 3})
			return err
		},
		"GET /v1/attempts/" + string(id):       func(c *gateway.Client) error { _, err := c.Attempt(ctx, id); return err },
		"GET /v1/targets/demo/tasks":           func(c *gateway.Client) error { _, err := c.Tasks(ctx, demo, ""); return err },
		"GET /v1/failures?limit=2&target=demo": func(c *gateway.Client) error { _, err := c.Failures(ctx, demo, 2); return err },
		"GET /v1/autonomy/status":              func(c *gateway.Client) error { _, err := c.Status(ctx); return err },
		"POST /v1/autonomy/halt":               func(c *gateway.Client) error { return c.Halt(ctx, gateway.ReasonRequest{Target: &demo, Reason: "r"}) },
		"POST /v1/autonomy/resume":             func(c *gateway.Client) error { return c.Resume(ctx, gateway.ReasonRequest{Reason: "r"}) },
		"POST /v1/clock/accept":                func(c *gateway.Client) error { return c.AcceptClock(ctx, "r") },
		"POST /access/v1/evaluation":           func(c *gateway.Client) error { _, err := c.Evaluate(ctx, gateway.Question{}); return err },
		"POST /access/v1/evaluations":          func(c *gateway.Client) error { _, err := c.EvaluateBatch(ctx, gateway.Batch{}); return err },
		"GET /v1/decisions?action=change.push&outcome=deny&since=2026-01-02T03%3A04%3A05.000000Z": func(c *gateway.Client) error {
			_, err := c.Decisions(ctx, gateway.DecisionQuery{Action: "change.push", Outcome: "deny",
				Since: gateway.At(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))})
			return err
		},
		"GET /v1/decisions/D":        func(c *gateway.Client) error { _, err := c.Decision(ctx, "D"); return err },
		"GET /v1/decisions/D/bundle": func(c *gateway.Client) error { return drain(c.DecisionBundle(ctx, "D")) },
		"GET /v1/tokens":             func(c *gateway.Client) error { _, err := c.Tokens(ctx); return err },
		"POST /v1/tokens":            func(c *gateway.Client) error { _, err := c.CreateToken(ctx, gateway.TokenRequest{}); return err },
		"DELETE /v1/tokens/t":        func(c *gateway.Client) error { return c.RevokeToken(ctx, "t") },
		"GET /v1/journal/checkpoint": func(c *gateway.Client) error { _, err := c.Checkpoint(ctx); return err },
		"GET /.well-known/jwks.json": func(c *gateway.Client) error { _, err := c.JWKS(ctx); return err },
		"POST /v1/events/ingest":     func(c *gateway.Client) error { _, err := c.Ingest(ctx, gateway.IngestRequest{}); return err },
		"GET /v1/invariants":         func(c *gateway.Client) error { _, err := c.InvariantChecks(ctx); return err },
		"POST /v1/invariants/check?category=a&category=b&policy_digest=sha256%3A00": func(c *gateway.Client) error {
			_, err := c.CheckInvariants(ctx, "sha256:00", []string{"a", "b"}, []byte("{}"))
			return err
		},
		"GET /v1/graph/summary": func(c *gateway.Client) error { _, err := c.GraphSummary(ctx); return err },
		"GET /v1/events/recent?limit=5": func(c *gateway.Client) error {
			_, err := c.RecentEvents(ctx, 5)
			return err
		},
	} {
		t.Run(want, func(t *testing.T) {
			var got string
			c := client(t, func(w http.ResponseWriter, r *http.Request) {
				got = r.Method + " " + strings.TrimPrefix(r.RequestURI, "/prefix")
				if auth := r.Header.Get("Authorization"); auth != "Bearer "+secret {
					t.Errorf("Authorization is %q", auth)
				}
				if strings.HasPrefix(r.RequestURI, "/prefix/v1/events/recent") {
					io.WriteString(w, "[]")
					return
				}
				io.WriteString(w, "{}")
			})
			if err := ask(c); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("asked %s, want %s", got, want)
			}
		})
	}
}

func TestProblemSurvivesTheWire(t *testing.T) {
	sent := &gateway.Error{Kind: gateway.Conflict, Detail: "taken", Field: "instance", Code: "attempt.already_started",
		DecisionID: "01J00000000000000000000000", Reasons: []gateway.Reason{{Code: "a.b", Message: "m", Remedy: "r"}}, RetryAfter: 1500 * time.Millisecond}
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, sent) })
	_, err := c.Start(context.Background(), "A", gateway.StartRequest{})
	var got *gateway.Error
	if !errors.As(err, &got) {
		t.Fatalf("%T is no *gateway.Error", err)
	}
	if _, direct := err.(*gateway.Error); !direct {
		t.Errorf("the error is a %T", err)
	}
	if !errors.Is(err, gateway.ErrConflict) || !errors.Is(err, &gateway.Error{Kind: gateway.Conflict, Code: "attempt.already_started"}) {
		t.Errorf("%v does not match its sentinels", err)
	}
	if got.Detail != "taken" || got.Field != "instance" || got.DecisionID != sent.DecisionID || got.RetryAfter != 2*time.Second ||
		len(got.Reasons) != 1 || got.Reasons[0] != sent.Reasons[0] {
		t.Errorf("got %+v", got)
	}
}

func TestOtherAnswersBecomeErrors(t *testing.T) {
	for status, want := range map[int]gateway.Kind{502: gateway.Unknown, 504: gateway.Unknown, 404: gateway.NotFound, 401: gateway.Unauthenticated,
		302: gateway.InternalError, 418: gateway.InternalError, 413: gateway.TooLarge} {
		c := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(status)
			io.WriteString(w, "<html>private</html>")
		})
		err := c.Resume(context.Background(), gateway.ReasonRequest{})
		if gateway.KindOf(err) != want || strings.Contains(err.Error(), "private") {
			t.Errorf("%d gave %v (%s), want %s", status, err, gateway.KindOf(err), want)
		}
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	ctx := context.Background()
	cases := []struct {
		name  string
		fail  func(w http.ResponseWriter)
		ask   func(c *gateway.Client) error
		tries int32
	}{
		{"a lost answer to a read", hangUp, func(c *gateway.Client) error { _, err := c.Status(ctx); return err }, 3},
		{"a lost answer to a finish", hangUp, func(c *gateway.Client) error {
			_, err := c.Finish(ctx, "A", gateway.FinishRequest{})
			return err
		}, 1},
		{"503 to a finish", func(w http.ResponseWriter) { refuse(w, gateway.Errorf(gateway.Unknown, "disk full")) }, func(c *gateway.Client) error {
			_, err := c.Finish(ctx, "A", gateway.FinishRequest{})
			return err
		}, 3},
		{"503 to a heartbeat", func(w http.ResponseWriter) { refuse(w, gateway.Errorf(gateway.Unknown, "disk full")) }, func(c *gateway.Client) error {
			_, err := c.Heartbeat(ctx, "A", gateway.HeartbeatRequest{})
			return err
		}, 1},
		{"429 with too long a pause", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, func(c *gateway.Client) error { _, err := c.Status(ctx); return err }, 1},
		{"a denial", func(w http.ResponseWriter) { refuse(w, gateway.Errorf(gateway.Forbidden, "no")) }, func(c *gateway.Client) error { _, err := c.Status(ctx); return err }, 1},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			var tries atomic.Int32
			c := client(t, func(w http.ResponseWriter, _ *http.Request) {
				if tries.Add(1) < 3 {
					k.fail(w)
					return
				}
				io.WriteString(w, "{}")
			})
			err := k.ask(c)
			if got := tries.Load(); got != k.tries || (err == nil) != (k.tries == 3) {
				t.Errorf("%d tries and %v, want %d", got, err, k.tries)
			}
		})
	}
}

func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestUnreachableIsUnknownAndWrapsItsCause(t *testing.T) {
	c, err := gateway.NewClient("http://127.0.0.1:1", secret, gateway.ClientOptions{MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Status(context.Background())
	if !errors.Is(err, gateway.ErrUnknown) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = c.Status(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, gateway.ErrUnknown) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestS23TokenIsInNoErrorAndNoURL(t *testing.T) {
	for _, base := range []string{"ftp://h", "://", "http://user:" + secret + "@h", "http://h?q=" + secret, "http://h#" + secret, "/only/path", "http://" + secret + " /"} {
		if _, err := gateway.NewClient(base, secret, gateway.ClientOptions{}); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", base, err)
		}
	}
	if _, err := gateway.NewClient("http://h", secret+"\n", gateway.ClientOptions{}); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a token with a line break: %v", err)
	}
	var uri string
	c := client(t, func(w http.ResponseWriter, r *http.Request) { uri = r.RequestURI; w.WriteHeader(500) })
	if _, err := c.Tokens(context.Background()); err == nil || strings.Contains(err.Error()+uri+c.URL(), secret) {
		t.Errorf("%v, %s", err, uri)
	}
}

func TestResolveTakesPathsOnly(t *testing.T) {
	c, err := gateway.NewClient("https://gw.example/sub", "", gateway.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Resolve("/git/demo.git"); err != nil || got != "https://gw.example/sub/git/demo.git" {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{"https://evil/x", "//evil/x", "git/demo.git", "/x?y", "/x#y", ""} {
		if got, err := c.Resolve(bad); err == nil {
			t.Errorf("%q resolved to %s", bad, got)
		}
	}
}

func TestEventsAreTakenUpAgainWhereTheyBroke(t *testing.T) {
	var asked []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after"))
		switch len(asked) {
		case 1:
			fmt.Fprint(w, "{\"seq\":4,\"event_id\":\"a\"}\n\n{\"seq\":5,\"event_id\":\"b\"}\n{\"seq\":6,\"ev")
		default:
			fmt.Fprint(w, "{\"seq\":6,\"event_id\":\"c\"}\n")
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var got []int64
	for event, err := range c.Events(ctx, gateway.EventQuery{After: 3, Follow: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, event.Seq)
		if event.Seq == 6 {
			cancel()
		}
	}
	if fmt.Sprint(got, asked) != "[4 5 6] [3 5]" {
		t.Errorf("got %v by asking after %v", got, asked)
	}
}

func TestEventsEndWithTheirError(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, gateway.Errorf(gateway.Forbidden, "no")) })
	for _, follow := range []bool{false, true} {
		var errs []error
		for _, err := range c.Events(context.Background(), gateway.EventQuery{Follow: follow}) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || !errors.Is(errs[0], gateway.ErrDenied) {
			t.Errorf("follow %v: %v", follow, errs)
		}
	}
}
