package server_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
)

const exposedWorkflow = "on: push\njobs:\n  t:\n    runs-on: x\n    steps: [{run: make, env: {K: '${{ secrets.DEPLOY }}'}}]\n"

// look observes and waits for all that follows.
func (w *world) look() {
	w.t.Helper()
	w.server.Observe(context.Background(), "demo")
	w.server.Idle()
}

// byApp gives the gateway a GitHub App in place of the personal token.
func (w *world) byApp(f *fakeGitHub) {
	w.t.Helper()
	app := &forge.GitHubApp{ID: 7, InstallationID: 8, KeyFile: keyFile(w.t, w.dir)}
	w.tune = func(c *server.Config) { c.GitHub = &forge.GitHubOptions{URL: f.url, App: app} }
}

// payloads are those of all events of a type, in order.
func (w *world) payloads(kind string) (all []map[string]any) {
	w.t.Helper()
	events, err := w.journal.Events(context.Background(), journal.EventFilter{}, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.EventType != kind {
			continue
		}
		var p map[string]any
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestTheSettingsOfTheRepositoryAreAFactOfThePlan(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	f.files = map[string]string{".github/workflows/ci.yml": exposedWorkflow}
	w.start()
	// The first plan waits for them, and says the warnings.
	reservation(t, w.cycle(), "guide")
	want := []string{"delivery.ci_exposed", "delivery.owner_administers", "delivery.personal_token", "delivery.unprotected_branch"}
	st := w.status().Targets[0]
	if got := reasonCodes(st.Warnings); !slices.Equal(got, want) || len(st.Reasons) != 0 || !st.Effective {
		t.Errorf("warnings %v, reasons %v", got, st.Reasons)
	}
	if st.Probe == nil || st.Probe.Credential != "token" || len(st.Probe.Exposed) != 1 || st.Probe.Exposed[0].File != "ci.yml" {
		t.Errorf("the status shows %+v", st.Probe)
	}
	i := slices.IndexFunc(st.Facts, func(f gateway.FactStatus) bool { return f.Name == "probe" })
	if i < 0 || !st.Facts[i].Known || st.Facts[i].Problem != "" {
		t.Errorf("facts %+v", st.Facts)
	}
	list, err := w.journal.Decisions(context.Background(), journal.DecisionFilter{Action: gateway.ActionCyclePlan, Page: journal.Page{Limit: 1}})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	record, _, err := w.journal.Decision(context.Background(), list.Items[0].ID)
	if err != nil || !strings.Contains(string(record.Input), `"probe":{"administers":"yes"`) || !strings.Contains(string(record.Input), `"file":"ci.yml"`) {
		t.Errorf("the recorded question lacks them: %v %s", err, record.Input)
	}
	seen := w.payloads(gateway.EventForgeProbed)
	if len(seen) != 1 || seen[0]["problem"] != nil || seen[0]["probe"].(map[string]any)["administers"] != "yes" {
		t.Errorf("journalled: %v", seen)
	}
	// Looked at again after an hour, and journalled when they are others.
	f.change(func() { f.admin = false })
	w.clock.add(59 * time.Minute)
	w.look()
	if n := len(w.payloads(gateway.EventForgeProbed)); n != 1 {
		t.Errorf("%d events after 59 minutes", n)
	}
	w.clock.add(2 * time.Minute)
	w.look()
	if seen = w.payloads(gateway.EventForgeProbed); len(seen) != 2 || seen[1]["probe"].(map[string]any)["administers"] != "no" {
		t.Errorf("journalled an hour later: %v", seen)
	}
	w.clock.add(2 * time.Hour)
	w.look()
	if n := len(w.payloads(gateway.EventForgeProbed)); n != 2 {
		t.Errorf("the same was journalled again: %d events", n)
	}
}

func TestSettingsThatCannotBeSeenStopNewWorkAndOldOnesServeForAWhile(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	hidden := true
	f.refuse = refusing(func(path string) int {
		if hidden && strings.Contains(path, "/rules/branches/") {
			return 500
		}
		return 0
	})
	w.start()
	w.unknown("the settings were never seen", "unknown.probe")
	if seen := w.payloads(gateway.EventForgeProbed); len(seen) != 1 || !strings.HasPrefix(seen[0]["problem"].(string), forge.CodeUnreachable+": ") || seen[0]["probe"] != nil {
		t.Errorf("journalled: %v", seen)
	}
	f.change(func() { hidden = false })
	w.clock.add(6 * time.Minute)
	reservation(t, w.cycle(), "guide")
	f.change(func() { hidden = true })
	w.clock.add(100 * time.Minute)
	if result := w.cycle(); slices.Contains(reasonCodes(result.Reasons), "unknown.probe") || slices.Contains(reasonCodes(result.Reasons), "unknown.stale") {
		t.Errorf("what was seen 100 minutes ago does not serve: %v", result.Reasons)
	}
	w.clock.add(30 * time.Minute)
	w.unknown("the settings were seen too long ago", "unknown.stale")
}

// The first row is what is shipped; the second is the one line that
// docs/21_OPERATIONS_AUTONOMY.md shows.
func TestPolicySaysWhichWeaknessDenies(t *testing.T) {
	t.Parallel()
	shipped := `_denying := \{"delivery\.forge_administers"\}`
	for name, row := range map[string]struct {
		line   string
		grants object
		denied []string
	}{
		"as shipped, an App with administration": {`_denying := {"delivery.forge_administers"}`, object{"administration": "write"}, []string{"delivery.forge_administers"}},
		"as shipped, an exposed workflow":        {`_denying := {"delivery.forge_administers"}`, nil, nil},
		"exposed workflows deny":                 {`_denying := {"delivery.forge_administers", "delivery.ci_exposed"}`, nil, []string{"delivery.ci_exposed"}},
		"nothing denies":                         {`_denying := set()`, object{"administration": "write"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := newGitHubWorld(t)
			f.files, f.grants = map[string]string{".github/workflows/ci.yml": exposedWorkflow}, row.grants
			w.byApp(f)
			policy, err := bundleEdited("delivery/forge.rego", shipped, row.line)
			if err != nil {
				t.Fatal(err)
			}
			w.policy = policy
			w.start()
			result := w.cycle()
			if got := reasonCodes(result.Reasons); !slices.Equal(got, row.denied) && len(got)+len(row.denied) > 0 || (len(result.Reserved) == 0) != (len(row.denied) > 0) {
				t.Errorf("denied for %v, want %v; reserved %d", result.Reasons, row.denied, len(result.Reserved))
			}
		})
	}
}

func TestALocalRepositoryHasNoSettingsToLookAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	reservation(t, w.cycle(), "guide")
	if st := w.status().Targets[0]; st.Probe != nil || len(st.Warnings) != 0 || len(w.payloads(gateway.EventForgeProbed)) != 0 {
		t.Errorf("status %+v", st)
	}
}

func TestReviewsConflictsAndEditsAreShown(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	w.start()
	ctx := context.Background()
	r := reservation(t, w.cycle(), "guide")
	w.deliver(r, map[string]string{"docs/guide.md": "# Guide\n"})
	w.look()
	seen := func() gateway.PullRequestItem {
		t.Helper()
		st := w.status().Targets[0]
		tasks, err := w.client(operator).Tasks(ctx, "demo", "")
		if err != nil || len(st.PullRequests) != 1 {
			t.Fatalf("%+v, %v", st.PullRequests, err)
		}
		i := slices.IndexFunc(tasks.Items, func(item gateway.TaskItem) bool { return item.TaskID == "guide" })
		if tasks.Items[i].PullRequest == nil || *tasks.Items[i].PullRequest != st.PullRequests[0] {
			t.Errorf("the task shows %+v, the status %+v", tasks.Items[i].PullRequest, st.PullRequests[0])
		}
		list, err := w.client(operator).Attempts(ctx, gateway.AttemptQuery{Target: "demo"})
		if err != nil {
			t.Fatal(err)
		}
		pr := st.PullRequests[0]
		i = slices.IndexFunc(list.Attempts, func(a gateway.AttemptItem) bool { return a.AttemptID == r.AttemptID })
		if a := list.Attempts[i]; a.PRState != pr.State || a.PRReview != pr.Review || a.PRConflicts != pr.Conflicts || a.PREdited != pr.Edited {
			t.Errorf("the attempt is listed as %+v, the status shows %+v", a, pr)
		}
		detail, err := w.client(operator).Attempt(ctx, r.AttemptID)
		if err != nil || detail.Node.Properties["pr_review"] != pr.Review || detail.Node.Properties["pr_conflicts"] != pr.Conflicts || detail.Node.Properties["pr_edited"] != pr.Edited {
			t.Errorf("the attempt shows %+v, %v", detail.Node.Properties, err)
		}
		return pr
	}
	if pr := seen(); pr.Number != 1 || pr.State != gateway.PullRequestOpen || pr.Review != "none" || pr.Conflicts || pr.Edited || pr.AttemptID != r.AttemptID || pr.TaskID != "guide" {
		t.Errorf("at first %+v", pr)
	}
	f.change(func() {
		f.reviews = []object{{"id": 1, "state": "CHANGES_REQUESTED", "user": object{"id": 6}}}
		f.pulls[0]["mergeable_state"] = "dirty"
	})
	w.look()
	if pr := seen(); pr.Review != "changes_requested" || !pr.Conflicts || pr.Edited {
		t.Errorf("reviewed and in conflict: %+v", pr)
	}
	n := len(w.payloads(gateway.EventPullObserved))
	w.look()
	if again := len(w.payloads(gateway.EventPullObserved)); n != 2 || again != n {
		t.Errorf("%d events, then %d", n, again)
	}
}

// Taken over is taken over: neither a restart nor the human's own undoing gives
// the pull request back.
func TestAPullRequestThatAHumanEditedIsNeverTouchedAgain(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(w *world, f *fakeGitHub) (undo func()){
		"the title": func(_ *world, f *fakeGitHub) func() {
			was := f.pulls[0]["title"]
			f.pulls[0]["title"] = "my own words"
			return func() { f.pulls[0]["title"] = was }
		},
		"the branch": func(w *world, f *fakeGitHub) func() {
			head := f.pulls[0]["head"].(object)
			was := head["sha"]
			head["sha"] = w.git(w.upstream, "rev-parse", "main")
			return func() { head["sha"] = was }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := newGitHubWorld(t)
			w.start()
			w.deliver(reservation(t, w.cycle(), "guide"), map[string]string{"docs/guide.md": "# Guide\n"})
			w.look()
			var undo func()
			f.change(func() { undo = edit(w, f) })
			w.look()
			if pr := w.status().Targets[0].PullRequests[0]; !pr.Edited {
				t.Fatalf("%+v", pr)
			}
			f.change(func() { undo(); f.comments, f.labels = nil, nil })
			w.restart() // which forgets what was said, and would say it anew
			w.clock.add(time.Hour)
			w.look()
			w.look()
			f.change(func() {
				if len(f.comments) != 0 || len(f.labels) != 0 {
					t.Errorf("touched again: %v %v", f.comments, f.labels)
				}
			})
			if pr := w.status().Targets[0].PullRequests[0]; !pr.Edited || pr.State != gateway.PullRequestOpen {
				t.Errorf("%+v", pr)
			}
		})
	}
}
