//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leviathan/scheduler"
)

// A cronServer is an API server with one CronJob, and no Job.
type cronServer struct {
	mu      sync.Mutex
	suspend bool
	mark    any
	asked   []string
}

func (s *cronServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	cron := func() map[string]any {
		annotations := map[string]any{}
		if s.mark != nil {
			annotations["leviathan.dev/suspended-by"] = s.mark
		}
		return map[string]any{"apiVersion": "batch/v1", "kind": "CronJob",
			"metadata": map[string]any{"name": "leviathan-demo-scheduler", "namespace": "leviathan", "resourceVersion": "7", "annotations": annotations,
				"labels": map[string]string{"app": "leviathan-scheduler", "leviathan.dev/target": "demo"}},
			"spec": map[string]any{"suspend": s.suspend}}
	}
	answer := map[string]any{"apiVersion": "batch/v1", "kind": "JobList", "items": []any{}}
	switch route := r.Method + " " + r.URL.Path; route {
	case "GET /apis/batch/v1/namespaces/leviathan/jobs":
	case "GET /apis/batch/v1/namespaces/leviathan/cronjobs":
		answer = map[string]any{"apiVersion": "batch/v1", "kind": "CronJobList", "items": []any{cron()}}
	case "PATCH /apis/batch/v1/namespaces/leviathan/cronjobs/leviathan-demo-scheduler":
		var patch struct {
			Metadata struct {
				ResourceVersion string         `json:"resourceVersion"`
				Annotations     map[string]any `json:"annotations"`
			} `json:"metadata"`
			Spec struct{ Suspend bool } `json:"spec"`
		}
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil || patch.Metadata.ResourceVersion != "7" {
			http.Error(w, "an odd patch", http.StatusBadRequest)
			return
		}
		s.suspend, s.mark = patch.Spec.Suspend, patch.Metadata.Annotations["leviathan.dev/suspended-by"]
		answer = cron()
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// serveCron is a kubeconfig of a cluster with one CronJob.
func serveCron(t *testing.T) (*cronServer, string) {
	t.Helper()
	s := &cronServer{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, kubeconfigOf(t, server.URL)
}

func kubeconfigOf(t *testing.T, url string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: %q}}], contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}]}`, url)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// away is the URL of a server that is not there any more.
func away() string {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	return server.URL
}

// S11 on a laptop: a real gateway, scheduler, worker and agent, with a cluster
// beside them that has the CronJob. The agent is seen to be gone.
func TestS11StopAndResumeOnOneMachine(t *testing.T) {
	h := makeHome(t)
	cluster, kubeconfig := serveCron(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	listening, says := io.Pipe()
	up, _, stderr := h.command(ctx, "up", "--state", "state", "--config", "config.yaml", "--listen", "127.0.0.1:0", "--log-level", "error")
	up.Stdout = says
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	var url string
	if _, err := fmt.Fscanf(listening, "listening on %s\n", &url); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, listening)
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	pids := h.awaitAgent(t, ended, stderr, stderr)

	stop, stdout, stderr := h.command(ctx, "stop", "--target", "demo", "--reason", "look", "--gateway", url, "--state", "state", "--kubeconfig", kubeconfig, "--output", "json")
	if err := stop.Run(); err != nil {
		t.Fatalf("stop: %v\n%s%s", err, stdout, stderr)
	}
	var said stopped
	if err := json.Unmarshal(stdout.Bytes(), &said); err != nil {
		t.Fatal(err)
	}
	if !said.Seen || said.Target != "demo" || said.Reason != "look" || len(said.Findings) != 3 ||
		!strings.Contains(said.Findings[1].Detail, "of task sleep is cancelled, as its worker reported") {
		t.Errorf("stop says %s", stdout)
	}
	for _, f := range said.Findings {
		if f.Outcome != scheduler.Stopped {
			t.Errorf("%s: %s", f.What, f.Outcome)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d of the agent is left: %v", pid, err)
		}
	}
	if !cluster.suspend || cluster.mark != "stop" {
		t.Errorf("the CronJob is suspended: %v, by %v", cluster.suspend, cluster.mark)
	}

	again, stdout, stderr := h.command(ctx, "stop", "--all", "--reason", "look", "--gateway", url, "--state", "state")
	if err := again.Run(); err != nil || !strings.Contains(stdout.String(), "everything was seen to stop\n") || !strings.Contains(stdout.String(), "there is no cluster here") {
		t.Errorf("stop --all: %v\n%s%s", err, stdout, stderr)
	}
	for _, args := range [][]string{{"resume", "--reason", "ok"}, {"resume", "--target", "demo", "--reason", "ok", "--kubeconfig", kubeconfig}} {
		resume, stdout, stderr := h.command(ctx, append(args, "--gateway", url, "--state", "state")...)
		if err := resume.Run(); err != nil || !strings.Contains(stdout.String(), "is lifted") {
			t.Errorf("%v: %v\n%s%s", args, err, stdout, stderr)
		}
	}
	if cluster.suspend || cluster.mark != nil {
		t.Errorf("after resume the CronJob is suspended: %v, by %v", cluster.suspend, cluster.mark)
	}
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestEachPartOfAStopIsTried(t *testing.T) {
	gone := away()
	cluster, kubeconfig := serveCron(t)
	t.Run("the gateway is down", func(t *testing.T) {
		o := testOperator(map[string]string{gatewayVariable: gone, tokenVariable: testToken, kubeconfigVariable: kubeconfig})
		got := execute(t.Context(), o, "", "stop", "--target", "demo", "--reason", "look")
		if got.code != exitNotSeen || !strings.Contains(got.stdout, "NOT SEEN  halt") || !strings.Contains(got.stdout, "stopped   cronjob/leviathan-demo-scheduler") {
			t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
		if !cluster.suspend {
			t.Error("the CronJob is not suspended")
		}
	})
	t.Run("there is no token", func(t *testing.T) {
		got := execute(t.Context(), testOperator(map[string]string{kubeconfigVariable: kubeconfig}), "", "stop", "--all", "--reason", "look")
		if got.code != exitNotSeen || !strings.Contains(got.stdout, "no halt was recorded and no attempt was cancelled: no token") || !strings.Contains(got.stdout, "cronjob/") {
			t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
	t.Run("no halt is lifted where the gateway is down, and no CronJob taken up", func(t *testing.T) {
		o := testOperator(map[string]string{gatewayVariable: gone, tokenVariable: testToken, kubeconfigVariable: kubeconfig})
		if got := execute(t.Context(), o, "", "resume", "--reason", "ok"); got.code != exitUnreachable || !cluster.suspend {
			t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	})
}

// Which cluster is meant, and what is said where none can be reached.
func TestTheClusterOfAStop(t *testing.T) {
	_, kubeconfig := serveCron(t)
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		says string
	}{
		"none":            {nil, nil, "none      cluster  there is no cluster here to look at"},
		"not wanted":      {map[string]string{kubeconfigVariable: kubeconfig}, []string{"--no-cluster"}, "none      cluster  there is no cluster"},
		"of the variable": {map[string]string{kubeconfigVariable: kubeconfig}, nil, "stopped   cronjob/leviathan-demo-scheduler"},
		"another space":   {nil, []string{"--kubeconfig", kubeconfig, "--namespace", "elsewhere"}, "NOT SEEN  cluster"},
		"by name":         {nil, []string{"--kubeconfig", kubeconfig, "--cronjob", "other"}, "NOT SEEN  cluster"},
		"unnamed":         {nil, []string{"--cronjob", "other"}, "no cluster is named: say --kubeconfig FILE"},
		"several":         {map[string]string{kubeconfigVariable: "a:b"}, nil, "KUBECONFIG names several files"},
		"both":            {nil, []string{"--no-cluster", "--cronjob", "x"}, "--no-cluster does not go with"},
		"no such file":    {nil, []string{"--kubeconfig", "missing"}, "no CronJob was touched: reading the kubeconfig missing"},
		"in a Pod":        {map[string]string{inClusterVariable: "10.0.0.1"}, nil, "no CronJob was touched: finding the cluster"},
		"away":            {nil, []string{"--kubeconfig", kubeconfigOf(t, away())}, "api_unreachable: listing the CronJobs of namespace leviathan"},
	} {
		t.Run(name, func(t *testing.T) {
			got := execute(t.Context(), testOperator(c.env), "", append([]string{"stop", "--all", "--reason", "look", "--wait", "0s"}, c.args...)...)
			if got.code != exitNotSeen || !strings.Contains(got.stdout, c.says) || !strings.Contains(got.stdout, "no halt was recorded") {
				t.Errorf("exit code %d, want %q in\n%s%s", got.code, c.says, got.stdout, got.stderr)
			}
		})
	}
}

func TestAStopThatSaysTooLittleDoesNothing(t *testing.T) {
	cluster, kubeconfig := serveCron(t)
	for says, args := range map[string][]string{
		"say what to stop":      {"--reason", "look"},
		"--target ID, or --all": {"--reason", "look", "--all", "--target", "demo"},
		"say why with --reason": {"--all"},
		"is not the id":         {"--target", "no target", "--reason", "look"},
		"are no less than 0":    {"--all", "--reason", "look", "--wait", "-1s"},
		"invalid argument":      {"--all", "--reason", "look", "--output", "xml"},
		"unknown command":       {"everything", "--all", "--reason", "look"},
	} {
		got := execute(t.Context(), testOperator(map[string]string{kubeconfigVariable: kubeconfig}), "", append([]string{"stop"}, args...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, says) {
			t.Errorf("%v: exit code %d, %s", args, got.code, got.stderr)
		}
	}
	if len(cluster.asked) > 0 {
		t.Errorf("the cluster was asked %v", cluster.asked)
	}
}
