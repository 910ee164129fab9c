package deploy_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestProbesAskOpenRoutesOfTheContainersPort(t *testing.T) {
	type asked struct{ startup, live, ready string }
	want := map[string]asked{
		"Deployment/leviathan-control-plane": {"/health", "/health", "/health/ready"},
		"Deployment/leviathan-spider":        {"", "/health", "/health"},
		"CronJob/leviathan-dev-scheduler":    {},
	}
	each(t, func(t *testing.T, c *cluster) {
		for _, p := range pods(t, c) {
			of := func(probe *corev1.Probe) string {
				if probe == nil {
					return ""
				}
				if probe.TimeoutSeconds < 5 && probe != p.container().StartupProbe {
					t.Errorf("%s: a probe waits for %d s: a busy machine is not a dead one", p.owner, probe.TimeoutSeconds)
				}
				if probe.HTTPGet == nil || !slices.ContainsFunc(p.container().Ports, func(port corev1.ContainerPort) bool {
					return port.Name == probe.HTTPGet.Port.StrVal
				}) {
					return fmt.Sprintf("no port of the container: %+v", probe.ProbeHandler)
				}
				return probe.HTTPGet.Path
			}
			k := p.container()
			if got := (asked{of(k.StartupProbe), of(k.LivenessProbe), of(k.ReadinessProbe)}); got != want[p.owner] {
				t.Errorf("%s: probes %+v, want %+v", p.owner, got, want[p.owner])
			}
			// A Lease of a gateway that was killed ends before a new one is; and
			// nothing is killed for a pause.
			if startup := k.StartupProbe; startup != nil && startup.PeriodSeconds*startup.FailureThreshold < 120 {
				t.Errorf("%s: has %d s to start", p.owner, startup.PeriodSeconds*startup.FailureThreshold)
			}
			if live := k.LivenessProbe; live != nil && live.PeriodSeconds*live.FailureThreshold < 60 {
				t.Errorf("%s: is killed after %d s", p.owner, live.PeriodSeconds*live.FailureThreshold)
			}
			if ready := k.ReadinessProbe; ready != nil && ready.PeriodSeconds == 0 {
				t.Errorf("%s: how often it is asked is not said", p.owner)
			}
		}
	})
}

// Effects that were decided may take 30 s to end; the memory limit is more than
// what Go is told to keep to.
func TestTheGatewayMayEndInOrder(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		d := named[*appsv1.Deployment](t, c, "leviathan-control-plane")
		if grace := d.Spec.Template.Spec.TerminationGracePeriodSeconds; grace == nil || *grace <= 30 {
			t.Error("it is killed before its effects end")
		}
		k := d.Spec.Template.Spec.Containers[0]
		i := slices.IndexFunc(k.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
		if i < 0 {
			t.Fatal("it does not know its limit of memory")
		}
		mib, err := strconv.ParseInt(strings.TrimSuffix(k.Env[i].Value, "MiB"), 10, 64)
		if limit := k.Resources.Limits.Memory().Value(); err != nil || mib<<20 >= limit || mib<<20 < limit*3/4 {
			t.Errorf("GOMEMLIMIT is %s of %d bytes: %v", k.Env[i].Value, limit, err)
		}
	})
}
