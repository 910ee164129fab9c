package deploy_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"

	"leviathan/gateway/autonomy"
)

// A pod is a pod template, whatever holds it.
type pod struct {
	owner    string // kind/name
	template corev1.PodTemplateSpec
}

func (p pod) spec() corev1.PodSpec        { return p.template.Spec }
func (p pod) container() corev1.Container { return p.template.Spec.Containers[0] }

func pods(t *testing.T, c *cluster) (out []pod) {
	t.Helper()
	for _, d := range of[*appsv1.Deployment](c) {
		out = append(out, pod{"Deployment/" + d.Name, d.Spec.Template})
	}
	for _, j := range of[*batchv1.CronJob](c) {
		out = append(out, pod{"CronJob/" + j.Name, j.Spec.JobTemplate.Spec.Template})
	}
	if len(out) != 3 {
		t.Fatalf("%d pod templates, want those of control plane, scheduler and spider", len(out))
	}
	for _, p := range out {
		if s := p.spec(); len(s.Containers) != 1 || len(s.InitContainers) > 0 {
			t.Fatalf("%s has not exactly one container", p.owner)
		}
	}
	return out
}

func is(p *bool, want bool) bool { return p != nil && *p == want }

// The restricted profile asks for some of it; the rest is our own.
func TestPodsMayDoNothingThatTheyNeedNot(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		for _, p := range append(pods(t, c), worker(t, c)) {
			s, k := p.spec(), p.container()
			check := func(ok bool, what string) {
				if !ok {
					t.Errorf("%s: %s", p.owner, what)
				}
			}
			check(!s.HostNetwork && !s.HostPID && !s.HostIPC, "is in a namespace of the node")
			check(is(s.EnableServiceLinks, false), "gets addresses of Services in its environment")
			check(s.ServiceAccountName != "" && s.ServiceAccountName != "default", "has no service account of its own")
			check(s.AutomountServiceAccountToken != nil, "does not say whether it gets a token")
			if sc := s.SecurityContext; sc == nil {
				t.Errorf("%s: no security context", p.owner)
			} else {
				check(is(sc.RunAsNonRoot, true) && sc.RunAsUser != nil && *sc.RunAsUser == 65532 && sc.RunAsGroup != nil && *sc.RunAsGroup == 65532, "is not user 65532")
				check(sc.FSGroup != nil && *sc.FSGroup == 65532, "its volumes are not group 65532's")
				check(sc.SeccompProfile != nil && sc.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
			}
			if sc := k.SecurityContext; sc == nil {
				t.Errorf("%s: no security context of its container", p.owner)
			} else {
				check(is(sc.AllowPrivilegeEscalation, false), "may get more rights")
				check(is(sc.ReadOnlyRootFilesystem, true), "may write to its image")
				check(sc.Capabilities != nil && slices.Equal(sc.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(sc.Capabilities.Add) == 0, "keeps capabilities")
				check(sc.Privileged == nil && sc.RunAsUser == nil && sc.RunAsNonRoot == nil && sc.SeccompProfile == nil, "its container has other rights than its pod")
			}
			for _, r := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				q := k.Resources.Requests[r]
				check(!q.IsZero(), "asks for no "+string(r))
			}
			check(!k.Resources.Limits.Memory().IsZero(), "has no limit of memory")
			mounts, volumes := map[string]bool{}, map[string]bool{}
			for _, m := range k.VolumeMounts {
				mounts[m.Name] = true
				check(m.SubPath == "" && m.SubPathExpr == "", "mounts a part of "+m.Name+", which is never updated")
			}
			for _, v := range s.Volumes {
				check(mounts[v.Name] && !volumes[v.Name], "does not use its volume "+v.Name+", or has it twice")
				check(sources(v) == 1, "has a volume "+v.Name+" that is not of one kind")
				volumes[v.Name] = true
				check(v.HostPath == nil, "mounts a folder of the node")
				check(v.EmptyDir == nil || !v.EmptyDir.SizeLimit.IsZero(), "has no limit for "+v.Name)
			}
			check(len(volumes) == len(k.VolumeMounts), "mounts what is no volume")
			names := map[string]bool{}
			for _, e := range k.Env {
				check(!names[e.Name] && (e.Value == "") == (e.ValueFrom != nil), "has "+e.Name+" not exactly once")
				names[e.Name] = true
			}
		}
	})
}

// sources is of how many kinds a volume is; with none it would be an emptyDir
// without a limit.
func sources(v corev1.Volume) (n int) {
	for _, is := range []bool{v.EmptyDir != nil, v.ConfigMap != nil, v.Secret != nil, v.Projected != nil, v.PersistentVolumeClaim != nil, v.HostPath != nil} {
		if is {
			n++
		}
	}
	return n
}

// Promise S12: the config is mounted read-only, whole, where --config looks for
// it. So is everything else that a pod is given and does not write itself.
func TestS12ConfigMountsAreReadOnly(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		configs := 0
		for _, p := range pods(t, c) {
			for _, v := range p.spec().Volumes {
				given := v.ConfigMap != nil || v.Secret != nil || v.Projected != nil
				for _, m := range p.container().VolumeMounts {
					if m.Name == v.Name && given != m.ReadOnly {
						t.Errorf("%s: %s is mounted with readOnly %v", p.owner, v.Name, m.ReadOnly)
					}
					if m.Name != v.Name || v.ConfigMap == nil {
						continue
					}
					configs++
					if v.ConfigMap.Name != configName || len(v.ConfigMap.Items) > 0 || v.ConfigMap.Optional != nil || m.MountPath != "/etc/leviathan/autonomy" {
						t.Errorf("%s mounts %s at %s", p.owner, v.ConfigMap.Name, m.MountPath)
					}
					if arg := flags(p.container().Args)["--config"]; p.owner != "Deployment/leviathan-control-plane" || !slices.Equal(arg, []string{m.MountPath}) {
						t.Errorf("%s: --config is %q, mounted is %s", p.owner, arg, m.MountPath)
					}
				}
			}
		}
		if configs != 1 {
			t.Errorf("the config is mounted %d times, want once", configs)
		}
		if m := named[*corev1.ConfigMap](t, c, configName); len(m.Data) != 1 || m.Data[configKey] == "" {
			t.Errorf("%s has not just the key %s", configName, configKey)
		}
	})
}

// What a program writes goes to a volume, and each file that a flag names is in
// one: everything else of a container's files cannot be written.
func TestFilesOfFlagsAreInAVolume(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		for _, p := range append(pods(t, c), worker(t, c)) {
			mounts := []string{}
			for _, m := range p.container().VolumeMounts {
				mounts = append(mounts, m.MountPath)
			}
			if !slices.Contains(mounts, "/tmp") {
				t.Errorf("%s has no /tmp", p.owner)
			}
			for name, values := range flags(p.container().Args) {
				for _, v := range values {
					if strings.HasPrefix(v, "/") && !slices.Contains(mounts, v) && !slices.Contains(mounts, path.Dir(v)) {
						t.Errorf("%s: %s=%s is in no volume", p.owner, name, v)
					}
				}
			}
		}
		d := named[*appsv1.Deployment](t, c, "leviathan-control-plane")
		claim := named[*corev1.PersistentVolumeClaim](t, c, "leviathan-state")
		mode := map[string]corev1.PersistentVolumeAccessMode{"kind": corev1.ReadWriteOnce, "eks": corev1.ReadWriteOncePod}[overlayOf(c)]
		if !slices.Equal(claim.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{mode}) {
			t.Errorf("the claim may be used as %v", claim.Spec.AccessModes)
		}
		if claim.Spec.Resources.Requests.Storage().IsZero() || !slices.ContainsFunc(d.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool {
			return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim.Name && !v.PersistentVolumeClaim.ReadOnly
		}) {
			t.Error("the state is not on the claim leviathan-state")
		}
	})
}

var digest = regexp.MustCompile(`^[a-z0-9.-]+/[a-z0-9./-]+@sha256:[0-9a-f]{64}$`)

func TestImages(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		var images []string
		for _, p := range pods(t, c) {
			k := p.container()
			images = append(images, k.Image)
			want := map[string]corev1.PullPolicy{"kind": corev1.PullNever, "eks": corev1.PullIfNotPresent}[overlayOf(c)]
			if k.ImagePullPolicy != want {
				t.Errorf("%s: imagePullPolicy %s, want %s", p.owner, k.ImagePullPolicy, want)
			}
		}
		config := configOf(t, c)
		switch overlayOf(c) {
		case "kind":
			want := []string{"leviathan-control-plane:local", "leviathan-control-plane:local", "leviathan-control-plane:local", "leviathan-worker:local"}
			if diff := cmp.Diff(want, append(images, config.WorkerImage)); diff != "" {
				t.Error(diff)
			}
		case "eks":
			for _, image := range append(images, config.WorkerImage) {
				if !digest.MatchString(image) {
					t.Errorf("%s is not pinned by its digest", image)
				}
				// What is committed must not be deployable by mistake.
				if !strings.HasPrefix(image, "leviathan.invalid/") || !strings.HasSuffix(image, "@sha256:"+strings.Repeat("0", 64)) {
					t.Errorf("%s is a real image: whose digest can be in the tree that it is made of?", image)
				}
			}
		}
	})
}

func overlayOf(c *cluster) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(c.name, "overlays/"), " ")
	return name
}

// configOf is the autonomy config of a cluster, as the gateway loads it.
func configOf(t *testing.T, c *cluster) *autonomy.Config {
	t.Helper()
	text := named[*corev1.ConfigMap](t, c, configName).Data[configKey]
	config, diagnostics := autonomy.Parse(configKey, []byte(text))
	if config == nil || len(diagnostics) > 0 {
		t.Fatalf("the loader says of %s: %v", configKey, diagnostics)
	}
	return config
}

func TestServicesFindTheirPodsAndPorts(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		services := of[*corev1.Service](c)
		if len(services) != 2 {
			t.Errorf("%d Services", len(services))
		}
		for _, s := range services {
			var found []pod
			for _, p := range pods(t, c) {
				if labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(p.template.Labels)) {
					found = append(found, p)
				}
			}
			if len(found) != 1 || len(s.Spec.Selector) == 0 {
				t.Errorf("Service %s finds %d kinds of pods", s.Name, len(found))
				continue
			}
			if s.Spec.Type != "" && s.Spec.Type != corev1.ServiceTypeClusterIP {
				t.Errorf("Service %s is seen from outside the cluster", s.Name)
			}
			k := found[0].container()
			for _, port := range s.Spec.Ports {
				i := slices.IndexFunc(k.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.TargetPort.StrVal })
				if i < 0 {
					t.Errorf("Service %s: no container port %s", s.Name, port.TargetPort.String())
					continue
				}
				if got, want := flags(k.Args)["--listen"], fmt.Sprintf("0.0.0.0:%d", k.Ports[i].ContainerPort); k.Ports[i].ContainerPort != port.Port || !slices.Equal(got, []string{want}) {
					t.Errorf("Service %s has port %d, the container %d, and it listens on %q", s.Name, port.Port, k.Ports[i].ContainerPort, got)
				}
			}
		}
		for _, d := range of[*appsv1.Deployment](c) {
			if diff := cmp.Diff(map[string]string{"app": d.Name}, d.Spec.Selector.MatchLabels); diff != "" {
				t.Errorf("%s selects otherwise (it can never be changed again): %s", d.Name, diff)
			}
			if d.Spec.Template.Labels["app"] != d.Name {
				t.Errorf("%s does not select its own pods", d.Name)
			}
			if *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
				t.Errorf("%s may run twice at once", d.Name)
			}
		}
	})
}

// A drain of a node ends, and it does not end an attempt that runs.
func TestDisruptionBudgets(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		gateway := named[*policyv1.PodDisruptionBudget](t, c, "leviathan-control-plane").Spec
		if gateway.MinAvailable != nil || gateway.MaxUnavailable == nil || gateway.MaxUnavailable.IntValue() < 1 {
			t.Error("no node with the gateway could ever be drained: it has one replica")
		}
		worker := named[*policyv1.PodDisruptionBudget](t, c, "leviathan-worker").Spec
		quota := named[*corev1.ResourceQuota](t, c, "leviathan").Spec.Hard.Pods()
		if worker.MaxUnavailable != nil || worker.MinAvailable == nil || int64(worker.MinAvailable.IntValue()) < quota.Value() {
			t.Errorf("of %s workers that the quota allows, some may be evicted", quota)
		}
		for app, s := range map[string]policyv1.PodDisruptionBudgetSpec{"leviathan-control-plane": gateway, "leviathan-worker": worker} {
			if diff := cmp.Diff(map[string]string{"app": app}, s.Selector.MatchLabels); diff != "" {
				t.Error(diff)
			}
			if s.UnhealthyPodEvictionPolicy == nil || *s.UnhealthyPodEvictionPolicy != policyv1.AlwaysAllow {
				t.Errorf("a pod of %s that does not even run blocks a drain", app)
			}
		}
	})
}
