package deploy_test

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// A topologyFile is deploy/topology.yaml.
type topologyFile struct {
	Version    int
	Namespace  string
	Components map[string]struct {
		Workload, App, Container, Command string
		ServiceAccount                    string `json:"service_account"`
		Service                           string
		Port                              int32
		KubernetesAPI                     bool `json:"kubernetes_api"`
	}
	Outside map[string]struct {
		Namespace        string
		Labels           map[string]string
		Networks, Except []string
	}
	Edges []struct {
		From, To             string
		Ports                []string
		Flag, Component, Why string
	}
	Credentials []struct {
		Name, Kind string
		Keys       []string
		Audience   string
		HeldBy     []string `json:"held_by"`
		As         string
		Component  string
		Why        string
	}
}

func topology(t *testing.T) *topologyFile {
	t.Helper()
	data, err := os.ReadFile("topology.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f topologyFile
	if err := yaml.UnmarshalStrict(data, &f); err != nil {
		t.Fatalf("topology.yaml: %v", err)
	}
	return &f
}

// component is whose a pod with these labels is.
func (f *topologyFile) component(pod map[string]string) string {
	for name, c := range f.Components {
		if c.App == pod["app"] {
			return name
		}
	}
	return ""
}

// urlOf is where others reach a component.
func (f *topologyFile) urlOf(component string) string {
	return fmt.Sprintf("http://%s:%d", f.Components[component].Service, f.Components[component].Port)
}

// in reports whether something is in the cluster.
func in(c *cluster, component string) bool {
	return component == "" || slices.Contains(c.components, component)
}

func TestTopologyNamesWhatThereIs(t *testing.T) {
	f := topology(t)
	if f.Version != 1 || f.Namespace != namespace || len(f.Components) != 4 {
		t.Errorf("version %d, namespace %s, %d components", f.Version, f.Namespace, len(f.Components))
	}
	known := func(name string) bool {
		_, component := f.Components[name]
		_, outside := f.Outside[name]
		return component != outside
	}
	for _, e := range f.Edges {
		if !known(e.From) || !known(e.To) || len(e.Ports) == 0 || e.Why == "" {
			t.Errorf("the edge from %q to %q with %v, because %q", e.From, e.To, e.Ports, e.Why)
		}
		if e.Component != "" && !slices.Contains(components, e.Component) {
			t.Errorf("there is no component %s", e.Component)
		}
	}
	for _, c := range f.Credentials {
		if len(c.HeldBy) == 0 || c.Kind == "" || c.As == "" || c.Why == "" {
			t.Errorf("the credential %s is not fully described", c.Name)
		}
	}
	each(t, func(t *testing.T, c *cluster) {
		left := maps.Clone(f.Components)
		delete(left, "worker") // the launcher makes it
		for _, p := range pods(t, c) {
			name := f.component(p.template.Labels)
			want, k := f.Components[name], p.container()
			delete(left, name)
			if p.owner != want.Workload || k.Name != want.Container || k.Args[0] != want.Command || p.spec().ServiceAccountName != want.ServiceAccount {
				t.Errorf("%s: %s, container %s, command %s, service account %s; want %+v", name, p.owner, k.Name, k.Args[0], p.spec().ServiceAccountName, want)
			}
			if !is(p.spec().AutomountServiceAccountToken, want.KubernetesAPI) || want.KubernetesAPI != (len(rights[want.ServiceAccount]) > 0) {
				t.Errorf("%s: a token of the Kubernetes API: want %v", name, want.KubernetesAPI)
			}
		}
		for name := range left {
			t.Errorf("%s is not in the manifests", name)
		}
		named[*corev1.ServiceAccount](t, c, f.Components["worker"].ServiceAccount)
		got := map[string]int32{}
		for _, s := range of[*corev1.Service](c) {
			got[s.Name] = s.Spec.Ports[0].Port
		}
		want := map[string]int32{}
		for _, component := range f.Components {
			if component.Service != "" {
				want[component.Service] = component.Port
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Services (-topology +manifests):\n%s", diff)
		}
	})
}

// A flow is "from > to port/protocol".
func flow(from, to, port string) string { return from + " > " + to + " " + port }

func TestNetworkPoliciesAreTheEdgesOfTheTopology(t *testing.T) {
	f := topology(t)
	each(t, func(t *testing.T, c *cluster) {
		leaves, enters := map[string]bool{}, map[string]bool{}
		denied := false
		for _, p := range of[*networkingv1.NetworkPolicy](c) {
			selector := selectorOf(t, &p.Spec.PodSelector)
			if selector.Empty() {
				denied = slices.Contains(p.Spec.PolicyTypes, "Ingress") && slices.Contains(p.Spec.PolicyTypes, "Egress")
				if len(p.Spec.Ingress)+len(p.Spec.Egress) > 0 {
					t.Errorf("%s opens a way for every pod", p.Name)
				}
				continue
			}
			subjects := f.selected(selector)
			if len(subjects) == 0 {
				t.Errorf("%s is for no component", p.Name)
			}
			if len(p.Spec.Ingress) > 0 && !slices.Contains(p.Spec.PolicyTypes, "Ingress") || len(p.Spec.Egress) > 0 && !slices.Contains(p.Spec.PolicyTypes, "Egress") {
				t.Errorf("%s has rules of a type that it does not name", p.Name)
			}
			for _, own := range subjects {
				for _, r := range p.Spec.Egress {
					for _, peer := range f.peers(t, p.Name, r.To) {
						for _, port := range portsOf(t, p.Name, r.Ports) {
							leaves[flow(own, peer, port)] = true
						}
					}
				}
				for _, r := range p.Spec.Ingress {
					for _, peer := range f.peers(t, p.Name, r.From) {
						for _, port := range portsOf(t, p.Name, r.Ports) {
							enters[flow(peer, own, port)] = true
						}
					}
				}
			}
		}
		if !denied {
			t.Error("nothing denies by default")
		}
		wantLeaves, wantEnters := map[string]bool{}, map[string]bool{}
		for _, e := range f.Edges {
			for _, port := range e.Ports {
				if !in(c, e.Component) {
					continue
				}
				if _, ours := f.Components[e.From]; ours {
					wantLeaves[flow(e.From, e.To, port)] = true
				}
				if _, ours := f.Components[e.To]; ours {
					wantEnters[flow(e.From, e.To, port)] = true
				}
			}
		}
		if diff := cmp.Diff(wantLeaves, leaves); diff != "" {
			t.Errorf("egress (-topology +manifests):\n%s", diff)
		}
		if diff := cmp.Diff(wantEnters, enters); diff != "" {
			t.Errorf("ingress (-topology +manifests):\n%s", diff)
		}
	})
}

func selectorOf(t *testing.T, s *metav1.LabelSelector) labels.Selector {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector
}

// selected are the components that a selector of pods finds.
func (f *topologyFile) selected(selector labels.Selector) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		if selector.Matches(labels.Set{"app": f.Components[name].App, "app.kubernetes.io/component": name,
			"app.kubernetes.io/name": "leviathan", "app.kubernetes.io/part-of": "leviathan"}) {
			out = append(out, name)
		}
	}
	return out
}

// peers are the names of what a rule speaks of.
func (f *topologyFile) peers(t *testing.T, policy string, peers []networkingv1.NetworkPolicyPeer) (out []string) {
	t.Helper()
	if len(peers) == 0 {
		t.Errorf("%s opens a way to or from everywhere", policy)
	}
	var networks, except []string
	for _, peer := range peers {
		switch {
		case peer.IPBlock != nil:
			networks, except = append(networks, peer.IPBlock.CIDR), append(except, peer.IPBlock.Except...)
		case peer.PodSelector == nil || selectorOf(t, peer.PodSelector).Empty():
			t.Errorf("%s opens a way to or from a whole namespace", policy)
		case peer.NamespaceSelector == nil:
			found := f.selected(selectorOf(t, peer.PodSelector))
			if len(found) == 0 {
				t.Errorf("%s speaks of no component: %v", policy, peer.PodSelector)
			}
			out = append(out, found...)
		default:
			out = append(out, f.elsewhere(t, policy, func(namespace string, labels map[string]string, _, _ []string) bool {
				return maps.Equal(peer.NamespaceSelector.MatchLabels, map[string]string{"kubernetes.io/metadata.name": namespace}) &&
					maps.Equal(peer.PodSelector.MatchLabels, labels) && len(peer.PodSelector.MatchExpressions)+len(peer.NamespaceSelector.MatchExpressions) == 0
			}))
		}
	}
	if len(networks) > 0 {
		out = append(out, f.elsewhere(t, policy, func(_ string, _ map[string]string, n, e []string) bool {
			return sameSet(networks, n) && sameSet(except, e)
		}))
	}
	return out
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// elsewhere is the name of the one thing outside that fits.
func (f *topologyFile) elsewhere(t *testing.T, policy string, fits func(namespace string, labels map[string]string, networks, except []string) bool) string {
	t.Helper()
	for name, o := range f.Outside {
		if fits(o.Namespace, o.Labels, o.Networks, o.Except) {
			return name
		}
	}
	t.Errorf("%s speaks of something that topology.yaml does not have", policy)
	return "?"
}

func portsOf(t *testing.T, policy string, ports []networkingv1.NetworkPolicyPort) (out []string) {
	t.Helper()
	for _, p := range ports {
		if p.Port == nil || p.Port.IntValue() == 0 || p.Protocol == nil || p.EndPort != nil {
			t.Errorf("%s has a port that is not one number and protocol", policy)
			continue
		}
		out = append(out, fmt.Sprintf("%d/%s", p.Port.IntValue(), *p.Protocol))
	}
	if len(ports) == 0 {
		t.Errorf("%s opens every port", policy)
	}
	return out
}

// The internet is not the cluster, the node or its metadata.
func TestTheInternetHasNoPrivateNetwork(t *testing.T) {
	internet := topology(t).Outside["internet"]
	for _, address := range []string{"10.96.0.1", "172.18.0.2", "192.168.1.1", "169.254.169.254", "100.64.0.1", "127.0.0.1", "fd00:ec2::254", "fe80::1", "::1"} {
		a := netip.MustParseAddr(address)
		if !slices.ContainsFunc(internet.Except, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) }) {
			t.Errorf("%s counts as the internet", address)
		}
	}
	for _, address := range []string{"140.82.121.4", "2606:50c0:8000::153"} {
		a := netip.MustParseAddr(address)
		if slices.ContainsFunc(internet.Except, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) }) {
			t.Errorf("%s does not count as the internet", address)
		}
	}
}

// Each URL that a manifest or the config gives is an edge.
func TestURLsAreEdgesOfTheTopology(t *testing.T) {
	f := topology(t)
	each(t, func(t *testing.T, c *cluster) {
		got, want := map[string]string{}, map[string]string{}
		for _, p := range pods(t, c) {
			from := f.component(p.template.Labels)
			for name, values := range flags(p.container().Args) {
				for _, v := range values {
					if strings.Contains(v, "://") {
						got[from+" "+name] = v
					}
				}
			}
			for _, e := range p.container().Env {
				if strings.Contains(e.Value, "://") {
					got[from+" "+e.Name] = e.Value
				}
			}
		}
		for _, e := range f.Edges {
			if e.Flag != "" && in(c, e.Component) {
				want[e.From+" "+e.Flag] = f.urlOf(e.To)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("URLs (-topology +manifests):\n%s", diff)
		}
		if config := configOf(t, c); config.ControlPlaneURL != f.urlOf("control-plane") {
			t.Errorf("the config's control_plane_url is %s", config.ControlPlaneURL)
		}
	})
}
