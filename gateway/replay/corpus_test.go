package replay_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"os"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

var update = flag.Bool("update", false, "record the corpus anew: after a change of the policies that is meant to change answers")

// corpusSize is how many questions the corpus has.
const corpusSize = 500

// A recorded question and its answer.
type recorded struct {
	asked
	Result json.RawMessage `json:"result"`
}

// TestCorpus holds the engine to answers that it gave before: neither another
// release of OPA nor a rewritten rule may change one unseen.
func TestCorpus(t *testing.T) {
	const name = "testdata/corpus.jsonl.gz"
	policy := shipped(t)
	if *update {
		recordCorpus(t, name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(zip)
	n, answers := 0, map[bool]int{}
	for ; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var r recorded
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		got := answer(t, policy, r.Action, r.input(t))
		answers[got.Allow]++
		if !bytes.Equal(got.JSON, r.Result) {
			t.Errorf("question %d (%s) was answered %.600s\nand now %.600s\nif this is meant: go test ./gateway/replay -run Corpus -update", n, r.Action, r.Result, got.JSON)
		}
	}
	if n != corpusSize || answers[true] < corpusSize/10 || answers[false] < corpusSize/10 {
		t.Errorf("%d questions, answered %v", n, answers)
	}
}

// TestWhatThePlanSaysIsWhatTheInterpreterSays decides questions that are mostly
// malformed both ways. No byte of an answer may depend on the way.
func TestWhatThePlanSaysIsWhatTheInterpreterSays(t *testing.T) {
	policy := shipped(t)
	interpreted, err := engine.LoadFS(t.Context(), policies.FS, engine.Options{Interpreted: true})
	if err != nil {
		t.Fatal(err)
	}
	g, answers := newGenerator(t), map[bool]int{}
	for range generated() / 5 {
		q := g.next()
		for range g.rand.IntN(8) {
			g.change(q.Input, true)
		}
		in := q.input(t)
		got, want := answer(t, policy, q.Action, in), answer(t, interpreted, q.Action, in)
		if !bytes.Equal(got.JSON, want.JSON) {
			asked, err := in.JSON()
			t.Fatalf("%s: by its plan %s\nby the interpreter %s\nasked %s %v", q.Action, got.JSON, want.JSON, asked, err)
		}
		answers[got.Allow]++
	}
	if answers[true] == 0 || answers[false] == 0 {
		t.Errorf("answered %v", answers)
	}
}

func recordCorpus(t *testing.T, name string) {
	t.Helper()
	g, policy := newGenerator(t), shipped(t)
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	lines := json.NewEncoder(zip)
	for range corpusSize {
		q := g.next()
		result := answer(t, policy, q.Action, q.input(t))
		if err := lines.Encode(recorded{q, json.RawMessage(result.JSON)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTheSeedsAreAllowed keeps the generated histories honest: what they start
// from is allowed, but for the one route that a reader may not read.
func TestTheSeedsAreAllowed(t *testing.T) {
	for _, q := range questions(t) {
		result := answer(t, shipped(t), q.Action, q.input(t))
		request, _ := q.Input["request"].(map[string]any)
		subject, _ := q.Input["subject"].(map[string]any)
		want := !(q.Action == gateway.ActionRouteRead && request["route"] == "/v1/tokens" && subject["role"] == "reader")
		if result.Allow != want {
			t.Errorf("%s is answered %s", q.Action, result.JSON)
		}
	}
}
