package scheduler_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"leviathan/gateway"
	"leviathan/scheduler"
)

var update = flag.Bool("update", false, "write the golden files anew")

var jobOptions = scheduler.JobOptions{Target: "demo", GatewayURL: "http://leviathan-control-plane:8000"}

// forJob is a reservation that a Job can be made of.
func forJob(id gateway.AttemptID) gateway.Reservation {
	return gateway.Reservation{AttemptID: id, TaskID: "Write the docs / part 1", Token: "canary-of-" + string(id), TimeoutSeconds: 900, Agent: "writer",
		Worker: gateway.WorkerSpec{Image: "leviathan-worker:local", Namespace: "leviathan", MemoryMB: 2048, EnvFrom: []string{"MODEL_KEY", "A_KEY", "MODEL_KEY"}}}
}

func TestTheJobOfAnAttempt(t *testing.T) {
	job, err := scheduler.WorkerJob(forJob(first), jobOptions)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.TrimSuffix(string(text), "status: {}\n")
	if strings.Contains(got, "canary") {
		t.Error("the token is in the Job")
	}
	const name = "testdata/worker-job.yaml"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("it is not %s (-update writes it anew):\n%s", name, diff)
	}
	if again, err := scheduler.WorkerJob(forJob(first), jobOptions); err != nil || !cmp.Equal(job, again) {
		t.Errorf("rendered again, it is another: %v", err)
	}
}

func TestJobNamesAreLabels(t *testing.T) {
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	seen := map[string]bool{}
	for _, id := range []gateway.AttemptID{first, second, third, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"} {
		name := scheduler.JobName(id)
		if !label.MatchString(name) || len(name) != 43 || seen[name] {
			t.Errorf("%s has the name %q", id, name)
		}
		seen[name] = true
	}
}

func TestTheDigestIsOfAllThatAJobIs(t *testing.T) {
	digestOf := func(change func(r *gateway.Reservation, o *scheduler.JobOptions)) string {
		r, o := forJob(first), jobOptions
		change(&r, &o)
		job, err := scheduler.WorkerJob(r, o)
		if err != nil {
			t.Fatal(err)
		}
		return job.Annotations["leviathan.dev/spec-digest"]
	}
	same := digestOf(func(*gateway.Reservation, *scheduler.JobOptions) {})
	for name, change := range map[string]func(r *gateway.Reservation, o *scheduler.JobOptions){
		"attempt":   func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.AttemptID = second },
		"task":      func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.TaskID = "other" },
		"image":     func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.Image = "other" },
		"namespace": func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.Namespace = "other" },
		"memory":    func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.MemoryMB++ },
		"timeout":   func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.TimeoutSeconds++ },
		"agent":     func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Agent = "other" },
		"keys":      func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.EnvFrom = nil },
		"target":    func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.Target = "other" },
		"gateway":   func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.GatewayURL = "http://other" },
		"account":   func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.ServiceAccount = "other" },
		"cpu":       func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.CPU = "1" },
		"workspace": func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.WorkspaceSize = "1Gi" },
	} {
		if got := digestOf(change); got == same || !strings.HasPrefix(got, "sha256:") {
			t.Errorf("another %s has the digest %s", name, got)
		}
	}
	if digestOf(func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Token = "other" }) != same {
		t.Error("the digest depends on the token, which is not in the Job")
	}
}

func TestNoJobOfWhatIsNoReservation(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *gateway.Reservation, o *scheduler.JobOptions)
		says   string
	}{
		"attempt":        {func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.AttemptID = "../x" }, "no attempt"},
		"target":         {func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.Target = "" }, "no target"},
		"gateway":        {func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.GatewayURL = "" }, "no URL"},
		"image":          {func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.Image = "" }, "worker_image"},
		"namespace":      {func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.Namespace = "" }, "worker_namespace"},
		"memory":         {func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.Worker.MemoryMB = 0 }, "0 MiB"},
		"timeout":        {func(r *gateway.Reservation, _ *scheduler.JobOptions) { r.TimeoutSeconds = 0 }, "0 seconds"},
		"cpu":            {func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.CPU = "much" }, `"much"`},
		"no cpu":         {func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.CPU = "0" }, "more than zero"},
		"workspace":      {func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.WorkspaceSize = "big" }, `"big"`},
		"less workspace": {func(_ *gateway.Reservation, o *scheduler.JobOptions) { o.WorkspaceSize = "-1Gi" }, "more than zero"},
	} {
		r, o := forJob(first), jobOptions
		c.change(&r, &o)
		if job, err := scheduler.WorkerJob(r, o); err == nil || job != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.says)
		}
	}
}
