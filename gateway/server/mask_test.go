package server_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/policies"
)

// masking is the shipped policy with a mask beside it.
func masking(t *testing.T, rule string) *engine.Snapshot {
	t.Helper()
	files := fstest.MapFS{"system/log/mask.rego": {Data: []byte("package system.log\n\nimport rego.v1\n\n" + rule + "\n")}}
	err := fs.WalkDir(policies.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.rego") {
			return err
		}
		data, err := fs.ReadFile(policies.FS, path)
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

func TestAMaskTakesOutBeforeAnythingIsStored(t *testing.T) {
	const canary = "canary-7f3a"
	halt := `{"reason":"` + canary + `"}`
	for name, c := range map[string]struct {
		rule   string
		erased []string
		masked bool
		shown  bool // whether the canary is stored
	}{
		"removed":       {`mask contains "/input/request/reason" if input.input.action == "autonomy.halt"`, []string{"/input/request/reason"}, true, false},
		"replaced":      {`mask contains {"op": "upsert", "path": "/input/request/reason", "value": "hidden"} if input.input.request.reason`, []string{"/input/request/reason"}, true, false},
		"nothing there": {`mask contains "/input/request/nothing"`, nil, false, true},
		"not defined":   {`mask contains "/input/request/reason" if input.input.action == "never"`, nil, false, true},
		"fails":         {`mask contains x if x := sprintf("%v", [1 / (count(input.input.action) * 0)])`, []string{"/input", "/result"}, true, false},
		"no pointer":    {`mask contains "request"`, []string{"/input", "/result"}, true, false},
		"another place": {`mask contains "/labels/app"`, []string{"/input", "/result"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newUpstream(t, baseBacklog, baseConfig)
			w.policy = masking(t, c.rule)
			w.start()
			if a := w.ask("POST", "/v1/autonomy/halt", operator, halt); a.status != 200 {
				t.Fatalf("the halt is answered %d %s", a.status, a.body)
			}
			list, err := w.journal.Decisions(context.Background(), journal.DecisionFilter{Action: gateway.ActionAutonomyHalt})
			if err != nil || len(list.Items) != 1 || !list.Items[0].Decision || list.Items[0].Masked != c.masked {
				t.Fatalf("the record is %+v %v", list.Items, err)
			}
			record, _, err := w.journal.Decision(context.Background(), list.Items[0].ID)
			if err != nil || strings.Join(record.Erased, " ") != strings.Join(c.erased, " ") {
				t.Errorf("erased is %v, %v", record.Erased, err)
			}
			if strings.Contains(string(record.Input), canary) != c.shown {
				t.Errorf("the recorded input is %s", record.Input)
			}
			if !strings.Contains(string(record.Input), `"action":"autonomy.halt"`) {
				t.Errorf("the record does not say what was asked: %s", record.Input)
			}
			want := int64(0)
			if c.masked {
				want = 1
			}
			err = w.journal.EachDecision(context.Background(), journal.DecisionRange{Action: gateway.ActionAutonomyHalt}, func(d journal.StoredDecision) error {
				if d.Replayable == c.masked || (c.masked && d.Why != journal.WhyMasked) {
					t.Errorf("replayable %v, %q", d.Replayable, d.Why)
				}
				return nil
			})
			if n, counted := w.journal.MaskedDecisions(context.Background()); err != nil || counted != nil || n < want {
				t.Errorf("%d masked decisions, %v %v", n, err, counted)
			}
		})
	}
}
