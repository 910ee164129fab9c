package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func TestPushSendsImageAndSBOM(t *testing.T) {
	dir := build(t, program(t))
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	defer server.Close()
	where := strings.TrimPrefix(server.URL, "http://") + "/team"
	var out bytes.Buffer
	if err := run(t.Context(), []string{"push", "-in", dir, "-registry", where + "/", "-http"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(out.String())
	if len(lines) != len(names) {
		t.Fatalf("it says %q", out.String())
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, where+"/"+names[i]+"@sha256:") {
			t.Errorf("it says %s", line)
		}
		ref, err := name.NewDigest(line, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		image, err := remote.Image(ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(image); err != nil {
			t.Error(err)
		}
		index, err := remote.Referrers(ref)
		if err != nil {
			t.Fatal(err)
		}
		list, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		_, local, err := manifests(dir, names[i])
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Manifests) != 1 || list.Manifests[0].Digest != local[1].Digest {
			t.Errorf("%s is referred to by %+v", line, list.Manifests)
		}
	}
}

func TestPushSaysWhatIsWrong(t *testing.T) {
	for _, args := range [][]string{
		{"push", "-in", t.TempDir(), "-registry", "r.example"}, // nothing was built
		{"push", "-registry", "r.example"},
		{"push", "-in", build(t, program(t)), "-registry", "R Example"},
		{"pull"},
		{},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was done", args)
		}
	}
}

func TestPinPutsTheDigestIntoAKustomization(t *testing.T) {
	dir, to := build(t, program(t)), filepath.Join(t.TempDir(), "eks")
	worker := "r.example/agent@sha256:" + strings.Repeat("a", 64)
	args := func(worker, overlay string) []string {
		return []string{"pin", "-in", dir, "-out", to, "-overlay", overlay, "-registry", "r.example/team/", "-worker", worker}
	}
	if err := run(t.Context(), args(worker, "../overlays/eks"), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(to, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, err := manifests(dir, names[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"newName: r.example/team/leviathan-control-plane\n", "digest: " + list[0].Digest.String() + "\n", "worker_image: " + worker + "\"", "deploy/overlays/eks\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if err := run(t.Context(), args("r.example/agent:latest", "../overlays/eks"), io.Discard, io.Discard); err == nil {
		t.Error("a worker's image without a digest was taken")
	}
	if err := run(t.Context(), args(worker, t.TempDir()), io.Discard, io.Discard); err == nil {
		t.Error("a folder that is no overlay was taken")
	}
}
