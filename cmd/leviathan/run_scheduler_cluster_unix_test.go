//go:build unix

package main

import (
	"bytes"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// A testCluster is a gateway with the launcher of Jobs on an API server in
// memory, in which nothing runs.
type testCluster struct {
	t        *testing.T
	api      *fake.Clientset
	operator *gateway.Client
	config   scheduler.Config // of the target's scheduler, with its own token
	url      string
}

func openCluster(t *testing.T) *testCluster {
	t.Helper()
	h := makeHome(t)
	g, err := openGateway(t.Context(), gatewayOptions{state: filepath.Join(h.dir, "state"), config: filepath.Join(h.dir, "config.yaml"), listen: "127.0.0.1:0", logLevel: "error"},
		io.Discard, func(gateway.TargetID) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &testCluster{t: t, api: fake.NewClientset(), url: g.url}
	var uids atomic.Int64
	c.api.PrependReactor("create", "jobs", func(a clienttesting.Action) (bool, runtime.Object, error) {
		job := a.(clienttesting.CreateAction).GetObject().(*batchv1.Job)
		job.UID, job.CreationTimestamp = types.UID(strings.Repeat("u", int(uids.Add(1)))), metav1.NewTime(time.Now())
		return false, nil, nil
	})
	c.operator = c.client(g.token)
	target := gateway.TargetID("demo")
	token, err := c.operator.CreateToken(t.Context(), gateway.TokenRequest{Role: gateway.RoleScheduler, Target: &target})
	if err != nil {
		t.Fatal(err)
	}
	c.config = scheduler.Config{Client: c.client(token.Token), Target: target, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	return c
}

func (c *testCluster) client(token string) *gateway.Client {
	c.t.Helper()
	client, err := gateway.NewClient(c.url, token, gateway.ClientOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return client
}

// cycle is one run of the CronJob: a scheduler that knows nothing of others.
func (c *testCluster) cycle() error {
	k, err := scheduler.NewKubernetes(scheduler.KubernetesConfig{Client: c.api, Namespace: "leviathan", Gateway: c.config.Client, Logger: c.config.Logger,
		Jobs: scheduler.JobOptions{Target: c.config.Target, GatewayURL: c.url}})
	if err != nil {
		return err
	}
	config := c.config
	config.Launcher = k
	_, err = scheduler.New(config).Cycle(c.t.Context())
	return err
}

// jobs are the Jobs that there are, by attempt.
func (c *testCluster) jobs() map[gateway.AttemptID]batchv1.Job {
	c.t.Helper()
	list, err := c.api.BatchV1().Jobs("leviathan").List(c.t.Context(), metav1.ListOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	jobs := map[gateway.AttemptID]batchv1.Job{}
	for _, job := range list.Items {
		jobs[gateway.AttemptID(job.Annotations["leviathan.dev/attempt-id"])] = job
	}
	if len(jobs) != len(list.Items) {
		c.t.Errorf("of %d attempts there are %d Jobs", len(jobs), len(list.Items))
	}
	return jobs
}

// attempts are the target's attempts, newest first.
func (c *testCluster) attempts() []gateway.AttemptItem {
	c.t.Helper()
	list, err := c.operator.Attempts(c.t.Context(), gateway.AttemptQuery{Target: "demo"})
	if err != nil {
		c.t.Fatal(err)
	}
	return list.Attempts
}

// one is the only attempt that has a Job, which has to be live.
func (c *testCluster) one() gateway.AttemptID {
	c.t.Helper()
	jobs, newest := c.jobs(), c.attempts()[0]
	if _, ok := jobs[newest.AttemptID]; !ok || len(jobs) != 1 || newest.State != gateway.Reserved {
		c.t.Fatalf("there are Jobs %v, and the newest attempt is %+v", jobs, newest)
	}
	return newest.AttemptID
}

// Promises S03 and S11 against the gateway itself: two cycles at once make one
// Job; the Job of a cancelled attempt is deleted, and the attempt of a deleted
// Job ends as failed{lost}.
func TestS03S11JobsAndTheJournal(t *testing.T) {
	c := openCluster(t)
	var cycles sync.WaitGroup
	for range 2 {
		cycles.Go(func() {
			if err := c.cycle(); err != nil {
				t.Error(err)
			}
		})
	}
	cycles.Wait()
	cancelled := c.one()
	if n := len(c.attempts()); n != 1 {
		t.Errorf("two cycles at once reserved %d attempts", n)
	}
	events, err := c.operator.RecentEvents(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, e := range events {
		if e.EventType == gateway.EventJobSubmitted && strings.Contains(string(e.Payload), string(cancelled)) {
			said++
		}
	}
	if said != 1 {
		t.Errorf("job.submitted is in the journal %d times, want once", said)
	}

	if err := c.operator.Cancel(t.Context(), cancelled, "a test"); err != nil {
		t.Fatal(err)
	}
	if err := c.cycle(); err != nil {
		t.Fatal(err)
	}
	deleted := c.one() // its own Job alone is there
	if deleted == cancelled {
		t.Fatalf("the Job of the cancelled attempt %s is left", cancelled)
	}

	secret, err := c.api.CoreV1().Secrets("leviathan").Get(t.Context(), scheduler.JobName(deleted), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client(string(secret.Data["token"])).Start(t.Context(), deleted, gateway.StartRequest{Instance: "the-worker-1"}); err != nil {
		t.Fatalf("with the token of the Secret: %v", err)
	}
	if err := c.cycle(); err != nil { // it runs, and its Job is there
		t.Fatal(err)
	}
	if a := c.attempts()[0]; a.AttemptID != deleted || a.State != gateway.Running {
		t.Fatalf("it is %+v", a)
	}
	if err := c.api.BatchV1().Jobs("leviathan").Delete(t.Context(), scheduler.JobName(deleted), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.cycle(); err != nil {
		t.Fatal(err)
	}
	for _, a := range c.attempts() {
		switch a.AttemptID {
		case cancelled:
			if a.State != gateway.Cancelled {
				t.Errorf("the cancelled attempt is %+v", a)
			}
		case deleted:
			if a.State != gateway.Failed || a.FailureType != gateway.Lost || !strings.HasPrefix(a.ErrorSummary, "job_deleted: the Job "+scheduler.JobName(deleted)) {
				t.Errorf("the attempt of the deleted Job is %+v", a)
			}
		}
	}
}

func TestSchedulerInAClusterThatIsNotThere(t *testing.T) {
	c := openCluster(t)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	operatorToken, err := c.operator.CreateToken(t.Context(), gateway.TokenRequest{Role: gateway.RoleScheduler})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, token, operatorToken.Token)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	writeFile(t, kubeconfig, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: u, namespace: leviathan}}]
users: [{name: u, user: {}}]
current-context: c
`)
	for name, k := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no such launcher": {[]string{"--launcher", "other"}, exitUsage, "local or kubernetes"},
		"no API server":    {[]string{"--launcher", "kubernetes", "--kubeconfig", kubeconfig}, exitUnreachable, "api_unreachable: listing the Jobs of namespace leviathan"},
		"other namespace":  {[]string{"--launcher", "kubernetes", "--kubeconfig", kubeconfig, "--namespace", "mine"}, exitUnreachable, "namespace mine"},
		"no kubeconfig":    {[]string{"--launcher", "kubernetes", "--kubeconfig", filepath.Join(dir, "none")}, exitUsage, "reading the kubeconfig"},
		"not in a cluster": {[]string{"--launcher", "kubernetes"}, exitUsage, "name a kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			root := newRoot()
			var stdout, stderr bytes.Buffer
			root.SetOut(&stdout)
			root.SetErr(&stderr)
			root.SetArgs(append([]string{"scheduler", "--once", "--target", "demo", "--gateway", c.url, "--token-file", token}, k.args...))
			err := root.ExecuteContext(t.Context())
			if err == nil || exitCode(t.Context(), err) != k.code || !strings.Contains(err.Error(), k.says) {
				t.Errorf("%v, want exit code %d and %q", err, k.code, k.says)
			}
			if stdout.Len() > 0 {
				t.Errorf("on stdout is %s", &stdout)
			}
		})
	}
	if n := len(c.attempts()); n != 0 {
		t.Errorf("%d attempts were reserved whose Jobs nobody could make", n)
	}
}
