package facts

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

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

// checkManifests holds every document that has a kind to its type, and takes
// out of it what is of another type, which rules need not expect then. Every
// processor takes its share.
func (t *tree) checkManifests() Manifests {
	type part struct {
		Manifests
		problems []Problem
	}
	ids := sortedKeys(t.facts.Documents)
	parts := make([]part, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for n := range parts {
		p, s := &parts[n], t.schema.apart()
		wg.Go(func() {
			for _, id := range ids[len(ids)*n/len(parts) : len(ids)*(n+1)/len(parts)] {
				d := t.facts.Documents[id]
				if d.Kind == "" || d.Within != nil {
					continue
				}
				c := &manifestCheck{schema: s, document: d}
				if c.resource(d.Value, "") {
					p.Checked++
				}
				p.problems = append(p.problems, c.problems(d.place)...)
				p.Faults = append(p.Faults, c.faults...)
				d.Value = c.fitting(d.Value)
			}
		})
	}
	wg.Wait()
	out := Manifests{Faults: []Fault{}}
	for _, p := range parts {
		out.Checked += p.Checked
		out.Faults = append(out.Faults, p.Faults...)
		t.facts.Problems = append(t.facts.Problems, p.problems...)
	}
	slices.SortStableFunc(out.Faults, func(a, b Fault) int {
		return comparePlaces(a.Place, b.Place)
	})
	return out
}

// A manifestCheck holds one document to the schema.
type manifestCheck struct {
	schema
	document *Document
	faults   []Fault
	misfits  []string // pointers to what is of another type or null, in the order of the document
}

// misfit is a fault of a value that no rule gets to see.
func (c *manifestCheck) misfit(pointer, format string, args ...any) {
	c.fault(pointer, "wrong_type", format, args...)
	c.misfits = append(c.misfits, pointer)
}

// fitting is the value without the misfits. The value itself stays as it is:
// what an alias names is in several places.
func (c *manifestCheck) fitting(value any) any {
	for _, pointer := range slices.Backward(c.misfits) { // the last first, so that places in lists stay true
		if pointer == "" {
			return map[string]any{}
		}
		value = without(value, strings.Split(pointer, "/")[1:])
	}
	return value
}

// topologyShape is what policies/invariants/topology expects; it looks for keys
// and values that mean nothing itself.
type topologyShape struct {
	Version    float64 `json:"version"`
	Namespace  string  `json:"namespace"`
	Components map[string]struct {
		Workload       string `json:"workload"`
		App            string `json:"app"`
		Container      string `json:"container"`
		Command        string `json:"command"`
		ServiceAccount string `json:"service_account"`
		Service        string `json:"service"`
		Port           int32  `json:"port"`
		KubernetesAPI  bool   `json:"kubernetes_api"`
	} `json:"components"`
	Outside map[string]struct {
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
		Networks  []string          `json:"networks"`
		Except    []string          `json:"except"`
	} `json:"outside"`
	Edges []struct {
		From      string   `json:"from"`
		To        string   `json:"to"`
		Ports     []string `json:"ports"`
		Flag      string   `json:"flag"`
		Component string   `json:"component"`
		Why       string   `json:"why"`
	} `json:"edges"`
	Credentials []struct {
		Name      string   `json:"name"`
		Kind      string   `json:"kind"`
		Keys      []string `json:"keys"`
		Audience  string   `json:"audience"`
		HeldBy    []string `json:"held_by"`
		Component string   `json:"component"`
	} `json:"credentials"`
}

// topology is the topology's value without what is of another type.
func (s schema) topology(t *tree, d *Document) any {
	c := &manifestCheck{schema: s, document: d}
	c.value(d.Value, reflect.TypeFor[topologyShape](), "")
	t.facts.Problems = append(t.facts.Problems, c.problems(d.place)...)
	return c.fitting(d.Value)
}

// problems are what is of a wrong type.
func (c *manifestCheck) problems(place func(pointer string) Place) (out []Problem) {
	for _, fault := range c.faults {
		if fault.Code == "wrong_type" {
			out = append(out, Problem{place(fault.Pointer), "manifest_wrong_type", fault.Message})
		}
	}
	return out
}

// rendered takes out of what a kustomization renders what is of another type. A
// patch can make such values of manifests that fit. It may run beside itself.
func (s schema) rendered(resources []resource) (out []Problem) {
	s = s.apart()
	for i := range resources {
		r := &resources[i]
		c := &manifestCheck{schema: s, document: &Document{}}
		c.resource(r.Value, "")
		out = append(out, c.problems(r.place)...)
		r.Value = c.fitting(r.Value)
	}
	return out
}

// without is a copy of the value that lacks what the parts of a pointer lead to.
func without(value any, parts []string) any {
	key := unescape(parts[0])
	switch v := value.(type) {
	case map[string]any:
		v = maps.Clone(v)
		if len(parts) == 1 {
			delete(v, key)
		} else {
			v[key] = without(v[key], parts[1:])
		}
		return v
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return value
		}
		v = slices.Clone(v)
		if len(parts) == 1 {
			return slices.Delete(v, i, i+1)
		}
		v[i] = without(v[i], parts[1:])
		return v
	}
	return value
}

func (c *manifestCheck) fault(pointer, code, format string, args ...any) {
	c.faults = append(c.faults, Fault{Place: c.document.place(pointer), Document: c.document.ID, Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

// resource checks one resource, or each of a List, and reports whether its
// kind is known.
func (c *manifestCheck) resource(value any, pointer string) bool {
	group, kind := textAt(value, "apiVersion"), textAt(value, "kind")
	if group == "v1" && kind == "List" {
		for i, item := range list(value, "items") {
			c.resource(item, fmt.Sprintf("%s/items/%d", pointer, i))
		}
		return true
	}
	t, ok := c.types[group+" "+kind]
	switch {
	case ok:
		c.value(value, t, pointer)
		c.name(value, kind, pointer)
	case ownGroup(c.types, group):
		c.fault(pointer+"/kind", "unknown_kind", "Kubernetes has no %s of %s", kind, group)
		if t := c.named[kind]; t != nil { // rules ask for the kind alone
			c.value(value, t, pointer)
		}
	default:
		c.fault(pointer+"/kind", "custom_kind", "%s of %s is not Kubernetes' own", kind, group)
		c.value(find(value, "metadata"), reflect.TypeFor[metav1.ObjectMeta](), pointer+"/metadata")
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

// name checks the name of a resource.
func (c *manifestCheck) name(value any, kind, pointer string) {
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
