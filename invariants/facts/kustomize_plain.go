package facts

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// plainKinds are kinds of resources that kustomize only changes where a
// kustomization says so: each lives in a namespace, and none of their fields
// has the namespace of another resource.
var plainKinds = []string{
	"ConfigMap", "CronJob", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job", "NetworkPolicy", "PersistentVolumeClaim",
	"Pod", "PodDisruptionBudget", "ReplicaSet", "Role", "Secret", "Service", "ServiceAccount", "StatefulSet",
}

// plainNamespace is a name that no reader of YAML takes for anything but text.
var plainNamespace = regexp.MustCompile(`^[a-z][a-z0-9-]{3,62}$`)

// plainly renders a kustomization that does no more than list files of its
// folder, and perhaps say in which namespace their resources are: what kustomize
// makes of that is the resources as they were read. It reports false for every
// other one, and for each doubt of what kustomize would make of it or say
// against it: then kustomize is asked. faulty are the documents that do not fit
// the schema of Kubernetes.
func (t *tree) plainly(k *kustomization, dir string, sources map[string]*source, faulty map[string]bool) (out []resource, reads []string, ok bool) {
	files, namespace, ok := k.listed(t, dir, sources)
	if !ok {
		return nil, nil, false
	}
	known := map[[2]string]bool{}
	for _, file := range files {
		for _, d := range sources[file].documents {
			if d.Within != nil {
				continue
			}
			id := [2]string{d.Kind, d.Name}
			if known[id] || faulty[d.ID] || !plainDocument(d) {
				return nil, nil, false
			}
			known[id] = true
			out = append(out, resource{origin: d, file: k.file, Resource: Resource{Document: d.ID, Kind: d.Kind, APIVersion: d.APIVersion,
				Name: d.Name, Namespace: textAt(d.Value, "metadata", "namespace"), Value: d.Value}})
			if last := &out[len(out)-1]; namespace != "" && last.Namespace != namespace {
				last.Namespace, last.Value = namespace, inNamespace(d.Value, namespace)
			}
		}
	}
	return out, slices.Sorted(slices.Values(append(files, k.file))), true
}

// listed are the files that a plain kustomization lists, in its order, and its
// namespace.
func (k *kustomization) listed(t *tree, dir string, sources map[string]*source) (files []string, namespace string, ok bool) {
	s := sources[k.file]
	if len(k.problems) > 0 || !s.plain || len(s.documents) != 1 {
		return nil, "", false
	}
	value := object(s.documents[0].Value)
	for key, given := range value {
		text, _ := given.(string)
		switch key {
		case "apiVersion":
			ok = text == types.KustomizationVersion
		case "kind":
			ok = text == types.KustomizationKind
		case "namespace":
			namespace, ok = text, plainNamespace.MatchString(text)
		default:
			ok = key == "resources"
		}
		if !ok {
			return nil, "", false
		}
	}
	for _, name := range kustomizationNames {
		if _, other := t.facts.Files[path.Join(dir, name)]; other && path.Join(dir, name) != k.file {
			return nil, "", false
		}
	}
	for _, entry := range list(value["resources"]) {
		name, _ := entry.(string)
		file := path.Join(dir, name)
		if from := sources[file]; from == nil || !from.plain || dir != "." && !strings.HasPrefix(file, dir+"/") || slices.Contains(files, file) {
			return nil, "", false
		}
		files = append(files, file)
	}
	return files, namespace, len(files) > 0
}

// plainDocument reports whether a document is a resource of which it is known
// what kustomize makes.
func plainDocument(d *Document) bool {
	metadata := object(d.Value, "metadata")
	if d.Name == "" || !slices.Contains(plainKinds, d.Kind) {
		return false
	}
	if given, ok := metadata["namespace"]; ok && (given == "" || d.Namespace == "") {
		return false
	}
	annotations, given := metadata["annotations"]
	for key := range object(annotations) {
		if strings.Contains(key, "config.k") || strings.Contains(key, "kustomize") { // what it says is for kustomize
			return false
		}
	}
	return !given || len(object(annotations)) > 0
}

// inNamespace is a resource in another namespace. All but its metadata is the
// memory of the one that it is made of.
func inNamespace(value any, namespace string) any {
	out := maps.Clone(object(value))
	metadata := maps.Clone(object(value, "metadata"))
	metadata["namespace"] = namespace
	out["metadata"] = metadata
	return out
}

// plainText reports whether everybody cuts a file into the same documents.
func plainText(lines []string) bool {
	return !slices.ContainsFunc(lines, func(line string) bool {
		return strings.Contains(line, "\r") || strings.HasPrefix(line, "%") || strings.HasPrefix(line, "...") ||
			strings.HasPrefix(line, "---") && line != "---"
	})
}
