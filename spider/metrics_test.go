package spider_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"leviathan/gateway"
	"leviathan/gateway/journal"
	"leviathan/spider"
)

var update = flag.Bool("update", false, "write the golden files anew")

// plan asks for a cycle, and has its answer journalled.
func (g *gate) plan() {
	g.t.Helper()
	_, err := g.client().Cycle(context.Background(), "demo", gateway.CycleRequest{})
	g.must(err)
}

// lastDecision is the place of the newest decision.
func (g *gate) lastDecision() int64 {
	g.t.Helper()
	list, err := g.client().Decisions(context.Background(), gateway.DecisionQuery{Limit: 1})
	g.must(err)
	if len(list.Items) != 1 {
		g.t.Fatal("nothing was decided")
	}
	return list.Items[0].Recorded.Seq
}

func (r *run) countedDecisions(g *gate) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.AwaitDecisions(ctx, g.lastDecision()); err != nil {
		r.t.Fatalf("the spider does not count the decisions: %v", err)
	}
}

func TestDecisionsAreCountedOnceOverRestarts(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	c := spider.Config{Client: g.client(), StateFile: filepath.Join(t.TempDir(), "spider.json"), StatusEvery: 5 * time.Millisecond}
	cycles := 0
	var s *run
	for range 3 {
		s = start(t, c)
		for range 2 {
			g.plan()
			cycles++
		}
		s.countedDecisions(g)
		s.stop()
		g.plan() // missed by the spider
		cycles++
	}
	_, err := g.client().Evaluate(context.Background(), gateway.Question{Subject: gateway.Entity{Type: "component", ID: "scheduler"},
		Action: gateway.Action{Name: gateway.ActionCyclePlan}, Resource: gateway.Entity{Type: "target", ID: "demo"}})
	g.must(err)
	g.must(g.client().Halt(context.Background(), gateway.ReasonRequest{Reason: "r"}))
	s = start(t, c)
	s.countedDecisions(g)
	s.holds(map[string]float64{
		"leviathan_recorded_decisions_total{action=cycle.plan,outcome=unknown}":             float64(cycles), // the upstream cannot be read
		"leviathan_recorded_decisions_total{action=autonomy.halt,outcome=allow}":            1,
		"leviathan_recorded_decision_reasons_total{action=cycle.plan,code=unknown.backlog}": float64(cycles),
		"leviathan_recorded_decisions_total{action=cycle.plan,outcome=allow}":               -1,
	})
	// Another journal is counted from its start.
	g.stop()
	g.start("another")
	g.plan()
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"})
	s.caughtUp(g)
	s.countedDecisions(g)
	s.holds(map[string]float64{"leviathan_recorded_decisions_total{action=cycle.plan,outcome=unknown}": 1,
		"leviathan_recorded_decisions_total{action=autonomy.halt,outcome=allow}": -1})
}

// A gateway of another release, or none at all, may send any code and action.
func TestCodesAndActionsAreBounded(t *testing.T) {
	t.Parallel()
	reasons := make([]string, 0, spider.MaxCodes+20)
	for i := range spider.MaxCodes + 10 {
		reasons = append(reasons, fmt.Sprintf(`{"code":"made.up_%04d"}`, i))
	}
	for range 2 {
		reasons = append(reasons, `{"code":"evil\"} 1\n"}`, `{"code":""}`, `{"code":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}`)
	}
	served := http.NewServeMux()
	served.HandleFunc("GET /v1/decisions", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"items":[{"id":"d","action":"evil\n","decision":false,"recorded":{"seq":7},"reasons":[%s]}]}`, strings.Join(reasons, ","))
	})
	served.HandleFunc("GET /v1/autonomy/status", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"targets":[]}`) })
	served.HandleFunc("GET /v1/events", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := start(t, spider.Config{Client: clientOf(t, served), StatusEvery: time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.AwaitDecisions(ctx, 7); err != nil {
		t.Fatal(err)
	}
	families := s.scrape()
	if n := len(families["leviathan_recorded_decision_reasons_total"].GetMetric()); n != spider.MaxCodes+1 {
		t.Errorf("%d codes have a label", n)
	}
	if n := value(families, "leviathan_recorded_decision_reasons_total{action=other,code=other}"); n != 13 {
		t.Errorf("%v reasons are other", n)
	}
	if n := value(families, "leviathan_recorded_decisions_total{action=other,outcome=deny}"); n != 1 {
		t.Errorf("%v decisions are about an unknown action", n)
	}
}

// watching is a spider that shows every metric that there is.
func watching(t *testing.T) *run {
	t.Helper()
	g := newGate(t)
	s := start(t, spider.Config{Client: g.client(), StatusEvery: 5 * time.Millisecond})
	j := newJob("guide")
	g.record(journal.TargetRegistered{Subject: onDemo, Name: "demo"}, j.task(), j.created(1), j.started())
	g.record(j.proposed(7)...)
	g.record(j.ended(journal.End{Status: gateway.Succeeded}), journal.PullMerged{Subject: j.about, PRNumber: 7},
		journal.CircuitOpened{Subject: onDemo, Cause: "failures"}, journal.CycleCompleted{Subject: onDemo, Outcome: gateway.CycleIdle})
	g.plan()
	s.caughtUp(g)
	s.governed(g)
	s.countedDecisions(g)
	return s
}

// The names, types and labels are a contract with everybody's dashboards.
func TestTheSpidersMetricsAreThese(t *testing.T) {
	t.Parallel()
	s := watching(t)
	families := s.scrape()
	described := make(chan *prometheus.Desc, 1000)
	s.Describe(described)
	close(described)
	var rows []string
	for d := range described {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]
		labels := strings.ReplaceAll(regexp.MustCompile(`variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())[1], ",", " ")
		family := families[name]
		if family == nil {
			t.Errorf("%s has no series in a spider that shows all of them", name)
			continue
		}
		rows = append(rows, strings.TrimSpace(fmt.Sprintf("%s %s %s", name, strings.ToLower(family.GetType().String()), labels)))
	}
	for name := range maps.Keys(families) {
		if strings.HasPrefix(name, "leviathan_") && !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, name+" ") }) {
			t.Errorf("%s is shown and not described", name)
		}
	}
	if families["go_goroutines"] == nil {
		t.Error("nothing is shown of Go itself")
	}
	slices.Sort(rows)
	got, file := strings.Join(rows, "\n")+"\n", filepath.Join("testdata", "metrics.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what there is; dashboards may need it. If it is meant: go test -update\ngot:\n%s", file, got)
	}
}

func TestTheSpidersMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	resp, err := http.Get(watching(t).http.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.New(bytes.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool, of Debian's package prometheus; the same rules were held without it")
	}
	cmd := exec.Command(tool, "check", "metrics")
	cmd.Stdin = bytes.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// clientOf asks a gateway that is nothing but the routes.
func clientOf(t *testing.T, routes http.Handler) *gateway.Client {
	t.Helper()
	web := httptest.NewServer(routes)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	c, err := gateway.NewClient(web.URL, operator, gateway.ClientOptions{MaxTries: 1, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
