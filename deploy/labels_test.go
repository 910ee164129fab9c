package deploy_test

import (
	"fmt"
	"strings"
	"testing"
)

// Labels say whose a thing is, the same everywhere; app is what selectors, and
// operators of release 0.4, look for.
func TestLabels(t *testing.T) {
	f := topology(t)
	ofComponents := map[string]bool{} // whether such a thing also has the label app
	for kind, app := range map[string]bool{"ServiceAccount": false, "Role": false, "RoleBinding": false, "ClusterRole": false, "ClusterRoleBinding": false,
		"Lease": false, "PersistentVolumeClaim": true, "Service": true, "Deployment": true, "CronJob": true, "PodDisruptionBudget": true} {
		ofComponents["*v1."+kind] = app
	}
	ofComponents["*deploy_test.serviceMonitor"] = false
	each(t, func(t *testing.T, c *cluster) {
		check := func(what string, o map[string]string) {
			for name, want := range map[string]string{"name": "leviathan", "part-of": "leviathan", "managed-by": "kustomize"} {
				if got := o["app.kubernetes.io/"+name]; got != want {
					t.Errorf("%s: the label %s is %q, want %q", what, name, got, want)
				}
			}
		}
		component := func(what string, o map[string]string, app bool) {
			name := o["app.kubernetes.io/component"]
			whose, ok := f.Components[name]
			if !ok {
				t.Errorf("%s is of the component %q", what, name)
			}
			want := ""
			if app {
				want = whose.App
			}
			if got := o["app"]; got != want {
				t.Errorf("%s: the label app is %q, want %q", what, got, want)
			}
		}
		for _, o := range c.objects {
			check(identity(o), o.GetLabels())
			if app, ok := ofComponents[fmt.Sprintf("%T", o)]; ok {
				component(identity(o), o.GetLabels(), app)
				if name := o.GetLabels()["app.kubernetes.io/component"]; !strings.HasSuffix(o.GetName(), name) && o.GetName() != "leviathan-state" {
					t.Errorf("%s is of the component %s", identity(o), name)
				}
			}
		}
		for _, p := range pods(t, c) {
			check(p.owner, p.template.Labels)
			component(p.owner, p.template.Labels, true)
		}
	})
}
