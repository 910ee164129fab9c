// Package deploy_test holds the manifests to what they promise: to Kubernetes'
// own types, to the commands that they run, to deploy/topology.yaml and to each
// other. It renders them as kubectl does and reads them by structure, never by
// text.
package deploy_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write components/monitoring/rules.yaml")

const (
	namespace  = "leviathan"
	configName = "leviathan-autonomy-config"
	configKey  = "dev.yaml"
)

// A serviceMonitor and a prometheusRule are the Prometheus Operator's kinds, as
// far as they are used here.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port, Path, Interval string
			Authorization        *struct {
				Type        string                   `json:"type"`
				Credentials corev1.SecretKeySelector `json:"credentials"`
			} `json:"authorization"`
			Relabelings []struct{ TargetLabel, Replacement string } `json:"relabelings"`
		} `json:"endpoints"`
	} `json:"spec"`
}

type prometheusRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ruleFile `json:"spec"`
}

// kinds are all that a manifest here may be.
var kinds = map[string]func() metav1.Object{
	"v1/Namespace":                             func() metav1.Object { return &corev1.Namespace{} },
	"v1/ServiceAccount":                        func() metav1.Object { return &corev1.ServiceAccount{} },
	"v1/ConfigMap":                             func() metav1.Object { return &corev1.ConfigMap{} },
	"v1/Service":                               func() metav1.Object { return &corev1.Service{} },
	"v1/PersistentVolumeClaim":                 func() metav1.Object { return &corev1.PersistentVolumeClaim{} },
	"v1/ResourceQuota":                         func() metav1.Object { return &corev1.ResourceQuota{} },
	"v1/LimitRange":                            func() metav1.Object { return &corev1.LimitRange{} },
	"apps/v1/Deployment":                       func() metav1.Object { return &appsv1.Deployment{} },
	"batch/v1/CronJob":                         func() metav1.Object { return &batchv1.CronJob{} },
	"policy/v1/PodDisruptionBudget":            func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	"coordination.k8s.io/v1/Lease":             func() metav1.Object { return &coordinationv1.Lease{} },
	"networking.k8s.io/v1/NetworkPolicy":       func() metav1.Object { return &networkingv1.NetworkPolicy{} },
	"storage.k8s.io/v1/StorageClass":           func() metav1.Object { return &storagev1.StorageClass{} },
	"rbac.authorization.k8s.io/v1/Role":        func() metav1.Object { return &rbacv1.Role{} },
	"rbac.authorization.k8s.io/v1/RoleBinding": func() metav1.Object { return &rbacv1.RoleBinding{} },
	"rbac.authorization.k8s.io/v1/ClusterRole": func() metav1.Object { return &rbacv1.ClusterRole{} },
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding": func() metav1.Object {
		return &rbacv1.ClusterRoleBinding{}
	},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": func() metav1.Object {
		return &admissionregistrationv1.ValidatingAdmissionPolicy{}
	},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": func() metav1.Object {
		return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	},
	"monitoring.coreos.com/v1/ServiceMonitor": func() metav1.Object { return &serviceMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule": func() metav1.Object { return &prometheusRule{} },
}

// A cluster is what one kustomization renders to.
type cluster struct {
	name       string
	components []string // of deploy/components, that are in it
	objects    []metav1.Object
}

// of are the cluster's objects of one kind.
func of[T metav1.Object](c *cluster) (out []T) {
	for _, o := range c.objects {
		if typed, ok := o.(T); ok {
			out = append(out, typed)
		}
	}
	return out
}

// named is the object of one kind and name.
func named[T metav1.Object](t *testing.T, c *cluster, name string) T {
	t.Helper()
	for _, o := range of[T](c) {
		if o.GetName() == name {
			return o
		}
	}
	var none T
	t.Fatalf("there is no %T %s", none, name)
	return none
}

var components = []string{"agent-egress", "github-app", "monitoring"}

var (
	renderOnce sync.Once
	rendered   []*cluster
	renderErr  error
)

// clusters are both overlays, as they are and with every component. They are
// read and never changed.
func clusters(t *testing.T) []*cluster {
	t.Helper()
	renderOnce.Do(func() {
		for _, overlay := range []string{"kind", "eks"} {
			for _, with := range [][]string{nil, components} {
				c, err := render("overlays/"+overlay, with)
				if err != nil {
					renderErr = fmt.Errorf("overlays/%s with %v: %w", overlay, with, err)
					return
				}
				rendered = append(rendered, c)
			}
		}
	})
	if renderErr != nil {
		t.Fatal(renderErr)
	}
	return rendered
}

// each runs a test on every cluster.
func each(t *testing.T, test func(*testing.T, *cluster)) {
	t.Helper()
	for _, c := range clusters(t) {
		t.Run(c.name, func(t *testing.T) { test(t, c) })
	}
}

// render renders an overlay of this folder, with components, as `kubectl
// kustomize` does, and decodes it strictly: an unknown field, a wrong type and a
// key that is there twice are errors.
func render(overlay string, with []string) (*cluster, error) {
	dir, err := os.MkdirTemp("", "leviathan-overlay-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	here, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	back, err := filepath.Rel(dir, here)
	if err != nil {
		return nil, err
	}
	kustomization := map[string]any{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
		"resources": []string{filepath.Join(back, overlay)}}
	name := overlay
	if len(with) > 0 {
		var paths []string
		for _, component := range with {
			paths = append(paths, filepath.Join(back, "components", component))
		}
		kustomization["components"] = paths
		name += " with " + strings.Join(with, ", ")
	}
	data, err := yaml.Marshal(kustomization)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), data, 0o600); err != nil {
		return nil, err
	}
	return renderFolder(name, dir, with)
}

// renderFolder renders the kustomization of a folder.
func renderFolder(name, dir string, with []string) (*cluster, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", err)
	}
	c := &cluster{name: name, components: with}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.CurId(), err)
		}
		object, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.CurId(), err)
		}
		c.objects = append(c.objects, object)
	}
	return c, nil
}

// decode reads one manifest into its type.
func decode(text []byte) (metav1.Object, error) {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	make, ok := kinds[head.APIVersion+"/"+head.Kind]
	if !ok {
		return nil, fmt.Errorf("no manifest here is a %s/%s", head.APIVersion, head.Kind)
	}
	object := make()
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		return nil, err
	}
	return object, nil
}

func TestAManifestWithAnUnknownFieldIsRefused(t *testing.T) {
	good := "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 1}]}\n"
	if _, err := decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		strings.Replace(good, "port: 1", "prot: 1", 1),
		strings.Replace(good, "port: 1", "port: one", 1),
		strings.Replace(good, "port: 1", "port: 1, port: 2", 1),
		strings.Replace(good, "kind: Service", "kind: Secret", 1),
	} {
		if _, err := decode([]byte(bad)); err == nil {
			t.Errorf("accepted:\n%s", bad)
		}
	}
}

// Whatever is under base, overlays and components has to come out of an overlay.
func TestEveryManifestIsReachedByAnOverlay(t *testing.T) {
	all := map[string]bool{}
	for _, c := range clusters(t) {
		for _, o := range c.objects {
			all[identity(o)] = true
		}
	}
	seen := 0
	for _, pattern := range []string{"base/*.yaml", "overlays/*/*.yaml", "components/*/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(file) == "kustomization.yaml" {
				continue
			}
			for _, text := range bytes.Split(data, []byte("\n---\n")) {
				o, err := decode(text)
				if err != nil {
					t.Errorf("%s: %v", file, err)
					continue
				}
				seen++
				if o.GetAnnotations()["config.kubernetes.io/local-config"] != "true" && !all[identity(o)] {
					t.Errorf("%s: %s is in no overlay", file, identity(o))
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d manifests were found: the test looks at the wrong files", seen)
	}
}

func identity(o metav1.Object) string {
	return fmt.Sprintf("%T %s/%s", o, o.GetNamespace(), o.GetName())
}
