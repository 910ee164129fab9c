package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/policies"
)

// builtIn is the policy that this repository ships, loaded once.
var builtIn = sync.OnceValues(func() (*engine.Snapshot, error) {
	return engine.LoadFS(context.Background(), policies.FS, engine.Options{Tested: true}) // as a gateway does at its start
})

func shipped(t testing.TB) *engine.Snapshot {
	t.Helper()
	s, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An asked question is an action and the document that the policy sees.
type asked struct {
	Action string         `json:"action"`
	Input  map[string]any `json:"input"`
}

// questions are the seeds of the generated history: one allowed question of
// most actions, as a gateway asked them.
func questions(t testing.TB) []asked {
	t.Helper()
	data, err := os.ReadFile("testdata/questions.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []asked
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// A generator asks seeds with some leaves changed. It is deterministic.
type generator struct {
	rand  *rand.Rand
	seeds []asked
}

func newGenerator(t testing.TB) *generator {
	return &generator{rand.New(rand.NewPCG(11, 24)), questions(t)}
}

// next is another question: each third as it was asked, the others with up to
// three leaves changed or missing.
func (g *generator) next() asked {
	seed := g.seeds[g.rand.IntN(len(g.seeds))]
	q := asked{seed.Action, deepCopy(seed.Input).(map[string]any)}
	for range max(0, g.rand.IntN(6)-2) {
		g.change(q.Input, true)
	}
	return q
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = deepCopy(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = deepCopy(x)
		}
		return out
	}
	return v
}

// change walks to a random leaf and gives it another value.
func (g *generator) change(object map[string]any, top bool) {
	names := slices.Sorted(maps.Keys(object))
	if top {
		names = slices.DeleteFunc(names, func(n string) bool { return n == "action" })
	}
	if len(names) == 0 {
		return
	}
	name := names[g.rand.IntN(len(names))]
	if g.rand.IntN(30) == 0 {
		delete(object, name)
		return
	}
	switch v := object[name].(type) {
	case map[string]any:
		g.change(v, false)
	case bool:
		object[name] = !v
	case float64:
		object[name] = v + float64(g.rand.IntN(7)-3)
	case string:
		object[name] = []string{"", "running", "src/main.go", "docs/other.md", "other"}[g.rand.IntN(5)]
	case []any:
		object[name] = append(v, "docs/more.md")
	default:
		object[name] = map[string]any{"reason": "a change"}
	}
}

// input is the question as the engine takes it.
func (q asked) input(t testing.TB) engine.Input {
	t.Helper()
	var in engine.Input
	for _, name := range slices.Sorted(maps.Keys(q.Input)) {
		part, err := engine.NewPart(name, q.Input[name])
		if err != nil {
			t.Error(err)
		}
		in = append(in, part)
	}
	return in
}

func openJournal(t testing.TB) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// decide puts the question to the policy and journals the answer as a gateway
// does.
func decide(t testing.TB, j *journal.Journal, policy *engine.Snapshot, n int, q asked) {
	t.Helper()
	commit(t, j, recordOf(t, policy, n, q))
}

// decideMany decides generated questions, on all processors.
func decideMany(t testing.TB, j *journal.Journal, policy *engine.Snapshot, g *generator, count int) {
	t.Helper()
	records := make([]journal.Record, count)
	asked := make([]asked, count)
	for n := range asked {
		asked[n] = g.next()
	}
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() {
			for n := part; n < count; n += 4 {
				records[n] = recordOf(t, policy, n, asked[n])
			}
		})
	}
	all.Wait()
	for batch := range slices.Chunk(records, 100) {
		commit(t, j, batch...)
	}
}

func commit(t testing.TB, j *journal.Journal, records ...journal.Record) {
	t.Helper()
	err := j.Commit(context.Background(), func(tx *journal.Tx) error {
		for _, r := range records {
			if _, err := tx.Append(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func recordOf(t testing.TB, policy *engine.Snapshot, n int, q asked) journal.Record {
	t.Helper()
	in := q.input(t)
	return newRecord(t, policy, n, q, in, answer(t, policy, q.Action, in))
}

// answer is the policy's answer: a machine that was too busy to give one in time
// is asked again.
func answer(t testing.TB, policy *engine.Snapshot, action string, in engine.Input) engine.Result {
	t.Helper()
	for range 100 {
		result := policy.Decide(context.Background(), action, in)
		if len(result.Reasons) != 1 || result.Reasons[0].Code != engine.CodeTimeout {
			return result
		}
	}
	t.Errorf("%s has no answer in time, a hundred times", action)
	return engine.Result{}
}

func newRecord(t testing.TB, policy *engine.Snapshot, n int, q asked, in engine.Input, result engine.Result) journal.Record {
	t.Helper()
	var parts []journal.NamedPart
	for _, p := range in {
		parts = append(parts, journal.NamedPart{Name: p.Name, Part: journal.Part{Digest: p.Digest, Bytes: p.JSON}})
	}
	codes := []string{}
	for _, r := range result.Reasons {
		codes = append(codes, r.Code)
	}
	body, blobs, err := journal.NewBody(journal.DecisionHead{EvaluatedAt: gateway.At(time.Now()), InputDigest: in.Digest(), Reasons: result.Reasons}, parts, result.JSON)
	if err != nil {
		t.Error(err)
	}
	attempt, _ := q.Input["attempt"].(map[string]any)
	id, _ := attempt["id"].(string)
	task, _ := attempt["task_id"].(string)
	if !gateway.AttemptID(id).Valid() { // changed by the generator
		id = ""
	}
	return journal.Record{Kind: journal.Decision, Origin: journal.Gateway, ID: fmt.Sprintf("01%024d", n), Type: q.Action,
		Target: "mux", Task: gateway.TaskID(task), Attempt: gateway.AttemptID(id), Body: body, Parts: blobs,
		Decision: &journal.DecisionIndex{Allow: result.Allow, Revision: policy.Revision(), PolicyDigest: policy.Digest(), Codes: codes, AskedBy: "test"}}
}
