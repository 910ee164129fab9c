package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// Who may do what at the Kubernetes API, in full. A right that is not here is
// one too many; one that is not needed any more leaves this list with its code.
var rights = map[string][]string{
	"leviathan-control-plane": {
		"cluster: create authentication.k8s.io/tokenreviews",
		"get coordination.k8s.io/leases/leviathan-control-plane",
		"get /configmaps/leviathan-autonomy-config",
		"list /configmaps/leviathan-autonomy-config",
		"update coordination.k8s.io/leases/leviathan-control-plane",
		"watch /configmaps/leviathan-autonomy-config",
	},
	"leviathan-scheduler": {
		"create /secrets", "list /pods",
		"create batch/jobs", "delete batch/jobs", "get batch/jobs", "list batch/jobs",
	},
	"leviathan-spider": {},
	"leviathan-worker": {},
}

// expand is every right of some rules, one line each.
func expand(prefix string, rules []rbacv1.PolicyRule) (out []string) {
	for _, r := range rules {
		for _, verb := range r.Verbs {
			for _, url := range r.NonResourceURLs {
				out = append(out, prefix+verb+" "+url)
			}
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					right := prefix + verb + " " + group + "/" + resource
					for _, name := range r.ResourceNames {
						out = append(out, right+"/"+name)
					}
					if len(r.ResourceNames) == 0 {
						out = append(out, right)
					}
				}
			}
		}
	}
	return out
}

func TestRightsAreTheLeast(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		got := map[string][]string{}
		for _, a := range of[*corev1.ServiceAccount](c) {
			got[a.Name] = []string{}
			if !is(a.AutomountServiceAccountToken, false) {
				t.Errorf("every pod of %s gets a token, also one that needs none", a.Name)
			}
		}
		give := func(subjects []rbacv1.Subject, granted []string) {
			for _, s := range subjects {
				if s.Kind != rbacv1.ServiceAccountKind || s.Namespace != namespace {
					t.Errorf("%s %s/%s has rights", s.Kind, s.Namespace, s.Name)
				}
				got[s.Name] = append(got[s.Name], granted...)
			}
		}
		used := map[string]bool{}
		for _, b := range of[*rbacv1.RoleBinding](c) {
			if b.RoleRef.Kind != "Role" || b.RoleRef.APIGroup != rbacv1.GroupName {
				t.Errorf("%s binds a %s of %q", b.Name, b.RoleRef.Kind, b.RoleRef.APIGroup)
				continue
			}
			used["Role/"+b.RoleRef.Name] = true
			give(b.Subjects, expand("", named[*rbacv1.Role](t, c, b.RoleRef.Name).Rules))
		}
		for _, b := range of[*rbacv1.ClusterRoleBinding](c) {
			if b.RoleRef.Kind != "ClusterRole" || b.RoleRef.APIGroup != rbacv1.GroupName {
				t.Errorf("%s binds a %s of %q", b.Name, b.RoleRef.Kind, b.RoleRef.APIGroup)
				continue
			}
			used["ClusterRole/"+b.RoleRef.Name] = true
			give(b.Subjects, expand("cluster: ", named[*rbacv1.ClusterRole](t, c, b.RoleRef.Name).Rules))
		}
		for _, r := range of[*rbacv1.Role](c) {
			if !used["Role/"+r.Name] {
				t.Errorf("nobody has the Role %s", r.Name)
			}
		}
		for _, r := range of[*rbacv1.ClusterRole](c) {
			if !used["ClusterRole/"+r.Name] {
				t.Errorf("nobody has the ClusterRole %s", r.Name)
			}
		}
		for name, want := range rights {
			sorted := slices.Sorted(slices.Values(want))
			slices.Sort(got[name])
			if sorted == nil {
				sorted = []string{}
			}
			if diff := cmp.Diff(sorted, got[name]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			delete(got, name)
		}
		for name := range got {
			t.Errorf("the service account %s is not known here", name)
		}
	})
}

// Promise S23: the two tokens are in leviathan-secrets, the gateway alone has
// them, and no manifest has a value of a secret.
func TestS23TokensAreTheGatewaysAndInNoManifest(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		holders := map[string][]string{}
		for _, p := range pods(t, c) {
			k := p.container()
			if len(k.EnvFrom) > 0 {
				t.Errorf("%s takes whole objects into its environment", p.owner)
			}
			for _, e := range k.Env {
				switch from := e.ValueFrom; {
				case from == nil:
					if e.Name != "GOMEMLIMIT" {
						t.Errorf("%s: %s has its value in the manifest", p.owner, e.Name)
					}
				case from.SecretKeyRef == nil:
					t.Errorf("%s: %s is no key of a Secret", p.owner, e.Name)
				case from.SecretKeyRef.Name == "leviathan-secrets":
					if e.Name != from.SecretKeyRef.Key {
						t.Errorf("%s: %s is the key %s", p.owner, e.Name, from.SecretKeyRef.Key)
					}
					holders[e.Name] = append(holders[e.Name], p.owner)
					if optional := e.Name == "GITHUB_TOKEN"; is(from.SecretKeyRef.Optional, true) != optional {
						t.Errorf("%s: %s: optional should be %v", p.owner, e.Name, optional)
					}
				}
			}
		}
		gateway := []string{"Deployment/leviathan-control-plane"}
		if diff := cmp.Diff(map[string][]string{"LEVIATHAN_CONTROL_PLANE_TOKEN": gateway, "GITHUB_TOKEN": gateway}, holders); diff != "" {
			t.Error(diff)
		}
		for _, m := range of[*corev1.ConfigMap](c) {
			if len(m.BinaryData) > 0 || m.Name != configName {
				t.Errorf("the ConfigMap %s is not the config", m.Name)
			}
		}
	})
}

// One namespace, and everything in it that belongs to one.
func TestOneNamespace(t *testing.T) {
	whole := []string{"*v1.Namespace", "*v1.ClusterRole", "*v1.ClusterRoleBinding", "*v1.StorageClass",
		"*v1.ValidatingAdmissionPolicy", "*v1.ValidatingAdmissionPolicyBinding"}
	each(t, func(t *testing.T, c *cluster) {
		seen := map[string]bool{}
		for _, o := range c.objects {
			want := namespace
			if slices.Contains(whole, fmt.Sprintf("%T", o)) {
				want = ""
			}
			if o.GetNamespace() != want {
				t.Errorf("%s is in the namespace %q, want %q", identity(o), o.GetNamespace(), want)
			}
			if id := identity(o); seen[id] {
				t.Errorf("%s is there twice", id)
			} else {
				seen[id] = true
			}
			if !strings.HasPrefix(o.GetName(), namespace) {
				t.Errorf("%s could be anybody's", identity(o))
			}
		}
		if config := configOf(t, c); config.WorkerNamespace != namespace {
			t.Errorf("workers run in %s", config.WorkerNamespace)
		}
		if config := configOf(t, c); config.AutonomyEnabled {
			t.Error("the sample is on: something would run before a human said so")
		}
	})
}

func TestTheNamespaceIsRestrictedAndBounded(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		ns := named[*corev1.Namespace](t, c, namespace)
		for _, mode := range []string{"enforce", "warn", "audit"} {
			label := "pod-security.kubernetes.io/" + mode
			if ns.Labels[label] != "restricted" || ns.Labels[label+"-version"] != "latest" {
				t.Errorf("%s is %q, version %q", label, ns.Labels[label], ns.Labels[label+"-version"])
			}
		}
		quota := named[*corev1.ResourceQuota](t, c, "leviathan").Spec.Hard
		for _, name := range []corev1.ResourceName{"pods", "count/jobs.batch", "count/secrets", "requests.cpu", "requests.memory", "limits.memory", "persistentvolumeclaims"} {
			if q := quota[name]; q.IsZero() {
				t.Errorf("no bound of %s", name)
			}
		}
		for _, name := range []corev1.ResourceName{"services.loadbalancers", "services.nodeports"} {
			if q, ok := quota[name]; !ok || !q.IsZero() {
				t.Errorf("%s: something of the namespace may be reached from outside", name)
			}
		}
		limits := named[*corev1.LimitRange](t, c, "leviathan").Spec.Limits
		if len(limits) != 1 || limits[0].Default.Memory().IsZero() || limits[0].DefaultRequest.Memory().IsZero() || limits[0].DefaultRequest.Cpu().IsZero() {
			t.Error("a container that says nothing would be refused by the quota")
		}
	})
}
