package authoring_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

// A document is a question as JSON has it.
type document map[string]any

// at is the object at these names; nil if there is none, which may be read and
// not written.
func (d document) at(names ...string) document {
	for _, name := range names {
		next, _ := d[name].(map[string]any)
		d = next
	}
	return d
}

// with is the document with one value more on the path; objects on it are
// copied, all others are shared. A path whose object is missing changes nothing.
func (d document) with(value any, path ...string) document {
	out := maps.Clone(d)
	if len(path) == 1 {
		out[path[0]] = value
		return out
	}
	if below := d.at(path[0]); below != nil {
		out[path[0]] = map[string]any(below.with(value, path[1:]...))
	}
	return out
}

// A restriction takes something away from what a question is allowed. Those that
// leave the tasks' own chances alone can be looked at while slots are scarce: where
// one task is ruled out, another may take its slot.
type restriction struct {
	name   string
	scarce bool
	of     func(document) document
}

var restrictions = []restriction{
	{"switch off", true, func(d document) document { return d.with(false, "config", "values", "autonomy_enabled") }},
	{"remove a prefix", false, func(d document) document {
		prefixes, _ := d.at("config", "values")["allowed_path_prefixes"].([]any)
		return d.with(prefixes[:max(0, len(prefixes)-1)], "config", "values", "allowed_path_prefixes")
	}},
	{"add a failure of every task", false, failed},
	{"lower max_attempts_per_task", false, lowered("max_attempts_per_task")},
	{"halt the target", true, func(d document) document { return d.with(map[string]any{"reason": "law"}, "halt", "target") }},
	{"halt everything", true, func(d document) document { return d.with(map[string]any{}, "halt", "all") }},
	{"lower max_open_prs", true, lowered("max_open_prs")},
	{"lower max_running_attempts", true, lowered("max_running_attempts")},
	{"lower max_tasks_per_day", true, lowered("limits", "max_tasks_per_day")},
	{"lower max_files", true, lowered("limits", "max_files")},
	{"lower max_file_kb", true, lowered("limits", "max_file_kb")},
	{"lower max_pack_mb", true, lowered("limits", "max_pack_mb")},
	{"lower max_push_attempts", true, lowered("limits", "max_push_attempts")},
	{"add failures until the breaker opens", true, func(d document) document {
		return d.with("open", "state", "circuit", "state").with(now(d)+1e9, "state", "circuit", "until_us")
	}},
	{"add a refused push", true, func(d document) document {
		n, _ := d.at("attempt")["push_attempts"].(float64)
		return d.with(n+1, "attempt", "push_attempts")
	}},
}

// lowered takes one from a limit. Of the day's attempts, none said is no limit.
func lowered(path ...string) func(document) document {
	path = append([]string{"config", "values"}, path...)
	last := path[len(path)-1]
	return func(d document) document {
		n, ok := d.at(path[:len(path)-1]...)[last].(float64)
		switch {
		case !ok || n == 1 && last == "max_tasks_per_day":
			return d
		case n == 0 && last == "max_tasks_per_day":
			n = 6
		}
		return d.with(max(0, n-1), path...)
	}
}

func now(d document) float64 {
	us, _ := d.at("time")["now_us"].(float64)
	return us
}

// failed is the question after each task has failed once more, with its text.
func failed(d document) document {
	records := maps.Clone(d.at("state", "tasks"))
	for id, task := range d.at("backlog", "tasks") {
		record, _ := records[id].(map[string]any)
		if record == nil {
			continue
		}
		digest := task.(map[string]any)["digest"]
		counted, _ := record["counted"].(float64)
		if record["digest"] != digest {
			counted = 0
		}
		records[id] = map[string]any(document(record).with(counted+1, "counted").with(digest, "digest").with(now(d), "last_failure_us"))
	}
	return d.with(map[string]any(records), "state", "tasks")
}

// A choice is one dimension of a domain: a change for each of its values.
type choice []func(document) document

func values(path []string, values ...any) choice {
	c := choice{func(d document) document { return d }}
	for _, v := range values {
		c = append(c, func(d document) document { return d.with(v, path...) })
	}
	return c
}

func path(names ...string) []string { return names }

// A domain is every combination of its choices, on one seed.
type domain struct {
	seed    document
	choices []choice
}

func (d domain) size() int {
	n := 1
	for _, c := range d.choices {
		n *= len(c)
	}
	return n
}

func (d domain) question(i int) document {
	q := d.seed
	for _, c := range d.choices {
		q = c[i%len(c)](q)
		i /= len(c)
	}
	return q
}

// steps are the questions of an attempt's life, each in every state of what it
// depends on.
func steps(t *testing.T) []domain {
	facts := []choice{
		values(path("config", "state"), "invalid", "absent"),
		values(path("config", "values", "autonomy_enabled"), false, "true"),
		values(path("halt", "target"), map[string]any{"reason": "fire"}, "odd"),
		values(path("attempt", "lease", "live"), false, nil),
		values(path("attempt", "state"), "reserved", "running", "pushed", "proposed", "failed"),
		values(path("task_now", "present"), false, nil),
		values(path("task_now", "task", "ready"), false),
		values(path("attempt", "push_attempts"), 2.0, 3.0),
	}
	var list []domain
	for _, seed := range seeds(t) {
		switch seed["action"] {
		case gateway.ActionChangePush:
			list = append(list, domain{seed, facts}, pushes(seed))
		case gateway.ActionAttemptHeartbeat:
			fetch := seed.with(gateway.ActionRepositoryFetch, "action").with("repository", "resource", "type")
			list = append(list, domain{seed, facts}, domain{fetch, facts})
		case gateway.ActionCyclePlan, gateway.ActionRouteRead:
		default:
			list = append(list, domain{seed, facts})
		}
	}
	return list
}

// pushes are the changes that a push may carry, under several configs.
func pushes(seed document) domain {
	seed = seed.with([]any{"docs/", "src/", "README.md"}, "config", "values", "allowed_path_prefixes")
	for _, task := range [][]string{{"attempt", "task"}, {"task_now", "task"}} {
		seed = seed.with([]any{"docs/", "src/a/", "README.md"}, append(slices.Clone(task), "allowed_paths")...)
	}
	var changes choice
	for _, name := range []string{"docs/a.md", "docs/b/c.md", "src/a/x.go", "src/b/x.go", "README.md", "docs/.github/x", "../x"} {
		for _, modes := range []map[string]any{{"op": "add", "new_mode": "100644"}, {"op": "delete", "old_mode": "100644"}, {"op": "add", "new_mode": "160000"}, {"op": "add", "new_mode": "120000", "link_target": "a"}} {
			for _, kb := range []float64{0, 1023.5, 1024, 1025} {
				change := map[string]any(document(modes).with(name, "path").with(kb*1024, "size"))
				second := map[string]any{"op": "add", "new_mode": "100644", "path": "docs/z.md", "size": 1.0}
				changes = append(changes, func(d document) document { return d.with([]any{change}, "changes") },
					func(d document) document { return d.with([]any{change, second}, "changes") })
			}
		}
	}
	limits := path("config", "values", "limits")
	return domain{seed, []choice{
		changes,
		values(append(slices.Clone(limits), "max_files"), 2.0, 1.0),
		values(append(slices.Clone(limits), "max_file_kb"), 1024.0, 1.0),
		values(path("push", "pack_bytes"), 67108864.0, 67108865.0),
		values(path("attempt", "push_attempts"), 2.0, 3.0),
		values(path("config", "values", "allowed_path_prefixes"), []any{}, []any{"README.md", "docs/"}),
		values(path("target_policy"), map[string]any{"known": true, "state": "valid", "reason": "", "values": map[string]any{"forbidden_paths": []any{"*.go"}}}),
	}}
}

// near is how many of the first tasks have nothing against them but their
// failures, paths and backoff.
const near = 4 * 2 * 5 * 2 * 3

// tasks are the tasks that a backlog may have, with their records.
func tasks() domain {
	task := map[string]any{"scope": "docs", "priority": "medium", "ready": true, "status": "pending", "allowed_paths": []any{"docs/"}, "dependencies": []any{}, "agent": "", "verify": []any{}, "digest": "now"}
	record := map[string]any{"completed": false, "closed_digest": "", "blocked": false, "blocked_digest": "", "digest": "now", "attempts": 1.0, "counted": 0.0, "infrastructure": 0.0, "last_failure_us": 0.0, "live": "", "open_pr": 0.0}
	return domain{document{"task": task, "record": record}, []choice{
		values(path("record", "counted"), 1.0, 2.0),
		values(path("record", "digest"), "before"),
		values(path("task", "allowed_paths"), []any{"README.md"}, []any{"docs/", "src/a.go"}, []any{"docs/.github/x"}, []any{"else/"}),
		values(path("record", "infrastructure"), 1.0),
		values(path("task", "priority"), "high", "low"),
		values(path("record", "last_failure_us"), 9e15),
		values(path("record", "live"), "01JAZ0000000000000000000AA"),
		values(path("record", "open_pr"), 7.0),
		values(path("task", "dependencies"), []any{"nowhere"}),
		values(path("record", "blocked_digest"), "now"),
		values(path("record", "blocked"), true),
		values(path("record", "closed_digest"), "now"),
		values(path("record", "completed"), true),
		values(path("task", "status"), "completed", "blocked"),
		values(path("task", "ready"), false),
	}}
}

// seeds are allowed questions, as a gateway asked them.
func seeds(t *testing.T) []document {
	t.Helper()
	data, err := os.ReadFile("../../replay/testdata/questions.json")
	if err != nil {
		t.Fatal(err)
	}
	var asked []struct {
		Input document `json:"input"`
	}
	if err := json.Unmarshal(data, &asked); err != nil {
		t.Fatal(err)
	}
	var list []document
	for _, a := range asked {
		list = append(list, a.Input)
	}
	return list
}

// input is the question as the engine takes it. What a question shares with one
// that was asked before, by the same parts, is made once.
func (d document) input(parts map[uintptr]engine.Part) (engine.Input, error) {
	var in engine.Input
	for _, name := range slices.Sorted(maps.Keys(d)) {
		var shared uintptr
		if object, ok := d[name].(map[string]any); ok {
			shared = reflect.ValueOf(object).Pointer()
		}
		part, known := parts[shared]
		if !known || part.Name != name {
			var err error
			if part, err = engine.NewPart(name, d[name]); err != nil {
				return nil, fmt.Errorf("make the part %s: %w", name, err)
			}
			if shared != 0 {
				parts[shared] = part
			}
		}
		in = append(in, part)
	}
	return in, nil
}
