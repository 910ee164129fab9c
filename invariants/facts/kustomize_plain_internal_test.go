package facts

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// plainTree is a repository of one kustomization, and what it was read into.
type plainTree struct {
	*tree
	sources map[string]*source
	faulty  map[string]bool
}

func readPlain(t interface {
	Fatal(...any)
	Helper()
}, dir string, files map[string]string) plainTree {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	p := plainTree{&tree{root: root, facts: empty(Binary{}), opts: Options{MaxFileBytes: defaultFileBytes}, schema: schema}, map[string]*source{}, map[string]bool{}}
	for name, text := range files {
		p.facts.Files[name] = File{}
		s := parseYAML(name, []byte(text))
		p.sources[name] = s
		for _, d := range s.documents {
			p.facts.Documents[d.ID] = d
		}
	}
	for _, fault := range p.checkManifests().Faults {
		p.faulty[fault.Document] = true
	}
	return p
}

// both renders the kustomization plainly, if it is plain, and by kustomize.
func (p plainTree) both(dir string) (plain []resource, reads []string, ok bool, asked []resource, askedReads []string, err error) {
	k := kustomizations(p.tree, p.sources)[dir]
	plain, reads, ok = p.plainly(k, dir, p.sources, p.faulty)
	view := &treeFS{root: p.root, limit: defaultFileBytes, reads: map[string]bool{}}
	if k.traceable {
		view.traced = k.file
	}
	if asked, err = runKustomize(view, dir); err == nil {
		askedReads = sortedKeys(view.reads)
		relateOrigins(asked, dir, &Overlay{File: k.file, Reads: askedReads}, p.sources)
		p.schema.rendered(asked)
	}
	return plain, reads, ok, asked, askedReads, err
}

func resourcesText(resources []resource) string {
	list := []Resource{}
	for _, r := range resources {
		list = append(list, r.Resource)
	}
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

const plainPod = `spec:
  template:
    metadata: {labels: {app: a, "1": "yes"}}
    spec:
      serviceAccountName: aa
      imagePullSecrets: [{name: aa}]
      volumes: [{name: v, configMap: {name: aa, defaultMode: 0o644}}, {name: w, secret: {secretName: b}}]
      containers:
        - name: a
          image: registry.example/a:v1
          env: [{name: A, valueFrom: {configMapKeyRef: {name: aa, key: k}}}, {name: "B", value: "on"}]
          envFrom: [{configMapRef: {name: b}}]
`

// Bodies of resources by their kind: some as everybody writes them, some that
// kustomize takes offence at, changes or leaves out.
var plainBodies = map[string][]string{
	"Deployment": {plainPod, plainPod + "  replicas: 0x10\n", plainPod + "  replicas: ~\n", plainPod + "  typo: 1\n", "spec: &s {replicas: 1}\nstatus: *s\n"},
	"ConfigMap": {"data: {a: \"1\", b: 'off'}\n", "data:\n  a.yaml: |\n    x: 1\n    y: [~]\n", "data: {a: >-\n  folded\n  text}\n", "data: {a: 1}\n", "binaryData: {a: aGk=}\n",
		"data:\n  <<: {a: b}\n"},
	"Service":                 {"spec: {selector: {app: a}, ports: [{port: 80, targetPort: http}]}\n", "spec: {ports: []}\n"},
	"ServiceAccount":          {"imagePullSecrets: [{name: aa}]\n", "automountServiceAccountToken: false\n"},
	"Role":                    {"rules: [{apiGroups: [\"\"], resources: [configmaps], resourceNames: [aa, ab], verbs: [get]}]\n"},
	"RoleBinding":             {"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}\nsubjects: [{kind: ServiceAccount, name: default}, {kind: ServiceAccount, name: a, namespace: x}]\n"},
	"Ingress":                 {"spec: {tls: [{secretName: aa}], rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: aa, port: {number: 80}}}}]}}]}\n"},
	"Namespace":               {""},
	"ConfigMapList":           {"items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: z}}]\n"},
	"PersistentVolumeClaim":   {"spec: {accessModes: [ReadWriteOnce], volumeName: a, resources: {requests: {storage: 1Gi}}}\n"},
	"Widget":                  {"spec: {a: 1}\n"},
	"CronJob":                 {"spec:\n  schedule: '@daily'\n  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, serviceAccountName: aa, volumes: [{name: v, persistentVolumeClaim: {claimName: ab}}], containers: [{name: a, image: b, envFrom: [{secretRef: {name: aa}}]}]}}}}\n"},
	"StatefulSet":             {"spec: {serviceName: aa, volumeClaimTemplates: [{metadata: {name: v}, spec: {storageClassName: aa}}]}\n"},
	"HorizontalPodAutoscaler": {"spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: aa}}\n"},
	"Pod":                     {"spec: {priorityClassName: aa, volumes: [{name: v, projected: {sources: [{configMap: {name: aa}}, {secret: {name: ab}}]}}], containers: [{name: a, image: b}]}\n"},
}

var plainVersions = map[string]string{"Deployment": "apps/v1", "Role": "rbac.authorization.k8s.io/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
	"Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "Widget": "example.com/v1", "CronJob": "batch/v1", "Job": "batch/v1",
	"DaemonSet": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "PodDisruptionBudget": "policy/v1", "HorizontalPodAutoscaler": "autoscaling/v2"}

// often draws what is usual in nine of ten cases.
func often(t *rapid.T, usual []string, all []string, label string) string {
	if rapid.IntRange(0, 9).Draw(t, label+" is unusual") < 9 {
		return rapid.SampledFrom(usual).Draw(t, label)
	}
	return rapid.SampledFrom(all).Draw(t, label)
}

func drawDocument(t *rapid.T, name string) string {
	kind := often(t, plainKinds, sortedKeys(plainBodies), "kind")
	version := plainVersions[kind]
	if version == "" {
		version = "v1"
	}
	usual := []string{"", ", namespace: old", ", namespace: new-home", ", labels: {a: b}", ", annotations: {a.example/b: c}"}
	metadata := often(t, usual, []string{", annotations: {}", ", namespace: ''", ", annotations: {config.kubernetes.io/local-config: 'true'}", ", labels: {a: 1}", ", annotations: {config.kubernetes.io/index: '3'}",
		", generateName: a-"}, "metadata")
	name = often(t, []string{name}, []string{"a", "b", "'7'", "7"}, "name")
	bodies := plainBodies[kind]
	if len(bodies) == 0 {
		bodies = []string{""}
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s%s}\n%s", version, kind, name, metadata, often(t, bodies[:1], bodies, "body"))
}

// What is rendered without kustomize is what kustomize renders, and what it
// refuses is never rendered without it.
func TestAPlainKustomizationIsWhatKustomizeMakesOfIt(t *testing.T) {
	plainly, asked := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		files := map[string]string{}
		list := []string{}
		for i := range rapid.IntRange(1, 3).Draw(rt, "files") {
			name := fmt.Sprintf("f%d.yaml", i)
			var documents []string
			for range rapid.IntRange(1, 2).Draw(rt, "documents") {
				documents = append(documents, drawDocument(rt, string(rune('a'+i))+string(rune('a'+len(documents)))))
			}
			mark := often(rt, []string{"---\n"}, []string{"---\n---\n", "--- # next\n", "...\n---\n", "---\r\n", "---\n# nothing\n---\n"}, "mark")
			if rapid.IntRange(0, 9).Draw(rt, "no last line") == 0 {
				documents[len(documents)-1] = strings.TrimSuffix(documents[len(documents)-1], "\n")
			}
			files["o/"+name] = rapid.SampledFrom([]string{"", "---\n", "# a comment\n"}).Draw(rt, "head") + strings.Join(documents, mark)
			list = append(list, name)
		}
		files["o/kustomization.yaml"] = often(rt, []string{"", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"}, []string{"namePrefix: x-\n", "images: []\n"}, "head of it") +
			often(rt, []string{"", "namespace: new-home\n", "namespace: old\n"}, []string{"namespace: \"off\"\n", "namespace: off\n", "namespace: ~\n"}, "namespace") +
			"resources: [" + strings.Join(rapid.Permutation(list).Draw(rt, "order"), ", ") + "]\n"
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		p := readPlain(rt, dir, files)
		defer func() {
			if err := p.root.Close(); err != nil {
				rt.Error(err)
			}
		}()
		plain, reads, ok, want, wantReads, err := p.both("o")
		if !ok {
			asked++
			return
		}
		plainly++
		if err != nil {
			rt.Fatalf("kustomize refuses what was rendered without it: %v\n%v", err, files)
		}
		if diff := cmp.Diff(resourcesText(want), resourcesText(plain)); diff != "" {
			rt.Fatalf("kustomize -, plainly +\n%s\n%v", diff, files)
		}
		if diff := cmp.Diff(wantReads, reads); diff != "" {
			rt.Fatalf("reads: kustomize -, plainly +\n%s", diff)
		}
		if text := resourcesText(plain); text != resourcesText(want) {
			rt.Fatal(text)
		}
	})
	if plainly == 0 || asked == 0 {
		t.Errorf("%d kustomizations were rendered plainly, %d by kustomize", plainly, asked)
	}
	t.Logf("%d rendered plainly, %d by kustomize", plainly, asked)
}
