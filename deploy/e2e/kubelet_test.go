package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"leviathan/deploy/e2e"
)

const (
	sandboxImage = "leviathan-e2e-sandbox:local"
	// workerCPU lets as many workers run at once here as the tests want.
	workerCPU       = "10m"
	certificateName = "github-certificate"
	certificateDir  = "/etc/leviathan/github"
)

// agentPrograms are what the tests' agents run, and what git is made of.
var agentPrograms = []string{"sh", "id", "grep", "touch", "sleep", "cat", "head", "tr", "env", "true", "git"}

// isolateKubelet runs the tests in namespaces of their own, and sees that what
// no namespace holds is as it was before.
func isolateKubelet() (code int, err error) {
	if err := e2e.ContainerPrograms(); err != nil {
		fmt.Println("NOT RUN:", err)
		return 0, nil
	}
	footprint, err := e2e.NewFootprint()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, footprint.Close()) }()
	return e2e.Isolate()
}

// startKubelet starts a real node, with our own images, and a GitHub beside the
// cluster: the gateway's image has no git for repositories on its own disk.
func (w *world) startKubelet(ctx context.Context, plane *e2e.Plane, dir string, log *slog.Logger) (closers []func() error, err error) {
	w.github = true
	program, err := binary(*nodeBinary)
	if err != nil {
		return nil, err
	}
	archives, err := w.images(ctx, dir)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return nil, err
	}
	w.kubelet, err = e2e.StartKubelet(ctx, e2e.KubeletConfig{Plane: plane, Client: w.api, Program: program, Dir: work, Archives: archives, Sandbox: sandboxImage, Log: log,
		Names: map[string]string{githubHost: e2e.GitHubAddress},
		Fronts: map[string]e2e.Finder{
			"127.0.0.1:8000": e2e.ServiceFinder(w.api, namespace, "leviathan-control-plane", "http"),
			"127.0.0.1:8010": e2e.PodFinder(w.api, namespace, secondName, 8010),
		}})
	if err != nil {
		return nil, err
	}
	w.node = w.kubelet
	closers = append(closers, w.kubelet.Stop)
	hub, err := startGitHub(ctx, filepath.Join(w.dir, "github"), w.git)
	if err != nil {
		return closers, err
	}
	w.certificate = hub.certificate
	return append(closers, hub.stop), nil
}

// images are the archives of the images: the control plane's as it is, and the
// worker's with git and what the agents run.
func (w *world) images(ctx context.Context, dir string) ([]string, error) {
	control, base := filepath.Join(*imagesDir, "leviathan-control-plane.tar"), filepath.Join(*imagesDir, "leviathan-worker.tar")
	worker, sandbox := filepath.Join(dir, "worker.tar"), filepath.Join(dir, "sandbox.tar")
	exec, err := w.git(ctx, "--exec-path")
	if err != nil {
		return nil, err
	}
	if err := e2e.WriteImage(e2e.ImageSpec{Base: base, Programs: slices.Concat(agentPrograms, []string{filepath.Join(exec, "git-remote-http")}), Name: workerImage, Archive: worker}); err != nil {
		return nil, err
	}
	err = e2e.WriteImage(e2e.ImageSpec{Base: base, Programs: []string{"sleep"}, Entrypoint: []string{"sleep", "infinity"}, Name: sandboxImage, Archive: sandbox})
	return []string{control, worker, sandbox}, err
}

// secrets is what people put into the Secret by hand.
func (w *world) secrets() map[string]string {
	data := map[string]string{"LEVIATHAN_CONTROL_PLANE_TOKEN": operatorToken}
	if w.github {
		data["GITHUB_TOKEN"] = githubToken
	}
	return data
}

// besides makes what a cluster has beside our manifests: a volume for the
// gateway, and the certificate of its GitHub.
func (w *world) besides(ctx context.Context) error {
	if w.kubelet == nil {
		return nil
	}
	_, err := w.api.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "state"}, Spec: corev1.PersistentVolumeSpec{
		Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("10Gi")}, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: w.state()}},
		NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{e2e.KubeletName}}}}}}},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = w.api.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: certificateName}, Data: map[string]string{"ca.pem": w.certificate}}, metav1.CreateOptions{})
	return err
}

// patchKubelet is what these tests change besides on a real kubelet: where the
// gateway's GitHub is, as somebody with a GitHub of their own does, and how much
// of a processor a worker asks for.
func (w *world) patchKubelet(o *unstructured.Unstructured) error {
	if w.kubelet == nil {
		return nil
	}
	switch o.GetKind() + "/" + o.GetName() {
	case "Deployment/leviathan-control-plane":
		return errors.Join(
			addTo(o, "args", []any{"--github-url=https://" + githubHost, "--github-ca-file=" + certificateDir + "/ca.pem"}, "spec", "template", "spec"),
			addTo(o, "volumeMounts", []any{object{"name": certificateName, "mountPath": certificateDir, "readOnly": true}}, "spec", "template", "spec"),
			addVolume(o, object{"name": certificateName, "configMap": object{"name": certificateName}}, "spec", "template", "spec"))
	case "CronJob/" + cronJobName:
		return addTo(o, "args", []any{"--worker-cpu=" + workerCPU}, "spec", "jobTemplate", "spec", "template", "spec")
	}
	return nil
}

// addTo adds to a list of the first container of a Pod's spec.
func addTo(o *unstructured.Unstructured, list string, more []any, pod ...string) error {
	found, _, err := unstructured.NestedFieldNoCopy(o.Object, append(pod, "containers")...)
	containers, ok := found.([]any)
	if err != nil || !ok || len(containers) == 0 {
		return errors.Join(fmt.Errorf("%s has no containers", o.GetName()), err)
	}
	first := containers[0].(object)
	has, _ := first[list].([]any)
	first[list] = append(has, more...)
	return nil
}

func addVolume(o *unstructured.Unstructured, volume object, pod ...string) error {
	found, _, err := unstructured.NestedFieldNoCopy(o.Object, pod...)
	spec, ok := found.(object)
	if err != nil || !ok {
		return errors.Join(fmt.Errorf("%s has no Pod", o.GetName()), err)
	}
	volumes, _ := spec["volumes"].([]any)
	spec["volumes"] = append(volumes, volume)
	return nil
}
