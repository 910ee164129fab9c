package facts

import (
	"strconv"
	"strings"
)

// sourceScope is the scope of the files as they are.
const sourceScope = "source"

// A resource is a document of one scope.
type resource struct {
	Resource
	origin *Document // nil for a generated one
	file   string    // of the kustomization, for a generated one
}

// place is where a node of the resource stands in its origin.
func (r resource) place(pointer string) Place {
	if r.origin == nil {
		return Place{r.file, 1, 1}
	}
	return r.origin.place(pointer)
}

// sourceResources are the resources as files have them.
func sourceResources(f *Facts) []resource {
	var out []resource
	for _, kind := range sortedKeys(f.Kinds) {
		if kind == "" {
			continue
		}
		for _, id := range f.Kinds[kind] {
			d := f.Documents[id]
			out = append(out, resource{origin: d, Resource: Resource{Document: id, Kind: d.Kind, APIVersion: d.APIVersion,
				Name: d.Name, Namespace: d.Namespace, Value: d.Value}})
		}
	}
	return out
}

// podSpecs are where each kind has its pod template, and whether it is one.
var podSpecs = map[string][]string{
	"Pod": {}, "Deployment": {"spec", "template"}, "StatefulSet": {"spec", "template"}, "DaemonSet": {"spec", "template"},
	"ReplicaSet": {"spec", "template"}, "ReplicationController": {"spec", "template"}, "Job": {"spec", "template"},
	"CronJob": {"spec", "jobTemplate", "spec", "template"}, "PodTemplate": {"template"},
}

// containerLists are the lists of containers of a pod spec, and their type.
var containerLists = [][2]string{{"initContainers", "init"}, {"containers", "container"}, {"ephemeralContainers", "ephemeral"}}

// workloads flattens everything that has a pod template.
func workloads(scope string, resources []resource) []Workload {
	out := []Workload{}
	for _, r := range resources {
		way, ok := podSpecs[r.Kind]
		if !ok {
			continue
		}
		template := find(r.Value, way...)
		pointer := ""
		if len(way) > 0 {
			pointer = "/" + strings.Join(way, "/")
		}
		w := Workload{Scope: scope, Document: r.Document, Place: r.place(""), Kind: r.Kind, Name: r.Name, Namespace: r.Namespace,
			Pointer: pointer + "/spec", Labels: textMap(find(template, "metadata", "labels")), Spec: map[string]any{}, ServiceAccount: "default"}
		if spec, ok := find(template, "spec").(map[string]any); ok {
			w.Spec = spec
		}
		for _, key := range []string{"serviceAccount", "serviceAccountName"} {
			if name := textAt(w.Spec, key); name != "" {
				w.ServiceAccount = name
			}
		}
		for _, from := range containerLists {
			for i, item := range list(w.Spec, from[0]) {
				w.Containers = append(w.Containers, Container{Name: textAt(item, "name"), Type: from[1],
					Pointer: w.Pointer + "/" + from[0] + "/" + strconv.Itoa(i), Image: parseImage(textAt(item, "image")), Value: item})
			}
		}
		out = append(out, w)
	}
	return out
}

// parseImage takes an image reference apart.
func parseImage(reference string) Image {
	out := Image{Reference: reference, Name: reference}
	if name, digest, ok := strings.Cut(out.Name, "@"); ok {
		out.Name, out.Digest = name, digest
	}
	if i := strings.LastIndexByte(out.Name, ':'); i > strings.LastIndexByte(out.Name, '/') {
		out.Name, out.Tag = out.Name[:i], out.Name[i+1:]
	}
	return out
}

// grants resolves every binding: what each subject may do.
func grants(resources []resource) map[string][]Grant {
	roles := map[string]resource{}
	for _, r := range resources {
		switch r.Kind {
		case "ClusterRole":
			roles["ClusterRole/"+r.Name] = r
		case "Role":
			roles["Role/"+r.Namespace+"/"+r.Name] = r
		}
	}
	out := map[string][]Grant{}
	for _, b := range resources {
		if b.Kind != "RoleBinding" && b.Kind != "ClusterRoleBinding" {
			continue
		}
		kind, name := textAt(b.Value, "roleRef", "kind"), textAt(b.Value, "roleRef", "name")
		key := kind + "/" + name
		if kind == "Role" {
			key = kind + "/" + b.Namespace + "/" + name
		}
		role, known := roles[key]
		grant := Grant{Binding: b.Document, RoleName: kind + "/" + name, Namespace: b.Namespace, Place: b.place("/roleRef"), Known: known}
		if b.Kind == "ClusterRoleBinding" {
			grant.Namespace = ""
		}
		given := []Grant{grant}
		if known {
			given = rulesOf(role, grant)
		}
		for _, s := range list(b.Value, "subjects") {
			subject := subjectOf(s, b.Namespace)
			out[subject] = append(out[subject], given...)
		}
	}
	return out
}

// rulesOf is one grant for each rule of the role.
func rulesOf(role resource, base Grant) (out []Grant) {
	for i, rule := range list(role.Value, "rules") {
		g := base
		g.Role, g.Place = role.Document, role.place("/rules/"+strconv.Itoa(i))
		g.APIGroups, g.Resources, g.ResourceNames = texts(find(rule, "apiGroups")), texts(find(rule, "resources")), texts(find(rule, "resourceNames"))
		g.URLs, g.Verbs = texts(find(rule, "nonResourceURLs")), texts(find(rule, "verbs"))
		out = append(out, g)
	}
	return out
}

// subjectOf names a subject: Kind/namespace/name for a service account,
// Kind/name for users and groups.
func subjectOf(s any, namespace string) string {
	kind, name := textAt(s, "kind"), textAt(s, "name")
	if kind != "ServiceAccount" {
		return kind + "/" + name
	}
	if own := textAt(s, "namespace"); own != "" {
		namespace = own
	}
	return kind + "/" + namespace + "/" + name
}
