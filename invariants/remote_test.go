package invariants_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	"leviathan/invariants"
	"leviathan/invariants/report"
	"leviathan/policies"
)

const operatorToken = "operator-token-of-the-tests"

// shippedPolicy is what a gateway governs by that nobody configured.
var shippedPolicy = sync.OnceValues(func() (*engine.Snapshot, error) {
	return engine.LoadFS(context.Background(), policies.FS, engine.Options{})
})

// A servedGateway is a real one, over HTTP, without targets.
type servedGateway struct {
	journal *journal.Journal
	url     string
}

func serveGateway(t *testing.T) *servedGateway {
	t.Helper()
	policy, err := shippedPolicy()
	if err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	targets, err := autonomy.Open(t.TempDir(), nil, fixtureNow)
	if err != nil {
		t.Fatal(err)
	}
	g := &servedGateway{}
	if g.journal, err = journal.Open(t.Context(), journal.Config{Dir: state, Now: fixtureNow}); err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Config{StateDir: state, Journal: g.journal, Engine: engine.New(policy), Targets: targets,
		OperatorToken: operatorToken, Logger: slog.New(slog.DiscardHandler), Now: fixtureNow})
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(s.Handler())
	g.url = served.URL
	t.Cleanup(func() {
		served.Close()
		if err := errors.Join(s.Close(), g.journal.Close()); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *servedGateway) client(t *testing.T, token string) *gateway.Client {
	t.Helper()
	c, err := gateway.NewClient(g.url, token, gateway.ClientOptions{MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readerToken makes the token that CI has.
func (g *servedGateway) readerToken(t *testing.T) string {
	t.Helper()
	made, err := g.client(t, operatorToken).CreateToken(t.Context(), gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// verdictsOf are the decisions of a report as the journal has them: what was
// asked, and the answer byte for byte.
func verdictsOf(t *testing.T, j *journal.Journal, r *report.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := j.EachDecision(t.Context(), journal.DecisionRange{Action: gateway.ActionInvariantsCheck}, func(d journal.StoredDecision) error {
		for _, c := range r.Categories {
			if c.DecisionID == d.ID {
				out[c.Name] = d.InputDigest + " " + string(d.Result)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// what is about the journal and the bundle that a verdict is of, and nothing
// else, is taken out of a report.
func comparable(r *report.Report) *report.Report {
	out := *r
	out.Revision, out.PolicyDigest, out.Categories = "", "", slices.Clone(r.Categories)
	for i := range out.Categories {
		out.Categories[i].DecisionID = ""
	}
	return &out
}

func TestAGatewayGivesTheSameVerdictsByteForByte(t *testing.T) {
	g := serveGateway(t)
	ci := g.client(t, g.readerToken(t))
	waived := twoDeadLinks + `waivers:
  - {code: docs_structure.dead_link, path: "docs/**", reason: soon, owner: ada, expires: "2026-03-01"}
  - {code: docs_structure.dead_link, path: "gone/**", reason: soon, owner: ada, expires: "2026-03-01"}
`
	for name, opts := range map[string]invariants.Options{
		"two violations":              {Dir: tree(t, twoDeadLinks)},
		"waived, and a waiver unused": {Dir: tree(t, waived)},
		"held":                        {Dir: tree(t, "-- README.md --\n# Example\n")},
		"nothing to look at":          {Dir: tree(t, "-- a.txt --\n"), Categories: []string{"docs_structure"}},
		"what cannot be read":         {Dir: tree(t, "-- a.yaml --\na: [\n-- b.yaml --\na: 1\n-- README.md --\n# B\n")},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			opts.State = state
			here := check(t, opts)
			opts.State, opts.Gateway = "", ci
			there := check(t, opts)
			for _, format := range report.Formats() {
				var a, b bytes.Buffer
				if err := errors.Join(report.Write(&a, format, comparable(here)), report.Write(&b, format, comparable(there))); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(a.String(), b.String()); diff != "" {
					t.Errorf("%s: here -, of the gateway +\n%s", format, diff)
				}
			}
			j, err := journal.Open(t.Context(), journal.Config{Dir: state, Now: fixtureNow})
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := verdictsOf(t, j, here), verdictsOf(t, g.journal, there)
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(ours, theirs); diff != "" || len(ours) != len(here.Categories) {
				t.Errorf("the records of %d verdicts: here -, in the gateway's journal +\n%s", len(ours), diff)
			}
		})
	}
}

// What keeps a gateway from answering is why there is no verdict, whatever the
// repository is like.
func TestNoVerdictOfAGatewayIsAPass(t *testing.T) {
	g := serveGateway(t)
	held := tree(t, "-- README.md --\n# Example\n")
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	silent, err := gateway.NewClient(down.URL, operatorToken, gateway.ClientOptions{MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	events, err := g.client(t, operatorToken).CreateToken(t.Context(), gateway.TokenRequest{Role: gateway.RoleIngest, ExpiresIn: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	operator, large := g.client(t, operatorToken), tree(t, "-- README.md --\n# A\n")
	for i := range 18 {
		write(t, large, fmt.Sprintf("%d.yaml", i), "a: "+strings.Repeat("x ", 500_000)+"\n")
	}
	for name, row := range map[string]struct {
		opts  invariants.Options
		wants error
		text  string
	}{
		"a wrong token":             {invariants.Options{Dir: held, Gateway: g.client(t, "wrong")}, gateway.ErrUnauthenticated, "token"},
		"a role that may not":       {invariants.Options{Dir: held, Gateway: g.client(t, events.Token)}, gateway.ErrDenied, "denied"},
		"a gateway that is down":    {invariants.Options{Dir: held, Gateway: silent}, gateway.ErrUnknown, "refused"},
		"more than a gateway takes": {invariants.Options{Dir: large, Gateway: operator}, gateway.ErrTooLarge, "16777216"},
		"rules of the repository's own": {invariants.Options{Dir: tree(t, "-- README.md --\n# A\n-- .leviathan/invariants.yaml --\nversion: 1\nrules: rules\n"), Gateway: operator},
			nil, "rules: rules"},
		"a journal of its own": {invariants.Options{Dir: held, Gateway: operator, State: t.TempDir()}, nil, "journal"},
		"an unknown category":  {invariants.Options{Dir: held, Gateway: operator, Categories: []string{"nobody"}}, nil, `"nobody"`},
	} {
		r, err := invariants.Check(t.Context(), row.opts)
		if err == nil || r != nil || row.wants != nil && !errors.Is(err, row.wants) || !strings.Contains(err.Error(), row.text) {
			t.Errorf("%s: report %v, error %v", name, r, err)
		}
	}
}

// A verdict on other facts than those that were sent, or on other categories, is
// none on this repository.
func TestAVerdictOnSomethingElseIsNone(t *testing.T) {
	g := serveGateway(t)
	held := tree(t, "-- README.md --\n# Example\n")
	for name, change := range map[string]func(*gateway.InvariantVerdicts){
		"other facts":     func(v *gateway.InvariantVerdicts) { v.Items[0].InputDigest = "sha256:00" },
		"other category":  func(v *gateway.InvariantVerdicts) { v.Items[0].Category = "other" },
		"one is missing":  func(v *gateway.InvariantVerdicts) { v.Items = v.Items[1:] },
		"one is in place": func(v *gateway.InvariantVerdicts) { v.Items[0], v.Items[1] = v.Items[1], v.Items[0] },
	} {
		between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			forward(t, w, r, g.url, change)
		}))
		c, err := gateway.NewClient(between.URL, operatorToken, gateway.ClientOptions{MaxTries: 1})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := invariants.Check(t.Context(), invariants.Options{Dir: held, Gateway: c, Now: fixtureNow}); err == nil {
			t.Errorf("%s: the verdict is %s", name, r.Verdict)
		}
		between.Close()
	}
}

// forward hands a request on, and changes the verdicts of its answer.
func forward(t *testing.T, w http.ResponseWriter, r *http.Request, to string, change func(*gateway.InvariantVerdicts)) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), r.Body)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header = r.Header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	var answer any = &gateway.InvariantChecks{}
	if r.Method == http.MethodPost {
		answer = &gateway.InvariantVerdicts{}
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Error(err)
		return
	}
	if v, ok := answer.(*gateway.InvariantVerdicts); ok && len(v.Items) > 1 {
		change(v)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		t.Error(err)
	}
}
