package facts_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"leviathan/invariants/facts"
)

// faultsOf are the faults of one file, as "line code pointer".
func faultsOf(t *testing.T, name, text string) []string {
	t.Helper()
	f := read(t, &txtar.Archive{Files: []txtar.File{{Name: name, Data: []byte(text)}}}, facts.Options{})
	out := []string{}
	for _, fault := range f.Manifests.Faults {
		if fault.File != name || fault.Message == "" {
			t.Errorf("a fault without file or message: %+v", fault)
		}
		out = append(out, fmt.Sprintf("%d %s %s", fault.Line, fault.Code, fault.Pointer))
	}
	return out
}

const goodPod = `apiVersion: v1
kind: Pod
metadata:
  name: gate
  labels:
    app: gate
spec:
  restartPolicy: Never
  containers:
    - name: gate
      image: gate:1
      ports:
        - containerPort: 80
          name: http
      resources:
        limits:
          memory: 64Mi
          cpu: 1
      readinessProbe:
        httpGet:
          port: http
        periodSeconds: 5
  volumes:
    - name: tmp
      emptyDir: {}
`

func TestManifestsAreHeldToTheSchema(t *testing.T) {
	if got := faultsOf(t, "pod.yaml", goodPod); len(got) != 0 {
		t.Fatalf("a good pod: %v", got)
	}
	for _, c := range []struct{ old, new, want string }{
		{"restartPolicy", "restartPolice", "8 unknown_field /spec/restartPolice"},
		{"restartPolicy", "restartpolicy", "8 unknown_field /spec/restartpolicy"},
		{"restartPolicy: Never", "restartPolicy: Nevr", "8 invalid_value /spec/restartPolicy"},
		{"restartPolicy: Never", "restartPolicy: 1", "8 wrong_type /spec/restartPolicy"},
		{"restartPolicy: Never", `hostNetwork: "false"`, "8 wrong_type /spec/hostNetwork"},
		{"image:", "imag:", "11 unknown_field /spec/containers/0/imag"},
		{"containerPort: 80", `containerPort: "80"`, "13 wrong_type /spec/containers/0/ports/0/containerPort"},
		{"containerPort: 80", "containerPort: 80.5", "13 wrong_type /spec/containers/0/ports/0/containerPort"},
		{"containerPort: 80", "containerPort: 99999999999", "13 wrong_type /spec/containers/0/ports/0/containerPort"},
		{"containerPort: 80", "containerPort: 80000", "13 invalid_value /spec/containers/0/ports/0/containerPort"},
		{"name: http", "name: much-too-long-name", "14 invalid_value /spec/containers/0/ports/0/name"},
		{"64Mi", "64Mx", "17 invalid_value /spec/containers/0/resources/limits/memory"},
		{"port: http", "port: true", "21 wrong_type /spec/containers/0/readinessProbe/httpGet/port"},
		{"emptyDir: {}", "emptyDir: []", "25 wrong_type /spec/volumes/0/emptyDir"},
		{"app: gate", "app: of the gate", "6 invalid_value /metadata/labels/app"},
		{"app: gate", "a b: gate", "6 invalid_value /metadata/labels/a b"},
		{"name: gate\n  labels", "labels", "3 no_name /metadata"},
		{"name: gate\n  labels", "name: The Gate\n  labels", "4 invalid_value /metadata/name"},
		{"kind: Pod", "kind: Pot", "2 unknown_kind /kind"},
		{"apiVersion: v1", "apiVersion: apps/v1", "2 unknown_kind /kind"},
		{"apiVersion: v1", "apiVersion: extensions/v1beta1", "2 unknown_kind /kind"},
		{"apiVersion: v1", "apiVersion: networking.k8s.io/v1", "2 unknown_kind /kind"},
		{"apiVersion: v1", "apiVersion: networking.k8s.io/v1beta7", "2 custom_kind /kind"},
		{"apiVersion: v1", "apiVersion: example.com/v1", "2 custom_kind /kind"},
	} {
		if !strings.Contains(goodPod, c.old) {
			t.Fatalf("the pod has no %q", c.old)
		}
		if diff := cmp.Diff([]string{c.want}, faultsOf(t, "pod.yaml", strings.Replace(goodPod, c.old, c.new, 1))); diff != "" {
			t.Errorf("%q for %q: want -, got +\n%s", c.new, c.old, diff)
		}
	}
}

func TestOtherKindsAreHeldToTheSchema(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a list": {"apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 0}]}}\n",
			[]string{"4 invalid_value /items/0/spec/ports/0/port"}},
		"a role with colons": {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: \"system:a\"}\nrules: []\n", []string{}},
		"a network": {"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\nspec:\n  podSelector: {}\n  egress:\n    - to:\n" +
			"        - ipBlock:\n            cidr: 10.0.0.0/33\n            except:\n              - 10.1.2.3/16\n",
			[]string{"9 invalid_value /spec/egress/0/to/0/ipBlock/cidr", "11 invalid_value /spec/egress/0/to/0/ipBlock/except/0"}},
		"a selector": {"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\nspec: {selector: {matchLabels: {app: \"-\"}}}\n",
			[]string{"4 invalid_value /spec/selector/matchLabels/app"}},
		"a patch's instruction": {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\n$patch: delete\n", []string{}},
		"a secret":              {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: 1}\n", []string{"4 wrong_type /data/a"}},
		"no resource":           {"kind: Pod\nother: 1\n", []string{}},
		"a kustomization":       {"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresource: [a.yaml]\n", []string{"3 unknown_field /resource"}},
	} {
		if diff := cmp.Diff(c.want, faultsOf(t, "file.yaml", c.text)); diff != "" {
			t.Errorf("%s: want -, got +\n%s", name, diff)
		}
	}
}
