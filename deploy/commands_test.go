package deploy_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// flags are the values of each flag of a command line, in order.
func flags(args []string) map[string][]string {
	out := map[string][]string{}
	for _, arg := range args {
		if strings.HasPrefix(arg, "--") {
			name, value, _ := strings.Cut(arg, "=")
			out[name] = append(out[name], value)
		}
	}
	return out
}

var (
	commandHeading = regexp.MustCompile("^### `leviathan ([a-z ]+)`$")
	flagRow        = regexp.MustCompile("^\\| `(--[a-z-]+)( [^`]+)?` \\|")
)

// commands are the flags of every command, as docs/cli.md has them, which is
// made of the commands themselves; true for a flag that takes a value.
func commands(t *testing.T) map[string]map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	connection := map[string]bool{}
	out := map[string]map[string]bool{}
	current := connection
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\n")
		if m := commandHeading.FindStringSubmatch(line); m != nil {
			current = map[string]bool{}
			out[m[1]] = current
		}
		if m := flagRow.FindStringSubmatch(line); m != nil {
			current[m[1]] = m[2] != ""
		}
		if line == "And the connection flags." {
			for name, value := range connection {
				current[name] = value
			}
		}
	}
	if len(out) < 10 || !connection["--gateway"] || !out["gateway"]["--state"] {
		t.Fatalf("docs/cli.md is not read: %d commands", len(out))
	}
	return out
}

func TestCommandsAndFlagsExist(t *testing.T) {
	known := commands(t)
	each(t, func(t *testing.T, c *cluster) {
		for _, p := range append(pods(t, c), worker(t, c)) {
			k := p.container()
			if !slices.Equal(k.Command, []string{"leviathan"}) || len(k.Args) == 0 {
				t.Errorf("%s runs %q", p.owner, k.Command)
				continue
			}
			command, ok := known[k.Args[0]]
			if !ok {
				t.Errorf("%s: there is no command leviathan %s", p.owner, k.Args[0])
				continue
			}
			for _, arg := range k.Args[1:] {
				name, value, given := strings.Cut(arg, "=")
				takes, ok := command[name]
				switch {
				case !ok:
					t.Errorf("%s: leviathan %s has no flag %s", p.owner, k.Args[0], name)
				case given && value == "", given != takes:
					t.Errorf("%s: %s: takes a value: %v", p.owner, arg, takes)
				}
			}
		}
	})
}

var variable = regexp.MustCompile(`\$\(([^)]*)\)`)

// An argument that is made of a variable needs it in the environment: Kubernetes
// hands out the text as it stands otherwise.
func TestVariablesOfArgumentsAreInTheEnvironment(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		for _, p := range pods(t, c) {
			k := p.container()
			for _, arg := range k.Args {
				for _, m := range variable.FindAllStringSubmatch(arg, -1) {
					if !slices.ContainsFunc(k.Env, func(e corev1.EnvVar) bool { return e.Name == m[1] }) {
						t.Errorf("%s: %s has no %s", p.owner, arg, m[1])
					}
				}
			}
			if p.owner != "Deployment/leviathan-control-plane" {
				continue
			}
			got := flags(k.Args)
			for name, value := range map[string]string{"--github-app-id": "$(GITHUB_APP_ID)", "--github-installation-id": "$(GITHUB_INSTALLATION_ID)", "--github-key-file": "/var/run/secrets/github-app/private-key.pem"} {
				want := []string{value}
				if !in(c, "github-app") {
					want = nil
				}
				if !slices.Equal(got[name], want) {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
		}
	})
}

// What the program calls its defaults is what the manifests are called.
func TestTheGatewayIsToldTheNamesThatThereAre(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		for _, p := range pods(t, c) {
			if p.owner != "Deployment/leviathan-control-plane" {
				continue
			}
			got := flags(p.container().Args)
			for name, want := range map[string][]string{
				"--state":              {"/var/lib/leviathan"},
				"--cluster":            {""},
				"--cluster-lease":      {"leviathan-control-plane"},
				"--cluster-config-map": {configName},
				"--cluster-audience":   {"leviathan"},
				"--service-account":    {namespace + "/leviathan-scheduler=scheduler", namespace + "/leviathan-spider=reader"},
			} {
				if !slices.Equal(got[name], want) {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
			if _, open := got["--open-metrics"]; open {
				t.Error("metrics are open to workers")
			}
		}
	})
}

// Promise S03, the manifest's half: every five minutes, never two at once, and
// no second try, so that one cycle makes one Job for an attempt. And the
// schedule is what the config says.
func TestS03TheSchedulersCronJob(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		jobs := of[*batchv1.CronJob](c)
		if len(jobs) != 1 {
			t.Fatalf("%d CronJobs", len(jobs))
		}
		s, config := jobs[0].Spec, configOf(t, c)
		job := s.JobTemplate.Spec
		check := func(ok bool, what string) {
			if !ok {
				t.Error(what)
			}
		}
		check(s.Schedule == "*/5 * * * *" && s.Schedule == config.ScheduleCron, "the schedule is "+s.Schedule+", the config's "+config.ScheduleCron)
		check(s.TimeZone != nil && *s.TimeZone == "Etc/UTC", "the schedule is not read in UTC, as the config's is")
		check(s.ConcurrencyPolicy == batchv1.ForbidConcurrent, "two cycles may run at once")
		check(s.Suspend == nil, "applying this would undo an emergency stop, or be one")
		check(s.StartingDeadlineSeconds != nil && *s.StartingDeadlineSeconds >= 10 && *s.StartingDeadlineSeconds < 300, "a tick that was missed is made up for too late or never")
		check(s.SuccessfulJobsHistoryLimit != nil && s.FailedJobsHistoryLimit != nil, "no limit of history")
		check(job.BackoffLimit != nil && *job.BackoffLimit == 0, "a cycle that failed is tried again before the next tick")
		check(job.ActiveDeadlineSeconds != nil && *job.ActiveDeadlineSeconds < 300, "a cycle that hangs is in the way of the next tick")
		check(job.Template.Spec.RestartPolicy == "Never", "a cycle that failed is restarted")
		check((job.Parallelism == nil || *job.Parallelism == 1) && (job.Completions == nil || *job.Completions == 1), "more than one cycle a tick")
		args := flags(job.Template.Spec.Containers[0].Args)
		check(slices.Equal(args["--target"], []string{string(config.TargetID)}), "the target is not that of "+configKey)
		check(slices.Equal(args["--launcher"], []string{"kubernetes"}), "workers are no Jobs")
		_, once := args["--once"]
		check(once, "it never ends")
	})
}

// The sample has the keys of release 0.4's, and no other: a config of that
// release is one of this, and a reader sees every limit.
func TestTheSampleHasTheKeysOfTheReleaseBefore(t *testing.T) {
	want := []string{"allowed_path_prefixes", "attempt_timeout_seconds", "autonomy_enabled", "circuit_breaker_failures", "control_plane_url",
		"max_attempts_per_task", "max_open_prs", "max_running_attempts", "schedule_cron", "target_branch", "target_id", "target_repo_url",
		"worker_image", "worker_namespace", "workspace_dir"}
	each(t, func(t *testing.T, c *cluster) {
		var sample map[string]any
		if err := yaml.UnmarshalStrict([]byte(named[*corev1.ConfigMap](t, c, configName).Data[configKey]), &sample); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(sample))); diff != "" {
			t.Error(diff)
		}
	})
}
