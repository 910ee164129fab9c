package authoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

// What is true of the shipped policies whatever they are asked, on a domain that
// is walked through: with the switch off nothing is allowed; a restriction never
// turns a deny into an allow; two together allow only what each of them allows.
//
// Of a plan, each task is an input of its own. LEVIATHAN_LAWS=full walks through
// the whole domain, more than a million inputs; else it is a fixed sample.

// lawful is a walk: what it has seen so far.
type lawful struct {
	policy *engine.Snapshot
	// interpreted is the same policy without OPA's plan of it: both must give
	// every answer word for word. nil: it is not asked.
	interpreted *engine.Snapshot
	ctx         context.Context

	mu       sync.Mutex
	inputs   int
	broken   []string
	allowed  int            // of the questions and tasks before any restriction
	bites    map[string]int // by restriction, how often it took an allow away
	reported int
	progress func(inputs int)
}

// an answer is what a question is allowed: itself, or the tasks of a plan.
type answer map[string]bool

// work is what starts, goes on with or delivers work; the switch governs it.
var work = []string{
	gateway.ActionCyclePlan, gateway.ActionAttemptStart, gateway.ActionAgentRun, gateway.ActionAttemptHeartbeat,
	gateway.ActionRepositoryFetch, gateway.ActionChangePush, gateway.ActionPullRequestOpen,
}

func (l *lawful) ask(q document, parts map[uintptr]engine.Part) (answer, error) {
	in, err := q.input(parts)
	if err != nil {
		return nil, err
	}
	action, _ := q["action"].(string)
	result := l.policy.Decide(l.ctx, action, in)
	if l.interpreted != nil {
		if again := l.interpreted.Decide(l.ctx, action, in); !bytes.Equal(result.JSON, again.JSON) {
			return nil, fmt.Errorf("ask about %s: by the plan %s, by the interpreter %s", action, result.JSON, again.JSON)
		}
	}
	for _, r := range result.Reasons {
		if slices.ContainsFunc(engine.Failures(), func(c engine.Code) bool { return c.Code == r.Code }) {
			return nil, fmt.Errorf("ask about %s: %s: %s", action, r.Code, r.Message)
		}
	}
	allows := answer{}
	if action != gateway.ActionCyclePlan {
		if result.Allow {
			allows[action] = true
		}
		return allows, nil
	}
	var plan struct {
		Reserve []struct {
			TaskID string `json:"task_id"`
		} `json:"reserve"`
	}
	if err := json.Unmarshal(result.Obligations, &plan); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	for _, r := range plan.Reserve {
		allows[r.TaskID] = true
	}
	if len(allows) > 0 && !result.Allow {
		return nil, fmt.Errorf("a plan is denied and reserves %d tasks", len(allows))
	}
	return allows, nil
}

// hold looks at the laws for one question and two restrictions of it.
func (l *lawful) hold(name string, q document, a, b restriction) error {
	first := a.of(q)
	var answers [4]answer
	parts := map[uintptr]engine.Part{}
	for i, asked := range []document{q, first, b.of(q), b.of(first)} {
		var err error
		if answers[i], err = l.ask(asked, parts); err != nil {
			return fmt.Errorf("%s, %s, %s: %w", name, a.name, b.name, err)
		}
		on := asked.at("config", "values")["autonomy_enabled"] == true
		if action, _ := asked["action"].(string); !on && slices.Contains(work, action) {
			l.want(answers[i], nil, name+": the switch is off")
		}
	}
	l.want(answers[1], answers[0], name+": "+a.name)
	l.want(answers[2], answers[0], name+": "+b.name)
	l.want(answers[3], answers[1], name+": "+b.name+", besides "+a.name)
	l.want(answers[3], answers[2], name+": "+a.name+", besides "+b.name)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inputs += 4 * max(1, len(q.at("backlog", "tasks")))
	l.allowed += len(answers[0])
	l.bites[a.name] += len(answers[0]) - len(answers[1])
	l.bites[b.name] += len(answers[0]) - len(answers[2])
	if l.progress != nil && l.inputs-l.reported >= 100_000 {
		l.reported = l.inputs
		l.progress(l.inputs)
	}
	return nil
}

// want is that nothing is allowed but what was.
func (l *lawful) want(now, before answer, what string) {
	for id := range now {
		if !before[id] {
			l.mu.Lock()
			l.broken = append(l.broken, what+" allows "+id)
			l.mu.Unlock()
		}
	}
}

// pair is the nth of all pairs of restrictions.
func pair(n int, of []restriction) (restriction, restriction) {
	i, distance := n%len(of), 1+n/len(of)%(len(of)-1)
	return of[i], of[(i+distance)%len(of)]
}

// walk goes through one of every stride questions, both processors at once.
func (l *lawful) walk(total, stride int, hold func(i, n int) error) error {
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for n := w; n*stride < total && errs[w] == nil; n += workers {
				errs[w] = hold(n*stride, n)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// backlogs asks for plans of so many tasks each, with room for all and with less.
// One in ten is near: with nothing against it but what the first choices say, so
// that every plan has something to lose.
func (l *lawful) backlogs(seed document, perPlan, plans int) error {
	all := tasks()
	scarce := slices.DeleteFunc(slices.Clone(restrictions), func(r restriction) bool { return !r.scarce })
	return l.walk(min(plans, (all.size()+perPlan-1)/perPlan), 1, func(chunk, n int) error {
		pulls, running, of := 100_000.0, 100_000.0, restrictions
		if chunk%2 == 1 { // scarce is one of them or the other
			few, other := 1+float64(chunk%7), 9*float64(chunk%5%2)
			pulls, running, of = few+3+other, few+9-other, scarce // three pull requests are open
		}
		a, b := pair(n/2, of)
		return l.hold(fmt.Sprintf("backlog %d", chunk), backlog(seed, all, chunk*perPlan, perPlan, pulls, running), a, b)
	})
}

// backlog is a plan of a part of the tasks.
func backlog(seed document, all domain, from, count int, pulls, running float64) document {
	tasks, records, order := map[string]any{}, map[string]any{}, map[string]any{}
	for place := range count {
		i := from + place
		if place%10 == 0 {
			i = (i/10*7 + 4) % near
		}
		if i >= all.size() {
			continue
		}
		task, id := all.question(i), fmt.Sprintf("T-%d", i)
		tasks[id], records[id], order[id] = task["task"], task["record"], float64(place)
	}
	for name, limit := range map[string]float64{"max_open_prs": pulls, "max_running_attempts": running, "max_attempts_per_task": 2} {
		seed = seed.with(limit, "config", "values", name)
	}
	return seed.with(tasks, "backlog", "tasks").with(order, "backlog", "order").with(map[string]any{}, "backlog", "invalid").
		with(0.0, "backlog", "max_open_prs").with(records, "state", "tasks").with(map[string]any{}, "request").
		with([]any{"docs/", "README.md", "src/"}, "config", "values", "allowed_path_prefixes")
}

// plans walks through the tasks of backlogs, steps through the life of an attempt.
func (l *lawful) plans(t *testing.T, perPlan, plans int) {
	t.Helper()
	for _, seed := range seeds(t) {
		if seed["action"] == gateway.ActionCyclePlan {
			if err := l.backlogs(seed, perPlan, plans); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (l *lawful) steps(t *testing.T, stride int) {
	t.Helper()
	for _, d := range steps(t) {
		err := l.walk(d.size(), stride, func(i, n int) error {
			i = i * 10_007 % d.size() // neighbours in the walk are none in the domain
			a, b := pair(n, restrictions)
			return l.hold(fmt.Sprintf("%s %d", d.seed["action"], i), d.question(i), a, b)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func laws(t *testing.T, policy fs.FS) *lawful {
	t.Helper()
	s, err := engine.LoadFS(t.Context(), policy, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &lawful{policy: s, ctx: t.Context(), bites: map[string]int{}}
}

func TestLaws(t *testing.T) {
	full := os.Getenv("LEVIATHAN_LAWS") == "full"
	if raceEnabled {
		t.Skip("the laws are about the policies; make test holds them without the detector")
	}
	shipped := with(t, "", "", "")
	l := laws(t, shipped)
	var err error
	if l.interpreted, err = engine.LoadFS(t.Context(), shipped, engine.Options{Interpreted: true}); err != nil {
		t.Fatal(err)
	}
	l.progress = func(inputs int) { t.Logf("%d inputs, %d laws broken", inputs, len(l.broken)) }
	if full {
		l.plans(t, 1000, 1_000_000)
		l.steps(t, 11)
	} else {
		l.plans(t, 30, 12)
		l.steps(t, 4003)
	}
	t.Logf("%d inputs, %d of the questions and tasks allowed; taken away by each restriction: %v", l.inputs, l.allowed, l.bites)
	for _, what := range l.broken[:min(20, len(l.broken))] {
		t.Error(what)
	}
	if l.inputs < 1500 || full && l.inputs < 1_000_000 {
		t.Errorf("%d inputs are too few", l.inputs)
	}
	if l.allowed == 0 {
		t.Error("nothing was allowed, so that no law could be broken")
	}
	if full {
		for _, r := range restrictions {
			if r.name != "lower max_pack_mb" && l.bites[r.name] <= 0 {
				t.Errorf("to %s took nothing away", r.name)
			}
		}
	}
}

// Policies with one rule that is wrong: the sample alone must notice.
func TestTheLawsNoticeWhatBreaksThem(t *testing.T) {
	if raceEnabled {
		t.Skip("the laws are about the policies; make test holds them without the detector")
	}
	for _, broken := range []struct{ name, file, from, to string }{
		{"the switch is not looked at", "guard/config.rego", "not input.config.values.autonomy_enabled == true", "not input.config.values.autonomy_enabled in {true, false}"},
		{"a lower limit is more room", "limits/limits.rego", "slots := max({0, min({min({n | some n in room})} | {n | some n in rooms})})", "slots := max({0, 10 - max_open_prs})"},
		{"a second failure helps", "limits/tasks.rego", "state.counted + state.infrastructure > 0", "state.counted + state.infrastructure == 1"},
		{"a task is judged by no prefix", "scope/scope.rego", "not within(j.literal, prefixes)", "not within(j.literal, prefixes)\n\tcount(prefixes.dirs) > 1"},
	} {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			l := laws(t, with(t, broken.file, broken.from, broken.to))
			l.plans(t, 30, 12)
			if len(l.broken) == 0 {
				t.Errorf("%d inputs, and no law is broken", l.inputs)
			}
		})
	}
}

// deadlines are those of the actions: here, a slow machine is no answer.
var deadlines = regexp.MustCompile(`(?m)^(#     [a-z.]+: )\d+$`)

// with is the shipped bundle without its tests and with time, and in the file, if
// one is named, one text replaced.
func with(t *testing.T, file, from, to string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(policies.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		data, err := fs.ReadFile(policies.FS, name)
		if name == "main/main.rego" {
			data = deadlines.ReplaceAll(data, []byte("${1}60000"))
		}
		if name == file {
			changed := strings.Replace(string(data), from, to, 1)
			if changed == string(data) {
				t.Fatalf("%s has no %q", file, from)
			}
			data = []byte(changed)
		}
		out[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
