package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"leviathan/gateway"
)

// A leaseAPI is what a gateway asks of an API server: its Lease and its
// ConfigMap, of which no watch ever says anything.
type leaseAPI struct {
	mu     sync.Mutex
	lease  coordination.Lease
	config string
	looked chan struct{} // a look at the Lease of another
}

func (a *leaseAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var answer any
	switch {
	case strings.HasSuffix(r.URL.Path, "/leases/leviathan-control-plane") && r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		var put coordination.Lease
		if err == nil {
			_, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, &put)
		}
		if err != nil || put.ResourceVersion != a.lease.ResourceVersion {
			w.WriteHeader(http.StatusConflict)
			answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonConflict, Code: http.StatusConflict}
			break
		}
		n, _ := strconv.Atoi(put.ResourceVersion)
		put.ResourceVersion = strconv.Itoa(n + 1)
		a.lease = put
		answer = a.lease
	case strings.HasSuffix(r.URL.Path, "/leases/leviathan-control-plane"):
		answer = a.lease
		if h := a.lease.Spec.HolderIdentity; h != nil && *h != "" {
			select {
			case a.looked <- struct{}{}:
			default:
			}
		}
	case strings.HasSuffix(r.URL.Path, "/configmaps") && r.URL.Query().Get("watch") == "":
		answer = core.ConfigMapList{TypeMeta: metav1.TypeMeta{Kind: "ConfigMapList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"},
			Items: []core.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Name: "leviathan-autonomy-config"}, Data: map[string]string{"dev.yaml": a.config}}}}
	default:
		w.WriteHeader(http.StatusForbidden)
		answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden}
	}
	switch answer := answer.(type) {
	case coordination.Lease:
		answer.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
		writeAnswer(w, answer)
	default:
		writeAnswer(w, answer)
	}
}

func writeAnswer(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // a client that went away
}

func (a *leaseAPI) epoch() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lease.Spec.LeaseTransitions == nil {
		return 0
	}
	return int(*a.lease.Spec.LeaseTransitions)
}

// clusterOf starts the API and makes the options of gateways that use it.
func clusterOf(t *testing.T) (*leaseAPI, gatewayOptions) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("autonomy_enabled: true\ntarget_id: dev\ntarget_repo_url: %s\nallowed_path_prefixes: [docs/]\n", filepath.Join(dir, "upstream.git"))
	api := &leaseAPI{looked: make(chan struct{}, 1), config: strings.Replace(config, "true", "false", 1)}
	api.lease.Name, api.lease.Namespace, api.lease.ResourceVersion = "leviathan-control-plane", "leviathan", "1"
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	kubeconfig := write("kubeconfig", fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: %s}}]
users: [{name: test, user: {}}]
contexts: [{name: test, context: {cluster: test, user: test, namespace: leviathan}}]
`, server.URL))
	return api, gatewayOptions{state: filepath.Join(dir, "state"), config: write("dev.yaml", config), listen: "127.0.0.1:0", logLevel: "info",
		cluster: clusterGateway{on: true, kubeconfig: kubeconfig, lease: "leviathan-control-plane", configMap: "leviathan-autonomy-config", audience: "leviathan"}}
}

func status(t *testing.T, g *runningGateway) gateway.Status {
	t.Helper()
	client, err := gateway.NewClient(g.url, g.token, gateway.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAGatewayInAClusterHoldsTheLeaseAndSeesTheConfigMap(t *testing.T) {
	t.Setenv("LEVIATHAN_CONTROL_PLANE_TOKEN", "an-operator-of-this-test")
	api, o := clusterOf(t)
	var logs bytes.Buffer
	g, err := openGateway(t.Context(), o, &logs, nil)
	if err != nil {
		t.Fatal(err)
	}
	st := status(t, g)
	if st.Writer == nil || st.Writer.Epoch != 1 || st.Writer.Lease != "leviathan/leviathan-control-plane" || st.Writer.HeldForSeconds <= 0 {
		t.Errorf("writer %+v", st.Writer)
	}
	if st.AutonomyEnabled || len(st.Targets) != 1 || !strings.Contains(st.Targets[0].ConfigReason, "configmap leviathan/leviathan-autonomy-config: dev.yaml:1:19") {
		t.Errorf("the switch of the ConfigMap: %+v", st.Targets)
	}
	if resp, err := http.Get(g.url + "/health/ready"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("ready: %v %v", resp, err)
	}

	// Another replica waits, lives and is not ready.
	type opened struct {
		g   *runningGateway
		err error
	}
	second := o
	second.listen = freeAddress(t)
	next := make(chan opened, 1)
	drainPipe(api.looked)
	go func() {
		g, err := openGateway(t.Context(), second, io.Discard, nil)
		next <- opened{g, err}
	}()
	<-api.looked // it listens, and has seen whose the Lease is
	for path, want := range map[string]int{"/health": 200, "/healthz": 200, "/health/ready": 503, "/v1/autonomy/status": 503} {
		resp, err := http.Get("http://" + second.listen + path)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s of one that waits: %v %v", path, resp, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-next
	if got.err != nil {
		t.Fatal(got.err)
	}
	if st := status(t, got.g); st.Writer == nil || st.Writer.Epoch != 2 || api.epoch() != 2 {
		t.Errorf("the next writer %+v", st.Writer)
	}

	// Somebody takes the Lease away: it ends with an error, and leaves the Lease alone.
	api.mu.Lock()
	thief, transitions := "pod-c/3", int32(9)
	api.lease.Spec.HolderIdentity, api.lease.Spec.LeaseTransitions, api.lease.ResourceVersion = &thief, &transitions, "900"
	api.mu.Unlock()
	err = <-got.g.failed
	if err == nil || !strings.Contains(err.Error(), "pod-c/3 has it, with epoch 9") || exitCode(t.Context(), err) == exitDone {
		t.Errorf("after the loss: %v", err)
	}
	got.g.cut(err)
	if err := got.g.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if api.epoch() != 9 || *api.lease.Spec.HolderIdentity != thief {
		t.Errorf("the Lease is %+v", api.lease.Spec)
	}
}

func drainPipe(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// freeAddress is an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	return server.Listener.Addr().String()
}

func TestTheFlagsOfAClusterAreChecked(t *testing.T) {
	for args, want := range map[string]string{
		"--service-account a/b=reader":                               "--service-account needs --cluster",
		"--cluster-lease x":                                          "--cluster-lease needs --cluster",
		"--cluster --cluster-lease=":                                 "two gateways could write one journal",
		"--cluster --service-account a/b=boss":                       "the role must be",
		"--cluster --kubeconfig /does/not/exist":                     "/does/not/exist",
		"--cluster --cluster-audience= --service-account a/b=reader": "--cluster-audience is empty",
	} {
		file := filepath.Join(t.TempDir(), "dev.yaml")
		if err := os.WriteFile(file, []byte("autonomy_enabled: false\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := gatewayCommand()
		cmd.SetArgs(append([]string{"--state", t.TempDir(), "--config", file}, strings.Fields(args)...))
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
