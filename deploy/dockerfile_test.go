package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"leviathan/invariants/facts"
)

// The example of a worker's image takes the binary from where the build puts
// it, has the git that a worker runs, and is not root.
func TestTheWorkersDockerfile(t *testing.T) {
	found, err := facts.Read(t.Context(), ".", facts.Options{Topology: "topology.yaml", Exclude: []string{"e2e"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Problems) > 0 {
		t.Errorf("the folder cannot be read in full: %v", found.Problems)
	}
	if found.Topology == nil {
		t.Error("topology.yaml is not read as the topology")
	}
	d := found.Dockerfiles["worker.Dockerfile"]
	if d == nil || len(d.Stages) != 2 || d.Stages[0].Image.Reference != "leviathan-worker:local" {
		t.Fatalf("worker.Dockerfile has %+v", d)
	}
	of := func(keyword string) (out []string) {
		for _, in := range d.Instructions {
			if in.Keyword == keyword && in.Stage == 1 {
				out = append(out, in.Args)
			}
		}
		return out
	}
	binary := "/usr/local/bin/leviathan"
	if got := of("COPY"); !slices.Equal(got, []string{"--from=" + d.Stages[0].Name + " " + binary + " " + binary}) {
		t.Errorf("it copies %q", got)
	}
	if got := of("USER"); !slices.Equal(got, []string{"65532:65532"}) {
		t.Errorf("it runs as %q", got)
	}
	if got := of("ENTRYPOINT"); !slices.Equal(got, []string{`["` + binary + `"]`}) {
		t.Errorf("it runs %q", got)
	}
	packages := strings.Fields(strings.Join(of("RUN"), " "))
	for _, name := range []string{"git", "ca-certificates"} {
		if !slices.Contains(packages, name) {
			t.Errorf("it has no %s", name)
		}
	}
}
