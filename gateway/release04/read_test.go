package release04_test

import (
	"errors"
	"strings"
	"testing"

	"leviathan/gateway/release04"
)

// The three vectors of the release that wrote such journals, the second and third
// chained to the one before.
const (
	first  = `{"event_id":"e1","event_type":"attempt.created","timestamp":"2026-01-28T10:00:00","actor_id":"worker-a1","payload":{"attempt_number":1,"attempt_id":"a1"},"prev_hash":null,"hash":"b532a17cb0178008a5ab78dedbfcd79560d575616f920109144e5bce43aae178"}`
	second = `{"event_id":"e2","event_type":"pr.created","timestamp":"2026-01-28T10:00:00.123456Z","actor_id":null,"payload":{"z":[1,2.50,null,true],"a":{"é":"ü\n\"<&","b":100000000000000000000.0}},"prev_hash":"b532a17cb0178008a5ab78dedbfcd79560d575616f920109144e5bce43aae178","hash":"14d0ce3acc8f44e54148947417a3b8c643949e43e8ef6713593aa4fe9e2fb202"}`
	third  = `{"event_id":"e3","event_type":"x.y","timestamp":"2026-01-28T10:00:00.1+02:00","actor_id":"","payload":{},"prev_hash":"14d0ce3acc8f44e54148947417a3b8c643949e43e8ef6713593aa4fe9e2fb202","hash":"fb791d3f38eb0480986266abd90c22ebd283ddc1bb3241d92876fd944b57ffae"}`
)

func read(t *testing.T, lines ...string) ([]release04.Entry, error) {
	t.Helper()
	var all []release04.Entry
	for entry, err := range release04.Read(strings.NewReader(strings.Join(lines, "\n"))) {
		if err != nil {
			return all, err
		}
		all = append(all, entry)
	}
	return all, nil
}

func TestS19TheJournalOfRelease04Verifies(t *testing.T) {
	all, err := read(t, first, "", second, third, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || !all[0].First || all[1].First || all[2].Line != 4 {
		t.Fatalf("read %+v", all)
	}
	e := all[1].Event
	if e.EventID != "e2" || e.EventType != "pr.created" || e.ActorID != "" || e.Timestamp.String() != "2026-01-28T10:00:00.123456Z" || !strings.Contains(string(e.Payload), `"é"`) {
		t.Errorf("the second event is %+v", e)
	}
	if at := all[2].Event.Timestamp.String(); at != "2026-01-28T08:00:00.100000Z" {
		t.Errorf("the third is of %s", at)
	}
	if all, err := read(t, second, third); err != nil || all[0].First {
		t.Errorf("a file that goes on from another: %+v, %v", all, err)
	}
}

func TestS19EachChangeOfAnOldJournalIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		line  int
		what  string
	}{
		"removed":    {[]string{first, third}, 2, "a line was removed, added or moved here"},
		"reordered":  {[]string{second, first}, 2, "it follows nothing"},
		"repeated":   {[]string{first, first}, 2, "it follows nothing"},
		"payload":    {[]string{strings.Replace(first, `"attempt_number":1`, `"attempt_number":2`, 1)}, 1, "what stands in it was changed"},
		"actor":      {[]string{strings.Replace(first, "worker-a1", "worker-a2", 1)}, 1, "was changed"},
		"time":       {[]string{strings.Replace(first, "10:00:00", "10:00:01", 1)}, 1, "was changed"},
		"float":      {[]string{first, strings.Replace(second, "2.50", "2.51", 1)}, 2, "was changed"},
		"no hash":    {[]string{strings.Replace(first, `,"hash":"b532a17cb0178008a5ab78dedbfcd79560d575616f920109144e5bce43aae178"`, "", 1)}, 1, "it says nothing"},
		"no JSON":    {[]string{first, "{"}, 2, "it is no JSON object"},
		"a list":     {[]string{"[]"}, 1, "it is no JSON object"},
		"two":        {[]string{first + first}, 1, "more than one document"},
		"no id":      {[]string{strings.Replace(first, `"e1"`, `1`, 1)}, 1, "event_id is no text"},
		"no type":    {[]string{strings.Replace(first, `"attempt.created"`, `""`, 1)}, 1, "event_type is no text"},
		"no time":    {[]string{strings.Replace(first, `"2026-01-28T10:00:00"`, `7`, 1)}, 1, "timestamp is no text"},
		"wrong time": {[]string{strings.Replace(first, "2026-01-28T", "yesterday ", 1)}, 1, "is no time"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, c.lines...)
			var problem *release04.Problem
			if !errors.As(err, &problem) || problem.Line != c.line || !strings.Contains(problem.What, c.what) {
				t.Errorf("found %v, want line %d: %s", err, c.line, c.what)
			}
		})
	}
}
