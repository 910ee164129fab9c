package deploy_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// A ruleFile is a file of Prometheus' rules.
type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []struct {
			Alert       string            `json:"alert,omitempty"`
			Record      string            `json:"record,omitempty"`
			Expr        string            `json:"expr"`
			For         string            `json:"for,omitempty"`
			Labels      map[string]string `json:"labels,omitempty"`
			Annotations map[string]string `json:"annotations,omitempty"`
		} `json:"rules"`
	} `json:"groups"`
}

const rulesFile = "components/monitoring/rules.yaml"

// The operator's rules are those of deploy/observability, word for word.
func TestRulesOfTheComponentAreThoseOfObservability(t *testing.T) {
	var out bytes.Buffer
	out.WriteString("# Made of deploy/observability/rules by `go test ./deploy -update`. Do not edit:\n# which targets are meant to be on is said by a rule of your own, as\n# deploy/observability/rules/expected.yaml shows.\n")
	data, err := os.ReadFile("observability/rules/leviathan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules ruleFile
	if err := yaml.UnmarshalStrict(data, &rules); err != nil {
		t.Fatalf("observability/rules/leviathan.yaml: %v", err)
	}
	if len(rules.Groups) == 0 || len(rules.Groups[0].Rules) == 0 {
		t.Fatal("there are no rules")
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule",
		"metadata": map[string]any{"name": "leviathan", "namespace": namespace, "labels": map[string]string{
			"app.kubernetes.io/name": "leviathan", "app.kubernetes.io/part-of": "leviathan", "app.kubernetes.io/managed-by": "kustomize"}}, "spec": rules})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	if *update {
		if err := os.WriteFile(rulesFile, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, out.Bytes()) {
		t.Errorf("%s is not what the rules are now: run go test ./deploy -update", rulesFile)
	}
}

var askedJob = regexp.MustCompile(`job="([^"]+)"`)

func TestMonitorsFindTheirServices(t *testing.T) {
	each(t, func(t *testing.T, c *cluster) {
		var jobs []string
		monitors := of[*serviceMonitor](c)
		if want := map[bool]int{true: 2, false: 0}[in(c, "monitoring")]; len(monitors) != want {
			t.Fatalf("%d ServiceMonitors, want %d", len(monitors), want)
		}
		for _, m := range monitors {
			found := 0
			for _, s := range of[*corev1.Service](c) {
				if !labels.SelectorFromSet(m.Spec.Selector.MatchLabels).Matches(labels.Set(s.Labels)) {
					continue
				}
				found++
				for _, e := range m.Spec.Endpoints {
					if !slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == e.Port }) || e.Path != "/metrics" || e.Interval != "15s" {
						t.Errorf("%s asks for %s of the port %s every %s", m.Name, e.Path, e.Port, e.Interval)
					}
					if gateway := s.Name == "leviathan-control-plane"; gateway != (e.Authorization != nil && e.Authorization.Type == "Bearer") {
						t.Errorf("%s: with a token: %v", m.Name, e.Authorization)
					}
					for _, r := range e.Relabelings {
						if r.TargetLabel == "job" {
							jobs = append(jobs, r.Replacement)
						}
					}
				}
			}
			if found != 1 {
				t.Errorf("%s finds %d Services", m.Name, found)
			}
		}
		slices.Sort(jobs)
		if want := []string{"leviathan-gateway", "leviathan-spider"}; in(c, "monitoring") && !slices.Equal(jobs, want) {
			t.Errorf("the jobs are %q, want %q, as observability/prometheus.yaml has them", jobs, want)
		}
		rules := of[*prometheusRule](c)
		if len(rules)*2 != len(monitors) {
			t.Fatalf("%d PrometheusRules", len(rules))
		}
		for _, r := range rules {
			var all strings.Builder
			for _, g := range r.Spec.Groups {
				for _, rule := range g.Rules {
					all.WriteString(rule.Expr + "\n")
				}
			}
			found := askedJob.FindAllStringSubmatch(all.String(), -1)
			if len(found) == 0 {
				t.Error("no alert asks whether the gateway is up")
			}
			for _, m := range found {
				if !slices.Contains(jobs, m[1]) {
					t.Errorf("an alert asks for the job %s; the monitors make %v", m[1], jobs)
				}
			}
		}
	})
}
