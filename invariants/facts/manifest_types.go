package facts

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/types"
)

// A schema is what is known of the kinds of Kubernetes. It remembers, and is for
// one goroutine at a time.
type schema struct {
	types  map[string]reflect.Type                  // of every stable kind, by apiVersion and kind
	named  map[string]reflect.Type                  // the same by kind alone
	shapes map[reflect.Type]map[string]reflect.Type // fields by their name, of types seen before
}

// apart is a schema for another goroutine.
func (s schema) apart() schema {
	s.shapes = map[reflect.Type]map[string]reflect.Type{}
	return s
}

// newSchema lists the kinds.
func newSchema() (schema, error) {
	out := schema{named: map[string]reflect.Type{}, shapes: map[reflect.Type]map[string]reflect.Type{}, types: map[string]reflect.Type{
		types.KustomizationVersion + " " + types.KustomizationKind: reflect.TypeFor[types.Kustomization](),
		types.ComponentVersion + " " + types.ComponentKind:         reflect.TypeFor[types.Kustomization](),
	}}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistrationv1.AddToScheme, appsv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme,
		certificatesv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme, discoveryv1.AddToScheme, eventsv1.AddToScheme,
		flowcontrolv1.AddToScheme, networkingv1.AddToScheme, nodev1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme,
		resourcev1.AddToScheme, schedulingv1.AddToScheme, storagev1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return schema{}, fmt.Errorf("list the kinds of Kubernetes: %w", err)
		}
	}
	for gvk, t := range scheme.AllKnownTypes() {
		out.types[gvk.GroupVersion().String()+" "+gvk.Kind] = t
	}
	for _, key := range sortedKeys(out.types) {
		_, kind, _ := strings.Cut(key, " ")
		out.named[kind] = out.types[key]
	}
	return out, nil
}

// enums are the values of fields whose type has no others.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[corev1.PullPolicy]():                         {"Always", "IfNotPresent", "Never"},
	reflect.TypeFor[corev1.Protocol]():                           {"TCP", "UDP", "SCTP"},
	reflect.TypeFor[corev1.RestartPolicy]():                      {"Always", "OnFailure", "Never"},
	reflect.TypeFor[corev1.DNSPolicy]():                          {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
	reflect.TypeFor[corev1.ServiceType]():                        {"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"},
	reflect.TypeFor[corev1.SeccompProfileType]():                 {"RuntimeDefault", "Localhost", "Unconfined"},
	reflect.TypeFor[corev1.PodFSGroupChangePolicy]():             {"OnRootMismatch", "Always"},
	reflect.TypeFor[corev1.PersistentVolumeAccessMode]():         {"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"},
	reflect.TypeFor[corev1.PersistentVolumeReclaimPolicy]():      {"Retain", "Delete", "Recycle"},
	reflect.TypeFor[corev1.LimitType]():                          {"Pod", "Container", "PersistentVolumeClaim"},
	reflect.TypeFor[corev1.MountPropagationMode]():               {"None", "HostToContainer", "Bidirectional"},
	reflect.TypeFor[corev1.URIScheme]():                          {"HTTP", "HTTPS"},
	reflect.TypeFor[appsv1.DeploymentStrategyType]():             {"Recreate", "RollingUpdate"},
	reflect.TypeFor[batchv1.ConcurrencyPolicy]():                 {"Allow", "Forbid", "Replace"},
	reflect.TypeFor[networkingv1.PolicyType]():                   {"Ingress", "Egress"},
	reflect.TypeFor[policyv1.UnhealthyPodEvictionPolicyType]():   {"IfHealthyBudget", "AlwaysAllow"},
	reflect.TypeFor[storagev1.VolumeBindingMode]():               {"Immediate", "WaitForFirstConsumer"},
	reflect.TypeFor[admissionregistrationv1.ValidationAction]():  {"Deny", "Warn", "Audit"},
	reflect.TypeFor[admissionregistrationv1.FailurePolicyType](): {"Ignore", "Fail"},
	reflect.TypeFor[admissionregistrationv1.OperationType]():     {"*", "CREATE", "UPDATE", "DELETE", "CONNECT"},
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// value holds a value to a type; null fits every type, and says nothing.
func (c *manifestCheck) value(value any, t reflect.Type, pointer string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if value == nil {
		c.misfits = append(c.misfits, pointer)
	}
	if value == nil || t.Kind() == reflect.Interface {
		return
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		raw, err := json.Marshal(value)
		if err == nil {
			err = json.Unmarshal(raw, reflect.New(t).Interface())
		}
		if _, isText := value.(string); err != nil && !isText {
			c.misfit(pointer, "%s cannot be %s: %v", fieldPath(pointer), raw, err)
		} else if err != nil {
			c.fault(pointer, "invalid_value", "%s cannot be %s: %v", fieldPath(pointer), raw, err)
		}
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.fields(value, t, pointer)
	case reflect.Map:
		if members, ok := value.(map[string]any); c.fits(ok, value, "a mapping", pointer) {
			for _, key := range sortedKeys(members) {
				c.value(members[key], t.Elem(), pointer+"/"+escape(key))
			}
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			c.value(value, reflect.TypeFor[string](), pointer)
		} else if items, ok := value.([]any); c.fits(ok, value, "a list", pointer) {
			for i, item := range items {
				c.value(item, t.Elem(), pointer+"/"+strconv.Itoa(i))
			}
		}
	default:
		c.scalar(value, t, pointer)
	}
}

func (c *manifestCheck) scalar(value any, t reflect.Type, pointer string) {
	number, isNumber := value.(json.Number)
	switch t.Kind() {
	case reflect.String:
		text, ok := value.(string)
		if allowed, closed := enums[t]; c.fits(ok, value, "text", pointer) && closed && text != "" && !slices.Contains(allowed, text) {
			c.invalid(pointer, text, []string{"it is one of " + strings.Join(allowed, ", ")})
		}
	case reflect.Bool:
		_, ok := value.(bool)
		c.fits(ok, value, "true or false", pointer)
	case reflect.Float32, reflect.Float64:
		c.fits(isNumber, value, "a number", pointer)
	default:
		bits := min(t.Bits(), 64)
		_, err := strconv.ParseInt(number.String(), 10, bits)
		c.fits(isNumber && err == nil, value, "a whole number", pointer)
	}
}

// fits notes a value of another type than wanted.
func (c *manifestCheck) fits(ok bool, value any, wanted, pointer string) bool {
	if !ok {
		c.misfit(pointer, "%s is %s, and %s is wanted", fieldPath(pointer), typeName(value), wanted)
	}
	return ok
}

// fields holds the members of a mapping to the fields of a struct.
func (c *manifestCheck) fields(value any, t reflect.Type, pointer string) {
	members, ok := value.(map[string]any)
	if !c.fits(ok, value, "a mapping", pointer) {
		return
	}
	shape := c.shape(t)
	for _, name := range sortedKeys(members) {
		if field, ok := shape[name]; ok {
			c.value(members[name], field, pointer+"/"+escape(name))
		} else if !strings.HasPrefix(name, "$") { // an instruction of a patch
			at := pointer + "/" + escape(name)
			c.fault(at, "unknown_field", "there is no field %s%s", fieldPath(at), meant(shape, name))
		}
	}
	c.extra(members, t, pointer)
}

// shape are the fields of a struct by the names that they have in JSON.
func (c *manifestCheck) shape(t reflect.Type) map[string]reflect.Type {
	if known, ok := c.shapes[t]; ok {
		return known
	}
	out := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case name == "" && f.Anonymous && inner.Kind() == reflect.Struct:
			for name, field := range c.shape(inner) {
				out[name] = field
			}
		case name == "":
			out[f.Name] = f.Type
		default:
			out[name] = f.Type
		}
	}
	c.shapes[t] = out
	return out
}

// meant suggests the field of another spelling.
func meant(shape map[string]reflect.Type, name string) string {
	for _, known := range sortedKeys(shape) {
		if strings.EqualFold(known, name) {
			return "; there is " + known
		}
	}
	return ""
}

// fieldPath is a pointer as Kubernetes writes it: spec.containers[0].image.
func fieldPath(pointer string) string {
	var b strings.Builder
	for i, part := range strings.Split(pointer, "/") {
		part = unescape(part)
		if _, err := strconv.Atoi(part); err == nil {
			fmt.Fprintf(&b, "[%s]", part)
			continue
		}
		if i > 1 {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

func typeName(value any) string {
	switch v := value.(type) {
	case string:
		return "text"
	case bool:
		return "true or false"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case json.Number:
		if f, err := v.Float64(); err == nil && f != math.Trunc(f) {
			return "a fraction"
		}
		return "the number " + v.String()
	}
	return "nothing"
}
