package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// asked is a decision as the server records one: small parts in its body, large
// ones and a large result beside it.
func asked(t testing.TB, r journal.Record, head journal.DecisionHead, result string, parts map[string]string) journal.Record {
	t.Helper()
	var input []journal.NamedPart
	for name, text := range parts {
		p, err := journal.NewPart(json.RawMessage(text))
		if err != nil {
			t.Fatal(err)
		}
		input = append(input, journal.NamedPart{Name: name, Part: p})
	}
	if head.InputDigest == "" {
		head.InputDigest = "sha256:input"
	}
	head.EvaluatedAt = gateway.At(newClock().Now())
	body, stored, err := journal.NewBody(head, input, []byte(result))
	if err != nil {
		t.Fatal(err)
	}
	if r.Decision == nil {
		r.Decision = &journal.DecisionIndex{}
	}
	r.Kind, r.Origin, r.Body, r.Parts = journal.Decision, journal.Gateway, body, stored
	return r
}

func append1(t testing.TB, j *journal.Journal, r journal.Record) (a journal.Appended) {
	t.Helper()
	commit(t, j, func(tx *journal.Tx) (err error) { a, err = tx.Append(r); return err })
	return a
}

func each(t testing.TB, j *journal.Journal, in journal.DecisionRange) (out []journal.StoredDecision) {
	t.Helper()
	err := j.EachDecision(t.Context(), in, func(d journal.StoredDecision) error { out = append(out, d); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func seqs(all []journal.StoredDecision) string {
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprint(d.Seq))
	}
	return strings.Join(out, " ")
}

func large(what string) string { return `"` + strings.Repeat(what+" ", 3<<10/(len(what)+1)) + `"` }

func TestAStoredDecisionIsWhatWasDecided(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	backlog, result := large("backlog"), `{"allow":false,"plan":`+large("plan")+`}`
	r := asked(t, journal.Record{
		Type: "cycle.plan", Target: "demo", Task: "t\"1", Attempt: attempt(1),
		Decision: &journal.DecisionIndex{DryRun: true, Revision: "r1", PolicyDigest: "sha256:p", Codes: []string{"b.y", "a.x", "b.y"}, AskedBy: "the \"scheduler\""},
	}, journal.DecisionHead{}, result, map[string]string{"subject": `{"id":"w]}","n":[1,2.5,null,{"a":"\\"}]}`, "backlog": backlog, "action": `"x"`})
	a := append1(t, j, r)
	other := append1(t, j, asked(t, journal.Record{Type: "cycle.plan", Decision: &journal.DecisionIndex{Allow: true}}, journal.DecisionHead{}, `{"allow":true}`,
		map[string]string{"backlog": backlog}))
	all := each(t, j, journal.DecisionRange{})
	if len(all) != 2 {
		t.Fatalf("%d decisions", len(all))
	}
	want := journal.StoredDecision{
		Seq: a.Seq, At: a.At, ID: gateway.DecisionID(a.ID), Action: "cycle.plan", Target: "demo", Task: "t\"1", Attempt: attempt(1), DryRun: true,
		AskedBy: "the \"scheduler\"", Revision: "r1", PolicyDigest: "sha256:p", Codes: []string{"a.x", "b.y"}, InputDigest: "sha256:input",
		Parts: []journal.StoredPart{
			{Name: "action", JSON: json.RawMessage(`"x"`)},
			{Name: "backlog", Digest: journal.PartOf([]byte(backlog)).Digest, JSON: json.RawMessage(backlog)},
			{Name: "subject", JSON: json.RawMessage(`{"id":"w]}","n":[1,2.5,null,{"a":"\\"}]}`)},
		},
		Result: json.RawMessage(result), Replayable: true,
	}
	if !reflect.DeepEqual(all[0], want) {
		t.Errorf("read\n%+v, want\n%+v", all[0], want)
	}
	if all[1].Seq != other.Seq || !all[1].Allow || all[1].Codes != nil || &all[1].Parts[0].JSON[0] != &all[0].Parts[1].JSON[0] {
		t.Errorf("the second decision, with the shared part: %+v", all[1])
	}
	one, _, err := j.Decision(t.Context(), gateway.DecisionID(a.ID))
	if err != nil {
		t.Fatal(err)
	}
	input := map[string]json.RawMessage{}
	for _, p := range all[0].Parts {
		input[p.Name] = p.JSON
	}
	if got, err := journal.Canonical(input); err != nil || !bytes.Equal(got, one.Input) || !bytes.Equal(one.Result, all[0].Result) {
		t.Errorf("input\n%s, of Decision\n%s, %v", got, one.Input, err)
	}
}

func TestEachDecisionOfARange(t *testing.T) {
	for _, stepped := range []bool{false, true} {
		c := newClock()
		j := open(t, t.TempDir(), c)
		start := c.Now()
		appendAll(t, j, registered("a")) // 1
		for i := range 6 {               // 2 to 7
			append1(t, j, asked(t, journal.Record{Type: []string{"x.y", "x.z"}[i%2], Target: []gateway.TargetID{"a", "b"}[i/3]}, journal.DecisionHead{}, `{}`, nil))
			c.add(time.Minute)
		}
		if stepped {
			appendAll(t, j, journal.ClockAccepted{})
		}
		for _, w := range []struct {
			in   journal.DecisionRange
			want string
		}{
			{journal.DecisionRange{}, "2 3 4 5 6 7"},
			{journal.DecisionRange{Target: "b"}, "5 6 7"},
			{journal.DecisionRange{Action: "x.z"}, "3 5 7"},
			{journal.DecisionRange{Action: "x.z", Target: "a", AfterSeq: 2, UpToSeq: 6}, "3"},
			{journal.DecisionRange{AfterSeq: 3, UpToSeq: 5}, "4 5"},
			{journal.DecisionRange{Since: gateway.At(start.Add(3 * time.Minute))}, "5 6 7"},
			{journal.DecisionRange{Since: gateway.At(start.Add(3 * time.Minute)), AfterSeq: 6}, "7"},
			{journal.DecisionRange{Since: gateway.At(start.Add(time.Hour))}, ""},
			{journal.DecisionRange{AfterSeq: 99}, ""},
		} {
			if got := seqs(each(t, j, w.in)); got != w.want {
				t.Errorf("stepped %v: %+v: %q, want %q", stepped, w.in, got, w.want)
			}
		}
	}
}

func TestEachDecisionGoesThroughPagesAndEndsEarly(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	commit(t, j, func(tx *journal.Tx) error {
		for i := range 1300 {
			if _, err := tx.Append(asked(t, journal.Record{Type: "x.y"}, journal.DecisionHead{}, fmt.Sprint(i), nil)); err != nil {
				return err
			}
		}
		return nil
	})
	all := each(t, j, journal.DecisionRange{})
	if len(all) != 1300 {
		t.Fatalf("%d decisions", len(all))
	}
	for i, d := range all {
		if d.Seq != int64(i+1) || string(d.Result) != fmt.Sprint(i) {
			t.Fatalf("decision %d is %d with result %s", i, d.Seq, d.Result)
		}
	}
	enough := errors.New("enough")
	n := 0
	err := j.EachDecision(t.Context(), journal.DecisionRange{}, func(journal.StoredDecision) error {
		if n++; n == 700 {
			return enough
		}
		return nil
	})
	if err != enough || n != 700 {
		t.Errorf("ended after %d with %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	err = j.EachDecision(ctx, journal.DecisionRange{}, func(journal.StoredDecision) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n == 1300 {
		t.Errorf("cancelled: %v after %d", err, n)
	}
	// Commits go on while a caller takes its time.
	err = j.EachDecision(t.Context(), journal.DecisionRange{UpToSeq: 600}, func(d journal.StoredDecision) error {
		if d.Seq == 1 {
			commit(t, j, appendOne)
		}
		return nil
	})
	if err != nil || j.Seq() != 1301 {
		t.Errorf("%v, seq %d", err, j.Seq())
	}
}

// What is larger than a page has its own.
func TestEachDecisionReadsLargeInputsALittleAtATime(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	commit(t, j, func(tx *journal.Tx) error {
		for i := range 5 {
			facts := `"` + strings.Repeat(fmt.Sprint(i), 40<<20) + `"`
			if _, err := tx.Append(asked(t, journal.Record{Type: "x.y"}, journal.DecisionHead{}, fmt.Sprint(i), map[string]string{"facts": facts})); err != nil {
				return err
			}
		}
		return nil
	})
	all := each(t, j, journal.DecisionRange{})
	if seqs(all) != "1 2 3 4 5" {
		t.Fatalf("decisions %s", seqs(all))
	}
	for i, d := range all {
		if len(d.Parts) != 1 || len(d.Parts[0].JSON) != 40<<20+2 || d.Parts[0].JSON[1] != byte('0'+i) {
			t.Errorf("decision %d has not its own input", d.Seq)
		}
	}
}

func TestMaskedAndPrunedDecisionsSaySo(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	j := open(t, dir, c)
	add := func(masked bool, result string, parts map[string]string) gateway.DecisionID {
		head := journal.DecisionHead{Masked: masked}
		if masked {
			head.Erased = []string{"/input/subject/\"id\""}
		}
		return gateway.DecisionID(append1(t, j, asked(t, journal.Record{Type: "x.y", Decision: &journal.DecisionIndex{Masked: masked}}, head, result, parts)).ID)
	}
	shared := large("shared")
	add(false, `{}`, map[string]string{"own": large("a"), "shared": shared}) // 1: loses own
	add(true, `{}`, map[string]string{"own": large("b"), "shared": shared})  // 2: masked, and loses own
	add(false, `{"r":`+large("r")+`}`, map[string]string{"shared": shared})  // 3: loses its result
	add(false, `{}`, map[string]string{"small": `1`})                        // 4: has all in its record
	c.add(time.Hour)
	add(false, `{}`, map[string]string{"shared": shared})      // 5
	masked := add(true, `{}`, map[string]string{"small": `1`}) // 6
	if n, err := j.Prune(t.Context(), gateway.At(c.Now())); err != nil || n != 3 {
		t.Fatalf("pruned %d, %v", n, err)
	}
	var got []string
	for _, d := range each(t, j, journal.DecisionRange{}) {
		got = append(got, fmt.Sprintf("%v,%s,%d,%v,%d", d.Replayable, d.Why, len(d.Parts), d.Result != nil, len(d.Erased)))
		for _, p := range d.Parts {
			if (p.JSON == nil) != (p.Name == "own") {
				t.Errorf("decision %d: part %s is %s", d.Seq, p.Name, p.JSON)
			}
		}
	}
	want := "false,pruned,2,true,0 false,masked,2,true,1 false,pruned,1,false,0 true,,1,true,0 true,,1,true,0 false,masked,1,true,1"
	if all := strings.Join(got, " "); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
	d, _, err := j.Decision(t.Context(), masked)
	if err != nil || !d.Masked || len(d.Erased) != 1 || d.Erased[0] != "/input/subject/\"id\"" {
		t.Errorf("masked decision: %+v, %v", d, err)
	}
	if n, err := j.MaskedDecisions(t.Context()); n != 2 || err != nil {
		t.Errorf("%d are masked, %v", n, err)
	}
	if err := j.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := j.MaskedDecisions(t.Context()); n != 2 || err != nil {
		t.Errorf("rebuilt: %d are masked, %v", n, err)
	}
	verifyDir(t, j, dir)
}

func TestABodyWithWhiteSpaceIsRead(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	append1(t, j, journal.Record{Kind: journal.Decision, Origin: journal.Gateway, Type: "x.y", Decision: &journal.DecisionIndex{Allow: true},
		Body: json.RawMessage(`{ "inline": { "a": [1, 2] }, "result": {"allow": true} }`)})
	all := each(t, j, journal.DecisionRange{})
	if len(all) != 1 || len(all[0].Parts) != 1 || string(all[0].Parts[0].JSON) != `[1,2]` || string(all[0].Result) != `{"allow":true}` || !all[0].Replayable {
		t.Errorf("%+v", all)
	}
}

func TestRuleCounts(t *testing.T) {
	for _, stepped := range []bool{false, true} {
		c := newClock()
		j := open(t, t.TempDir(), c)
		for i := range 6 {
			decide(t, j, journal.Record{Type: []string{"x.y", "x.z"}[i%2], Decision: &journal.DecisionIndex{Codes: []string{"b.always", fmt.Sprint("a.", i/2)}}}, nil)
			c.add(time.Minute)
		}
		if stepped {
			appendAll(t, j, journal.ClockAccepted{})
		}
		for since, want := range map[int]string{
			0: "a.0 x.y 1 a.0 x.z 1 a.1 x.y 1 a.1 x.z 1 a.2 x.y 1 a.2 x.z 1 b.always x.y 3 b.always x.z 3",
			3: "a.1 x.z 1 a.2 x.y 1 a.2 x.z 1 b.always x.y 1 b.always x.z 2", 9: "",
		} {
			at := gateway.Time{}
			if since > 0 {
				at = gateway.At(newClock().Now().Add(time.Duration(since) * time.Minute))
			}
			counts, err := j.RuleCounts(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range counts {
				got = append(got, n.Code, n.Action, fmt.Sprint(n.Count))
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("stepped %v, since %d: %q, want %q", stepped, since, s, want)
			}
		}
	}
}
