package scheduler_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// A kubeconfig gives the API server and the namespace of its context; what the
// server warns of is logged, and what it is asked names who asks.
func TestConnectingByAKubeconfig(t *testing.T) {
	var asked []string
	api := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		if got := r.UserAgent(); got != "leviathan-scheduler/"+gateway.Version {
			t.Errorf("asked by %q", got)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer a-token" {
			t.Errorf("asked with %q", got)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.Header().Add("Warning", `299 - "would violate PodSecurity \"restricted:latest\""`)
		w.WriteHeader(http.StatusCreated)
		if _, err := w.Write(body); err != nil {
			t.Error(err)
		}
	}))
	defer api.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
contexts: [{name: c, context: {cluster: c, user: u, namespace: leviathan}}]
users: [{name: u, user: {token: a-token}}]
current-context: c
`, api.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	var log counter
	client, namespace, err := scheduler.ConnectKubernetes(kubeconfig, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	if namespace != "leviathan" || len(asked) > 0 {
		t.Errorf("the namespace is %q; it asked %q", namespace, asked)
	}
	k, err := scheduler.NewKubernetes(scheduler.KubernetesConfig{Client: client, Namespace: namespace, Jobs: jobOptions})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Launch(t.Context(), forJob(first)); err != nil {
		t.Fatal(err)
	}
	want := "POST /apis/batch/v1/namespaces/leviathan/jobs POST /api/v1/namespaces/leviathan/secrets"
	if got := strings.Join(asked, " "); got != want {
		t.Errorf("it asked %s, want %s", got, want)
	}
	if !strings.Contains(log.text(), "the Kubernetes API warns") || !strings.Contains(log.text(), "would violate PodSecurity") {
		t.Errorf("it logged %s", log.text())
	}
	if strings.Contains(log.text(), "canary") {
		t.Error("the token is in the log")
	}
}

func TestAKubeconfigThatIsNone(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(broken, []byte("clusters: 7"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{broken, broken + "-missing"} {
		if _, _, err := scheduler.ConnectKubernetes(name, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
