package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBenchMeasures runs the small sizes: the page must have every row, and
// no figure may be missing. No time is held to anything.
func TestBenchMeasures(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("LEVIATHAN_BENCH_TEST") != "" {
		t.Fatal("the bench started the tests instead of the gateway")
	}
	out, repository := t.TempDir(), t.TempDir()
	if err := writeManifests(repository, 3, ""); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "LEVIATHAN_BENCH_TEST=1")
	cmd.Args = []string{"leviathan", "bench", "--quick", "--only", "decisions,cycle,changes,start,forward,invariants", "--repository", repository, "--out", out}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bench: %v\n%s", err, said)
	}
	data, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	rows := []string{"| durable decisions, 1 connections |", "| durable decisions, 16 connections |", "| durable decisions, 64 connections |",
		"| one cycle, 200 ready tasks |", "| a change of 1000 paths decided |", "| gateway ready, journal of 1000 records |", "| resident memory then |",
		"| an ingest while the spider takes them |", "| an ingest while the spider hangs |", "| an ingest while the spider is slow |",
		"| an ingest while the spider answers 500 |", "| an ingest while the spider is down |", "| the gate on 100 manifests |",
		"| the same, with an annotation in each kustomization |", "| the gate on a repository of one's own |"}
	for _, row := range rows {
		if !strings.Contains(page, row) {
			t.Errorf("the page has no row %q", row)
		}
	}
	for _, want := range []string{"`leviathan bench --only decisions,cycle,changes,start,forward,invariants", "small sizes", "none an error, all of them in the journal", " of memory", "load average before: "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "Not measured:") {
		t.Error("something was not measured")
	}
	if t.Failed() {
		t.Log(page)
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(i+1))
	}
	for p, want := range map[int]time.Duration{50: 100, 99: 198, 100: 200} {
		if got := percentile(times, p); got != want {
			t.Errorf("p%d of 1 to 200 is %d, want %d", p, got, want)
		}
	}
	if got := percentile(times[:1], 99); got != 1 {
		t.Errorf("p99 of one is %d", got)
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("p99 of none is %d", got)
	}
}

func TestASeriesHidesNoError(t *testing.T) {
	bad := series{{count: 10, took: time.Second}, {count: 10, took: time.Second, errors: 1, first: os.ErrDeadlineExceeded}, {count: 10, took: time.Second}}
	if err := bad.failure(); err == nil || !strings.Contains(err.Error(), "1 of 31") {
		t.Errorf("a series with an error says %v", err)
	}
	if err := (series{{took: time.Second}}).failure(); err == nil {
		t.Error("a series without an answer passes")
	}
	good := series{{count: 10, took: time.Second, p99: 3}, {count: 30, took: time.Second, p99: 1}, {count: 20, took: time.Second, p99: 2}}
	if err := good.failure(); err != nil {
		t.Error(err)
	}
	if rate, _, p99 := good.medians(); rate != 20 || p99 != 2 {
		t.Errorf("medians %v/s and p99 %v, want 20 and 2", rate, p99)
	}
}

// TestBothSidesComeFirstInTurn: who comes second finds the machine warm.
func TestBothSidesComeFirstInTurn(t *testing.T) {
	var order []string
	ours := func() error { order = append(order, "ours"); return nil }
	peer := func() error { order = append(order, "peer"); return nil }
	for i := range 2 {
		if err := inTurn(i, ours, peer); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"ours", "peer", "peer", "ours"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}
