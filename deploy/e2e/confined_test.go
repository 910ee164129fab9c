package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// needKubelet skips what only a real kubelet can show.
func needKubelet(t *testing.T) {
	t.Helper()
	needNode(t)
	if cluster.kubelet == nil {
		t.Skip("it needs a real kubelet: make e2e-kubelet shows it")
	}
}

// What a Pod of ours says of its rights is in force, as the kernel has it: no
// container of gateway, spider or worker is root, can write to its root, has a
// capability, can get more rights, or may call what it likes.
func TestEveryContainerHasNoMoreRightsThanItsPodSays(t *testing.T) {
	needKubelet(t)
	t.Parallel()
	w := cluster
	a := w.begin(t, "confined", "waits")
	for pod, container := range map[string]string{"leviathan-control-plane-": "control-plane", "leviathan-spider-": "spider", a.job() + "-": "worker"} {
		pids := w.kubelet.Processes(pod)
		if len(pids) != 1 {
			t.Errorf("%s: containers run as %v", container, pids)
			continue
		}
		status := procFields(t, pids[0])
		for field, want := range map[string]string{
			"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532", "Groups": "65532", "NoNewPrivs": "1", "Seccomp": "2",
			"CapInh": noCapabilities, "CapPrm": noCapabilities, "CapEff": noCapabilities, "CapBnd": noCapabilities, "CapAmb": noCapabilities,
		} {
			if status[field] != want {
				t.Errorf("%s: %s is %q, want %q", container, field, status[field], want)
			}
		}
		if options := rootMount(t, pids[0]); !strings.HasPrefix(options, "ro,") {
			t.Errorf("%s: its root is mounted %q, want read-only", container, options)
		}
		for _, kind := range []string{"pid", "net", "ipc", "mnt", "uts"} {
			own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pids[0], kind))
			ours, ourErr := os.Readlink("/proc/self/ns/" + kind)
			if err != nil || ourErr != nil || own == ours {
				t.Errorf("%s: its namespace %s is %s, and the node's %s: %v %v", container, kind, own, ours, err, ourErr)
			}
		}
	}
	w.letGo(t, a)
	w.awaitAttempt(t, "confined", "waits", 2*time.Minute, "succeeded")
}

const noCapabilities = "0000000000000000"

// procFields are the fields of a process's status, with single spaces.
func procFields(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

// rootMount is how the root of a process is mounted.
func rootMount(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		// ID parent device root POINT OPTIONS …
		if fields := strings.Fields(line); len(fields) > 5 && fields[4] == "/" {
			return fields[5]
		}
	}
	t.Fatalf("process %d has no root:\n%s", pid, text)
	return ""
}

// The images that run are those of `make images`, byte for byte: the gateway's
// has no git, and no shell.
func TestTheGatewayRunsFromOurOwnImage(t *testing.T) {
	needKubelet(t)
	w := cluster
	pod := w.gatewayPod(t)
	var index struct {
		Manifests []struct{ Digest string }
	}
	layout := filepath.Join(*imagesDir, "leviathan-control-plane")
	text, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err == nil {
		err = json.Unmarshal(text, &index)
	}
	if err != nil || len(index.Manifests) == 0 {
		t.Fatalf("reading the layout: %v", err)
	}
	var manifest struct {
		Config struct{ Digest string }
	}
	if text, err = os.ReadFile(filepath.Join(layout, "blobs", "sha256", strings.TrimPrefix(index.Manifests[0].Digest, "sha256:"))); err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil {
		t.Fatal(err)
	}
	if id := pod.Status.ContainerStatuses[0].ImageID; !strings.HasSuffix(id, manifest.Config.Digest) {
		t.Errorf("the gateway's image is %s, want that of the layout with config %s", id, manifest.Config.Digest)
	}
	pids := w.kubelet.Processes(pod.Name)
	if len(pids) != 1 {
		t.Fatalf("the gateway's containers run as %v", pids)
	}
	root := fmt.Sprintf("/proc/%d/root", pids[0])
	for _, name := range []string{"/bin", "/usr/bin", "/lib"} {
		if entries, err := os.ReadDir(root + name); err == nil {
			t.Errorf("the gateway's image has %s, with %d entries", name, len(entries))
		}
	}
	if running, released := digest(t, root+"/usr/local/bin/leviathan"), digest(t, filepath.Join(*imagesDir, "leviathan")); running != released {
		t.Errorf("the gateway's binary is %s, and that of make images %s", running, released)
	}
}

func digest(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (w *world) gatewayPod(t *testing.T) corev1.Pod {
	t.Helper()
	list, err := w.api.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=leviathan-control-plane"})
	if err != nil {
		t.Fatal(err)
	}
	var live []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			live = append(live, pod)
		}
	}
	if len(live) != 1 {
		t.Fatalf("there are %d gateways of %d Pods", len(live), len(list.Items))
	}
	return live[0]
}

// A gateway whose Pod is deleted comes back in another one, on the same volume,
// with all that it had acknowledged.
func TestADeletedGatewayComesBackWithItsVolume(t *testing.T) {
	needKubelet(t)
	w := cluster
	before := w.gatewayPod(t)
	if err := noted(t.Context(), gatewayURL, "before-the-deletion"); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(w.dir, "checkpoint-before-deletion")
	var note string
	if err := w.call(t.Context(), http.MethodGet, "/v1/journal/checkpoint", nil, &note); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte(note), 0o644); err != nil {
		t.Fatal(err)
	}
	pods := w.api.CoreV1().Pods(namespace)
	if err := pods.Delete(t.Context(), before.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "the Pod is gone", func(ctx context.Context) error {
		pod, err := pods.Get(ctx, before.Name, metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("it is %s", pod.Status.Phase)
		}
		return gone(err)
	})
	if err := w.gatewayReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := w.gatewayPod(t); after.UID == before.UID {
		t.Fatal("it is the same Pod")
	}
	var journal string
	if err := w.call(t.Context(), http.MethodGet, "/v1/journal/export", nil, &journal); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(journal, `"before-the-deletion"`) {
		t.Error("the record that was acknowledged before is not there")
	}
	if said, code := w.leviathan(t, "journal", "verify", "--state", w.state(), "--checkpoint", kept); code != 0 {
		t.Errorf("journal verify ends with %d:\n%s", code, said)
	}
}

// A worker that takes more memory than its agent's memory_mb is killed by the
// kernel, and its attempt says that.
func TestAWorkerWithoutEnoughMemoryIsNamedInItsAttempt(t *testing.T) {
	needKubelet(t)
	t.Parallel()
	w := cluster
	w.run(t, "greedy")
	a := w.awaitAttempt(t, "greedy", "eats-memory", time.Minute, "reserved", "running")
	w.awaitJob(t, a.job(), batchv1.JobFailed)
	w.run(t, "greedy")
	a = w.awaitAttempt(t, "greedy", "eats-memory", time.Minute, "failed")
	said := w.events(t, a)
	for _, word := range []string{"oom", "used more than its memory, 96Mi"} {
		if !strings.Contains(a.Summary, word) || !strings.Contains(said, word) {
			t.Errorf("%q is not named: %+v\n%s", word, a, said)
		}
	}
	if a.Failure != "lost" && a.Failure != "launch" {
		t.Errorf("the attempt is %+v, want one that was lost", a)
	}
}

// What a container writes is in the logs that the API serves.
func TestLogsAreServedByTheAPI(t *testing.T) {
	needKubelet(t)
	t.Parallel()
	w := cluster
	name, err := w.beginRun(t.Context(), "logged")
	if err != nil {
		t.Fatal(err)
	}
	w.awaitJob(t, name, batchv1.JobComplete)
	a := w.awaitAttempt(t, "logged", "writes", 2*time.Minute, "succeeded")
	w.awaitJob(t, a.job(), batchv1.JobComplete)
	for _, look := range []struct{ pod, word string }{
		{w.podOf(t, name).Name, `"outcome":`},
		{w.podOf(t, a.job()).Name, a.ID},
		{w.gatewayPod(t).Name, "level=INFO"},
	} {
		text, err := w.api.CoreV1().Pods(namespace).GetLogs(look.pod, &corev1.PodLogOptions{}).DoRaw(t.Context())
		if err != nil || !strings.Contains(string(text), look.word) {
			t.Errorf("the log of %s has no %q: %v\n%s", look.pod, look.word, err, text)
		}
		if strings.Contains(string(text), githubToken) || strings.Contains(string(text), operatorToken) {
			t.Errorf("the log of %s has a token", look.pod)
		}
	}
}
