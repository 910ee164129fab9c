package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers are the rows of docs/architecture.md: a package imports only from
// rows above its own, and links only the heavy dependencies that it fences.
var layers = map[string]struct {
	row  int
	only []string // the packages of this module that it may import, if fewer than all above it
}{
	"leviathan/policies":                 {1, nil},
	"leviathan/gateway":                  {1, []string{}},
	"leviathan/gateway/strictyaml":       {2, []string{"leviathan/gateway"}},
	"leviathan/gateway/autonomy":         {3, nil},
	"leviathan/gateway/backlog":          {3, nil},
	"leviathan/gateway/engine":           {3, []string{"leviathan/gateway"}},
	"leviathan/gateway/engine/authoring": {4, []string{"leviathan/gateway", "leviathan/gateway/engine", "leviathan/gateway/strictyaml"}},
	"leviathan/gateway/journal":          {3, []string{"leviathan/gateway"}},
	"leviathan/gateway/repository":       {3, []string{"leviathan/gateway"}},
	"leviathan/gateway/forge":            {3, []string{"leviathan/gateway", "leviathan/gateway/strictyaml"}},
	"leviathan/gateway/cluster":          {3, []string{"leviathan/gateway"}},
	"leviathan/gateway/replay":           {4, []string{"leviathan/gateway", "leviathan/gateway/engine", "leviathan/gateway/journal"}},
	"leviathan/gateway/release04":        {4, []string{"leviathan/gateway"}},
	"leviathan/gateway/console":          {4, []string{"leviathan/gateway"}},
	"leviathan/gateway/openapi":          {3, []string{"leviathan/gateway"}},
	"leviathan/gateway/server":           {5, nil},
	"leviathan/scheduler":                {5, []string{"leviathan/gateway"}},
	"leviathan/worker":                   {5, []string{"leviathan/gateway"}},
	"leviathan/spider":                   {5, []string{"leviathan/gateway"}},
	"leviathan/invariants/facts":         {4, nil},
	"leviathan/invariants/report":        {4, nil},
	"leviathan/invariants":               {5, nil},
	"leviathan/cmd/leviathan":            {6, nil},
	"leviathan/deploy":                   {6, nil}, // tests alone
	"leviathan/deploy/observability":     {6, nil}, // tests alone
}

// fences say who alone may import a module, and why.
var fences = map[string]struct {
	by  []string
	why string
}{
	"github.com/open-policy-agent/opa/":    {[]string{"leviathan/gateway/engine", "leviathan/gateway/engine/authoring"}, "one place decides what a policy may do"},
	"modernc.org/sqlite":                   {[]string{"leviathan/gateway/journal"}, "one writer"},
	"github.com/gorilla/mux":               {[]string{"leviathan/gateway/server"}, "routes are one table"},
	"github.com/go-git/go-git/v5":          {[]string{"leviathan/gateway/repository"}, "workers and forges use the git binary"},
	"github.com/google/go-github/":         {[]string{"leviathan/gateway/forge"}, "one transport speaks to the forge"},
	"k8s.io/client-go/":                    {[]string{"leviathan/scheduler", "leviathan/gateway/cluster"}, "a laptop needs no cluster"},
	"github.com/landlock-lsm/":             {[]string{"leviathan/worker"}, "one sandbox"},
	"github.com/goccy/go-yaml":             {[]string{"leviathan/gateway/strictyaml", "leviathan/invariants"}, "one strict reader for what humans write"},
	"sigs.k8s.io/kustomize/":               {[]string{"leviathan/invariants/facts"}, "only facts render manifests"},
	"go.yaml.in/yaml/v3":                   {[]string{"leviathan/invariants/facts"}, "facts keep what a strict reader refuses, with its place"},
	"github.com/spf13/cobra":               {[]string{"leviathan/cmd/leviathan"}, "flags are the command's"},
	"github.com/prometheus/client_golang/": {[]string{"leviathan/gateway/server", "leviathan/spider"}, "metrics belong to what serves them"},
	"github.com/lestrrat-go/jwx/v3/":       {[]string{"leviathan/gateway/server", "leviathan/gateway/forge"}, "tokens are the gateway's"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "leviathan/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestPackagesImportOnlyFromRowsAbove(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 8 {
		t.Fatalf("go list found %d packages: the test looks at the wrong tree", len(packages))
	}
	for _, p := range packages {
		own, ok := layers[p.ImportPath]
		if !ok {
			t.Errorf("%s is in no row of docs/architecture.md", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, "leviathan/") {
				continue
			}
			if layers[imported].row >= own.row {
				t.Errorf("%s (row %d) imports %s (row %d): imports go up only", p.ImportPath, own.row, imported, layers[imported].row)
			}
			if own.only != nil && !slices.Contains(own.only, imported) {
				t.Errorf("%s imports %s and may import only %v", p.ImportPath, imported, own.only)
			}
		}
	}
}

func TestHeavyDependenciesStayInTheirFence(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, imported := range p.Imports {
			for prefix, fence := range fences {
				if strings.HasPrefix(imported+"/", prefix) && !slices.Contains(fence.by, p.ImportPath) {
					t.Errorf("%s imports %s, which only %v may: %s", p.ImportPath, imported, fence.by, fence.why)
				}
			}
		}
		if p.ImportPath == "leviathan/gateway" {
			for _, imported := range p.Imports {
				if strings.Contains(strings.Split(imported, "/")[0], ".") {
					t.Errorf("the contract imports %s: it links the standard library alone", imported)
				}
			}
		}
	}
}
