package facts

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Manifests say how the tree's Kubernetes documents fit the schema of
// Kubernetes: its own types, read strictly.
type Manifests struct {
	Checked int     `json:"checked" doc:"documents whose kind is Kubernetes' own, or kustomize's"`
	Faults  []Fault `json:"faults" doc:"what does not fit, in order of file and line"`
}

// A Fault is a part of a manifest that does not fit the schema.
type Fault struct {
	Place
	Document string `json:"document" doc:"id of the document"`
	Pointer  string `json:"pointer" doc:"JSON pointer of what is wrong"`
	Code     string `json:"code" doc:"a stable word: unknown_kind, custom_kind (of another's API, of which nothing is known), unknown_field, wrong_type, invalid_value, no_name"`
	Message  string `json:"message" doc:"what does not fit"`
}

// checkManifests holds every document that has a kind to its type.
func checkManifests(f *Facts, types map[string]reflect.Type) Manifests {
	out := Manifests{Faults: []Fault{}}
	shapes := map[reflect.Type]map[string]reflect.Type{}
	for _, id := range sortedKeys(f.Documents) {
		d := f.Documents[id]
		if d.Kind == "" || d.Within != nil {
			continue
		}
		c := &manifestCheck{document: d, shapes: shapes}
		if c.resource(types, d.Value, "") {
			out.Checked++
		}
		out.Faults = append(out.Faults, c.faults...)
	}
	slices.SortStableFunc(out.Faults, func(a, b Fault) int {
		return comparePlaces(a.Place, b.Place)
	})
	return out
}

// A manifestCheck holds one document to the schema.
type manifestCheck struct {
	document *Document
	shapes   map[reflect.Type]map[string]reflect.Type // fields by their name, of types seen before
	faults   []Fault
}

func (c *manifestCheck) fault(pointer, code, format string, args ...any) {
	c.faults = append(c.faults, Fault{Place: c.document.place(pointer), Document: c.document.ID, Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

// resource checks one resource, or each of a List, and reports whether its
// kind is known.
func (c *manifestCheck) resource(types map[string]reflect.Type, value any, pointer string) bool {
	group, kind := textAt(value, "apiVersion"), textAt(value, "kind")
	if group == "v1" && kind == "List" {
		for i, item := range list(value, "items") {
			c.resource(types, item, fmt.Sprintf("%s/items/%d", pointer, i))
		}
		return true
	}
	t, ok := types[group+" "+kind]
	switch {
	case ok:
		c.value(value, t, pointer)
		c.named(value, kind, pointer)
	case ownGroup(types, group):
		c.fault(pointer+"/kind", "unknown_kind", "Kubernetes has no %s of %s", kind, group)
	default:
		c.fault(pointer+"/kind", "custom_kind", "%s of %s is not Kubernetes' own", kind, group)
	}
	return ok
}

// ownGroup reports whether every kind of an API is known: a stable one of
// Kubernetes' own, or one without a dot in its name, which nobody else can have.
func ownGroup(types map[string]reflect.Type, api string) bool {
	group, version, _ := strings.Cut(api, "/")
	if !strings.Contains(group, ".") {
		return true
	}
	if strings.Contains(version, "alpha") || strings.Contains(version, "beta") {
		return false
	}
	for known := range types {
		if strings.HasPrefix(known, group+"/") {
			return true
		}
	}
	return false
}

// named checks the name of a resource.
func (c *manifestCheck) named(value any, kind, pointer string) {
	if kind == "Kustomization" || kind == "Component" {
		return
	}
	name, given := find(value, "metadata", "name").(string)
	switch {
	case !given && textAt(value, "metadata", "generateName") == "":
		c.fault(pointer+"/metadata", "no_name", "the %s has no name", kind)
	case !given || strings.HasSuffix(kind, "Role") || strings.HasSuffix(kind, "RoleBinding"): // these may have colons
	case kind == "Namespace" || kind == "Service":
		c.invalid(pointer+"/metadata/name", name, validation.IsDNS1123Label(name))
	default:
		c.invalid(pointer+"/metadata/name", name, validation.IsDNS1123Subdomain(name))
	}
}

func (c *manifestCheck) invalid(pointer, value string, why []string) {
	if len(why) > 0 {
		c.fault(pointer, "invalid_value", "%s cannot be %q: %s", fieldPath(pointer), value, why[0])
	}
}

// extra checks what the types of some fields leave open.
func (c *manifestCheck) extra(value map[string]any, t reflect.Type, pointer string) {
	switch t {
	case reflect.TypeFor[metav1.ObjectMeta]():
		c.labels(value, "labels", pointer, true)
		c.labels(value, "annotations", pointer, false)
	case reflect.TypeFor[metav1.LabelSelector]():
		c.labels(value, "matchLabels", pointer, true)
	case reflect.TypeFor[corev1.ContainerPort]():
		c.port(value, "containerPort", pointer)
		c.port(value, "hostPort", pointer)
		if name := textAt(value, "name"); name != "" {
			c.invalid(pointer+"/name", name, validation.IsValidPortName(name))
		}
	case reflect.TypeFor[corev1.ServicePort]():
		c.port(value, "port", pointer)
	case reflect.TypeFor[networkingv1.IPBlock]():
		c.network(value["cidr"], pointer+"/cidr")
		for i, item := range list(value["except"]) {
			c.network(item, fmt.Sprintf("%s/except/%d", pointer, i))
		}
	}
}

func (c *manifestCheck) labels(value map[string]any, field, pointer string, values bool) {
	for _, key := range sortedKeys(object(value, field)) {
		at := pointer + "/" + field + "/" + escape(key)
		c.invalid(at, key, validation.IsQualifiedName(key))
		if text, ok := find(value, field, key).(string); ok && values {
			c.invalid(at, text, validation.IsValidLabelValue(text))
		}
	}
}

func (c *manifestCheck) port(value map[string]any, field, pointer string) {
	given, _ := value[field].(json.Number)
	if n, err := strconv.ParseInt(given.String(), 10, 32); err == nil {
		c.invalid(pointer+"/"+field, given.String(), validation.IsValidPortNum(int(n)))
	}
}

func (c *manifestCheck) network(value any, pointer string) {
	if text, ok := value.(string); ok {
		if prefix, err := netip.ParsePrefix(text); err != nil {
			c.invalid(pointer, text, []string{"it is no network, such as 10.0.0.0/8"})
		} else if prefix != prefix.Masked() {
			c.invalid(pointer, text, []string{"the network is " + prefix.Masked().String()})
		}
	}
}
