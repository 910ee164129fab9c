package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"leviathan/gateway"
)

func TestABodyIsWhatItsRouteTakesOrNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	w.startAttempt(r)
	own, before := "/v1/attempts/"+string(r.AttemptID), w.journal.Seq()
	for _, row := range []struct{ path, body, field string }{
		{"/v1/targets/demo/cycle", `{"tasks":[{"id":"x"}]}`, "tasks"},
		{"/v1/targets/demo/cycle", `{"capacity":-1}`, "capacity"},
		{"/v1/targets/demo/cycle", `{"capacity":1.5}`, "capacity"},
		{"/v1/targets/demo/cycle", `{"capacity":"3"}`, "capacity"},
		{"/v1/targets/demo/cycle", `{"capacity":1,"capacity":2}`, "capacity"},
		{"/v1/targets/demo/cycle", `{"capacity":1,"Capacity":2}`, "Capacity"},
		{"/v1/targets/demo/cycle", `{"capacity":1} {}`, ""},
		{"/v1/targets/demo/cycle", `{"capacity":1}garbage`, ""},
		{"/v1/targets/demo/cycle", `[]`, ""},
		{"/v1/targets/demo/cycle", `capacity=3`, ""},
		{"/v1/targets/demo/cycle", "\x00\x01\x02", ""},
		{"/v1/targets/demo/cycle", `{"capacity":`, ""},
		{own + "/start", `{}`, "instance"},
		{own + "/start", `{"instance":"short"}`, "instance"},
		{own + "/start", `{"instance":"with space"}`, "instance"},
		{own + "/start", `{"instance":"` + strings.Repeat("x", 129) + `"}`, "instance"},
		{own + "/start", `{"instance":["instance-1"]}`, "instance"},
		{own + "/start", `{"instance":"instance-1","attempt":"other"}`, "attempt"},
		{own + "/heartbeat", `{"progress":"` + strings.Repeat("x", 401) + `"}`, "progress"},
		{own + "/finish", `{}`, "outcome"},
		{own + "/finish", `{"outcome":"merged"}`, "outcome"},
		{own + "/finish", `{"outcome":"failed"}`, "failure_type"},
		{own + "/finish", `{"outcome":"failed","failure_type":"bored"}`, "failure_type"},
		{own + "/finish", `{"outcome":"cancelled","failure_type":"timeout"}`, "failure_type"},
		{own + "/lost", `{"observed":"nothing"}`, "observed"},
		{own + "/evidence", `{"tree":"HEAD"}`, "tree"},
		{own + "/evidence", `{"tree":"` + strings.Repeat("a", 40) + `","results":[` + strings.Repeat(`{"name":"n"},`, 50) + `{"name":"n"}]}`, "results"},
		{own + "/pull-request", `{"summary":"` + strings.Repeat("x", 4001) + `"}`, "summary"},
		{own + "/cancel", `{"reason":"  "}`, "reason"},
		{"/v1/autonomy/halt", `{"target":"demo"}`, "reason"},
		{"/v1/autonomy/halt", `{"reason":"r","Reason":"s"}`, "Reason"},
		{"/v1/events/ingest", `{"events":[{"event_id":"e","timestamp":5}]}`, ""},
		{"/access/v1/evaluation", `{"subject":{"type":"component"}}`, "action.name"},
		{"/access/v1/evaluation", strings.Repeat(`{"context":`, 70) + "1" + strings.Repeat("}", 70), strings.TrimPrefix(strings.Repeat(".context", 65), ".")},
	} {
		p := w.refused(w.ask("POST", row.path, operator, row.body), 422, "")
		if row.field != "" && p.Field != row.field {
			t.Errorf("POST %s %.60s names %q, want %q", row.path, row.body, p.Field, row.field)
		}
	}
	for _, path := range []string{"/v1/targets/demo/cycle", own + "/start", own + "/heartbeat", "/v1/autonomy/halt", "/v1/tokens"} {
		w.refused(w.ask("POST", path, operator, `{"reason":"`+strings.Repeat("x", 70_000)+`"}`), 413, "")
	}
	if after := w.journal.Seq(); after != before {
		t.Errorf("bodies that say nothing wrote %d records", after-before)
	}
	// A typo does not stop the wrong thing, and does not stop nothing silently.
	w.refused(w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"r","target":"dmeo"}`), 404, "")
	w.refused(w.ask("POST", "/v1/autonomy/halt", operator, `{"reason":"r","target":""}`), 404, "")
	w.refused(w.ask("POST", "/v1/targets/dmeo/cycle", operator, ``), 404, "")
	w.refused(w.ask("POST", "/v1/targets/demo/tasks/giude/retry", operator, `{"reason":"r"}`), 404, "")
	w.refused(w.ask("GET", "/v1/nothing", operator, ""), 404, "")
	w.refused(w.ask("DELETE", "/v1/attempts", operator, ""), 404, "")
}

func TestArtifactsAreAppendedAndNeverChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	w.startAttempt(r)
	base := "/v1/attempts/" + string(r.AttemptID) + "/artifacts/"
	put := func(name, offset, body string) answer { return w.ask("PUT", base+name+offset, r.Token, body) }
	for _, name := range []string{"Log", "a%20b", "a%2fb", "..%2fx", "%2e%2e", ".", "a%00b", "a%0ab", strings.Repeat("a", 65), "ä"} {
		if a := put(name, "", "x"); a.status != 422 && a.status != 404 && a.status != 301 {
			t.Errorf("name %q: %d %s", name, a.status, a.body)
		}
		if a := w.ask("GET", base+name, operator, ""); a.status != 422 && a.status != 404 && a.status != 301 {
			t.Errorf("reading name %q: %d %s", name, a.status, a.body)
		}
	}
	for _, step := range []struct {
		offset, body string
		status       int
	}{
		{"", "hello ", 200}, {"?offset=0", "hello ", 200}, {"?offset=6", "world", 200}, {"?offset=6", "world", 200}, {"?offset=3", "lo wor", 200},
		{"?offset=6", "world!", 200}, {"?offset=0", "HELLO", 409}, {"?offset=6", "there", 409}, {"?offset=13", "hole", 409},
		{"?offset=-1", "x", 422}, {"?offset=x", "x", 422}, {"?offset=9223372036854775807", "x", 422}, {"?offset=10485760", "x", 413},
	} {
		if a := put("log.txt", step.offset, step.body); a.status != step.status {
			t.Errorf("%s %q: %d, want %d: %s", step.offset, step.body, a.status, step.status, a.body)
		}
	}
	a := w.ask("GET", base+"log.txt", w.token("reader", ""), "")
	if a.status != 200 || a.body != "hello world!" {
		t.Errorf("the artifact is %d %q", a.status, a.body)
	}
	for name, want := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Content-Disposition": `attachment; filename="log.txt"`, "Content-Security-Policy": "sandbox"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	w.refused(put("big", "", string(bytes.Repeat([]byte("x"), 10<<20+1))), 413, "")
	if a := put("big", "", string(bytes.Repeat([]byte("x"), 10<<20))); a.status != 200 {
		t.Errorf("ten MiB: %d %.200s", a.status, a.body)
	}
	w.refused(put("big", "?offset=10485760", "x"), 413, "")
	w.artifactsAreCounted(r)
	w.giveUp(r)
	w.refused(put("late", "", "x"), 409, "attempt.ended")
}

// artifactsAreCounted fills up an attempt's artifacts with many at once.
func (w *world) artifactsAreCounted(r gateway.Reservation) {
	w.t.Helper()
	var group sync.WaitGroup
	for n := range 60 {
		group.Go(func() {
			err := w.client(r.Token).PutArtifact(context.Background(), r.AttemptID, fmt.Sprintf("n%d", n), 0, []byte("x"))
			if err != nil && gateway.KindOf(err) != gateway.TooLarge && gateway.KindOf(err) != gateway.Forbidden {
				w.t.Errorf("artifact %d: %v", n, err)
			}
		})
	}
	group.Wait()
	detail, err := w.client(operator).Attempt(context.Background(), r.AttemptID)
	if err != nil || len(detail.Artifacts) != 50 {
		w.t.Errorf("%d artifacts, the limit is 50 (%v)", len(detail.Artifacts), err)
	}
	body, err := w.client(operator).GetArtifact(context.Background(), r.AttemptID, "log.txt")
	if err != nil {
		w.t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "hello world!" {
		w.t.Errorf("log.txt is %q %v", text, err)
	}
}
