package replay_test

import (
	"bytes"
	"context"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/replay"
	"leviathan/policies"
)

// edited is the shipped policy with one place of one file changed.
func edited(t testing.TB, file, pattern, text string) *engine.Snapshot {
	t.Helper()
	files := fstest.MapFS{}
	place := regexp.MustCompile(pattern)
	err := fs.WalkDir(policies.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(policies.FS, path)
		if path == file {
			if n := len(place.FindAll(data, -1)); n != 1 {
				t.Fatalf("%s matches %q %d times", path, pattern, n)
			}
			data = place.ReplaceAllLiteral(data, []byte(text))
		}
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := engine.LoadFS(context.Background(), files, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// generated is how many decisions the large history has.
func generated() int {
	if raceEnabled {
		return 1_000 // the detector looks at the goroutines, not at the number
	}
	return 10_000
}

func TestTheSamePolicyFlipsNothing(t *testing.T) {
	j, policy, g := openJournal(t), shipped(t), newGenerator(t)
	decideMany(t, j, policy, g, generated())
	again, err := policy.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	candidate, err := engine.LoadBytes(t.Context(), again, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := replay.Run(t.Context(), j, candidate, replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Compared != generated() || report.Unchanged != report.Compared || len(report.Counts)+len(report.Flips) != 0 {
		t.Errorf("compared %d, unchanged %d, flips %v %v", report.Compared, report.Unchanged, report.Counts, report.Flips)
	}
	t.Logf("%d decisions in %.1f s", report.Compared, report.Seconds)
	// The history must have both answers, or nothing was compared.
	stricter := edited(t, "guard/config.rego", `not input\.config\.values\.autonomy_enabled == true`, `not input.config.values.autonomy_enabled == "on"`)
	if report, err = replay.Run(t.Context(), j, stricter, replay.Options{}); err != nil {
		t.Fatal(err)
	}
	if denied, other := report.Counts[gateway.FlipAllowToDeny], report.Counts[gateway.FlipReasons]; denied < generated()/20 || other < generated()/20 {
		t.Errorf("a policy that denies all that needs the switch flips %v of %d", report.Counts, report.Compared)
	}
}

// seed is the seed question of the action.
func seed(t testing.TB, action string) asked {
	t.Helper()
	list := questions(t)
	i := slices.IndexFunc(list, func(q asked) bool { return q.Action == action })
	return list[i]
}

func TestFlipsAreSortedByWhatChanges(t *testing.T) {
	heartbeat := seed(t, gateway.ActionAttemptHeartbeat)
	halted := asked{heartbeat.Action, deepCopy(heartbeat.Input).(map[string]any)}
	halted.Input["halt"].(map[string]any)["target"] = map[string]any{"reason": "fire"}
	for name, c := range map[string]struct {
		file, pattern, text string
		asked               asked
		class               gateway.FlipClass
		gone, new           []string
	}{
		"denied now": {"guard/config.rego", `not input\.config\.values\.autonomy_enabled == true`, `input.config.values.autonomy_enabled`, heartbeat,
			gateway.FlipAllowToDeny, []string{}, []string{"guard.switched_off"}},
		"allowed now": {"guard/halt.rego", `is_object\(input\.halt\.target\)`, `input.halt.target == "set"`, halted,
			gateway.FlipDenyToAllow, []string{"guard.halted"}, []string{}},
		"another reason": {"guard/halt.rego", `an operator has halted this target: \{reason\}`, `halted: {reason}`, halted,
			gateway.FlipReasons, []string{}, []string{}},
		"another obligation": {"delivery/obligations.rego", `\{"lease_seconds": input\.config\.values\.limits\.lease_seconds\}`, `{"lease_seconds": 7}`, heartbeat,
			gateway.FlipObligations, []string{}, []string{}},
		"no answer": {"delivery/obligations.rego", `\{"lease_seconds": input\.config\.values\.limits\.lease_seconds\}`, `{"lease_seconds": 1 / (input.time.clock.behind_seconds * 0)}`, heartbeat,
			gateway.FlipError, []string{}, []string{engine.CodeError}},
	} {
		t.Run(name, func(t *testing.T) {
			j := openJournal(t)
			decide(t, j, shipped(t), 1, c.asked)
			report, err := replay.Run(t.Context(), j, edited(t, c.file, c.pattern, c.text), replay.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := []gateway.Flip{{Class: c.class, Decision: "01000000000000000000000001", Seq: 1, Action: "attempt.heartbeat", Target: "mux",
				Task: report.Flips[0].Task, Attempt: report.Flips[0].Attempt, Gone: c.gone, New: c.new}}
			if diff := cmp.Diff(want, report.Flips); diff != "" {
				t.Error(diff)
			}
			if report.Counts[c.class] != 1 || len(report.Counts) != 1 || report.Unchanged != 0 {
				t.Errorf("counts %v, %d unchanged", report.Counts, report.Unchanged)
			}
			if want := (gateway.FlipCounts{c.class: 1}); !cmp.Equal(report.ByTarget, []gateway.FlipGroup{{Name: "mux", Counts: want}}) ||
				!cmp.Equal(report.ByAction, []gateway.FlipGroup{{Name: "attempt.heartbeat", Counts: want}}) {
				t.Errorf("by target %v, by action %v", report.ByTarget, report.ByAction)
			}
			if codes := append(slices.Clone(c.gone), c.new...); len(report.ByRule) != len(codes) || (len(codes) > 0 && report.ByRule[0].Name != codes[0]) {
				t.Errorf("by rule %v, want %v", report.ByRule, codes)
			}
		})
	}
}

func TestAnswersThatWereNotThePolicysAreNoFlips(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	q := seed(t, gateway.ActionAttemptHeartbeat)
	in := q.input(t)
	for n, code := range []string{"unknown.contention", engine.CodeTimeout, engine.CodeCancelled} {
		commit(t, j, newRecord(t, policy, n, q, in, engine.Refuse(code, "in the way", "Ask again.")))
	}
	report, err := replay.Run(t.Context(), j, policy, replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Compared != 0 || report.NotReplayable[replay.NotThePolicys] != 3 {
		t.Errorf("compared %d, not replayable %v", report.Compared, report.NotReplayable)
	}
}

func TestReplayBounds(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	for n := range 200 {
		decide(t, j, policy, n, seed(t, gateway.ActionAttemptHeartbeat))
	}
	var told []int
	report, err := replay.Run(t.Context(), j, policy, replay.Options{Last: 150, Progress: func(n int) { told = append(told, n) }})
	if err != nil || report.Compared != 150 {
		t.Errorf("the last 150 are %d, %v", report.Compared, err)
	}
	if !slices.IsSorted(told) || len(told) < 2 || told[len(told)-1] != 150 {
		t.Errorf("progress was %v", told)
	}
	if report, err = replay.Run(t.Context(), j, policy, replay.Options{Target: "other"}); err != nil || report.Compared != 0 {
		t.Errorf("another target has %d, %v", report.Compared, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := replay.Run(ctx, j, policy, replay.Options{}); err == nil {
		t.Error("a cancelled replay has a report")
	}
}

func TestALogEventIsInTheFormOfTheDecisionLog(t *testing.T) {
	j, policy := openJournal(t), shipped(t)
	decide(t, j, policy, 1, seed(t, gateway.ActionCyclePlan))
	var lines bytes.Buffer
	n, err := replay.Export(t.Context(), j, replay.ExportOptions{}, &lines)
	if err != nil || n != 1 {
		t.Fatalf("exported %d, %v", n, err)
	}
	event := decodeLogEvent(t, lines.Bytes())
	input, _ := (*event.Input).(map[string]any)
	result, _ := (*event.Result).(map[string]any)
	if event.DecisionID != "01000000000000000000000001" || event.Path != "leviathan/main/decision" || event.Bundles["leviathan"].Revision != policy.Revision() ||
		input["action"] != "cycle.plan" || result["allow"] != true || event.Timestamp.IsZero() || event.Labels["app"] != "leviathan" {
		t.Errorf("the event is %+v", event)
	}
	if !strings.HasSuffix(lines.String(), "\n") {
		t.Error("the export does not end in a newline")
	}
}
