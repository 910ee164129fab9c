package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// program builds a small static program.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", file, "./testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// build runs the command on a program, and returns the folder that it wrote.
func build(t *testing.T, binary string) string {
	t.Helper()
	dir := t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), []string{"build", "-binary", binary, "-out", dir, "-version", "1.2.3", "-revision", "abc", "-created", "1700000000"}, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.Contains(out.String(), name+":local sha256:") {
			t.Errorf("the command does not say the digest of %s:\n%s", name, out.String())
		}
	}
	return dir
}

// imageOf is the image of a layout, valid in every part.
func imageOf(t *testing.T, dir, title string) v1.Image {
	t.Helper()
	at, list, err := manifests(dir, title)
	if err != nil {
		t.Fatal(err)
	}
	image, err := at.Image(list[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Errorf("%s is not a valid image: %v", title, err)
	}
	return image
}

// Promise S24: the build makes leviathan-control-plane:local and
// leviathan-worker:local from one binary.
func TestS24BothTagsAreMadeFromOneBinary(t *testing.T) {
	binary := program(t)
	dir := build(t, binary)
	want, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{"leviathan-control-plane", "leviathan-worker"} {
		image := imageOf(t, dir, title)
		if got := files(t, image)["usr/local/bin/leviathan"]; !bytes.Equal(got.data, want) || got.mode != 0o755 {
			t.Errorf("%s has another binary (mode %o)", title, got.mode)
		}
		_, list, err := manifests(dir, title)
		if err != nil {
			t.Fatal(err)
		}
		if a := list[0].Annotations; a["org.opencontainers.image.ref.name"] != "local" || a["io.containerd.image.name"] != "docker.io/library/"+title+":local" {
			t.Errorf("%s is called %v", title, a)
		}
		archive, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(filepath.Join(dir, title+".tar")) })
		if err != nil {
			t.Fatal(err)
		}
		if len(archive) != 1 || !slices.Equal(archive[0].RepoTags, []string{title + ":local"}) {
			t.Errorf("the archive of %s has %v", title, archive)
		}
		loaded, err := tarball.ImageFromPath(filepath.Join(dir, title+".tar"), nil)
		if err != nil {
			t.Fatal(err)
		}
		inArchive, err := loaded.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		inLayout, err := image.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		if inArchive != inLayout {
			t.Errorf("the archive of %s has another image", title)
		}
	}
}

// tree is every file under a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTwoBuildsAreTheSame(t *testing.T) {
	binary := program(t)
	first := tree(t, build(t, binary))
	copied := filepath.Join(t.TempDir(), "other-name")
	data, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(copied, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if second := tree(t, build(t, copied)); len(first) < 10 || !maps.Equal(first, second) {
		t.Error("two builds of one binary differ")
	}
}

type content struct {
	mode     int64
	uid, gid int
	at       time.Time
	data     []byte
}

// files are what a container of the image finds.
func files(t *testing.T, image v1.Image) map[string]content {
	t.Helper()
	all := mutate.Extract(image)
	defer all.Close()
	out := map[string]content{}
	r := tar.NewReader(all)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = content{h.Mode, h.Uid, h.Gid, h.ModTime, data}
	}
}

func TestAnImageHasWhatItNeedsAndNothingElse(t *testing.T) {
	image := imageOf(t, build(t, program(t)), "leviathan-control-plane")
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/usr/local/bin/leviathan"}) || len(c.Cmd) > 0 || len(c.Volumes) > 0 {
		t.Errorf("runs %v %v as %s", c.Entrypoint, c.Cmd, c.User)
	}
	if config.OS != "linux" || config.Architecture == "" || !config.Created.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("%s/%s of %s", config.OS, config.Architecture, config.Created)
	}
	for name, want := range map[string]string{"title": "leviathan-control-plane", "version": "1.2.3", "revision": "abc", "licenses": "Apache-2.0", "created": "2023-11-14T22:13:20Z"} {
		if got := config.Config.Labels["org.opencontainers.image."+name]; got != want {
			t.Errorf("the label %s is %q, want %q", name, got, want)
		}
	}
	found := files(t, image)
	want := []string{"etc", "etc/group", "etc/passwd", "etc/ssl", "etc/ssl/certs", certificatesPath, "tmp", "usr", "usr/local", "usr/local/bin", binaryPath}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
		t.Errorf("has %v", got)
	}
	for name, f := range found {
		if f.uid != 0 || f.gid != 0 || !f.at.Equal(time.Unix(1700000000, 0)) || (f.mode&0o022 != 0) != (name == "tmp") {
			t.Errorf("%s: mode %o of %d:%d, %s", name, f.mode, f.uid, f.gid, f.at)
		}
	}
	if !strings.Contains(string(found["etc/passwd"].data), ":65532:65532:") {
		t.Error("user 65532 has no name")
	}
}

func TestCertificatesAreTheAuthoritiesOfGitHub(t *testing.T) {
	subjects := map[string]bool{}
	for rest := certificates(); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		subjects[c.Subject.CommonName] = c.IsCA
	}
	if len(subjects) < 80 {
		t.Errorf("%d authorities", len(subjects))
	}
	for _, name := range []string{"USERTrust ECC Certification Authority", "DigiCert Global Root G2", "ISRG Root X1"} {
		if !subjects[name] {
			t.Errorf("%s is not among them", name)
		}
	}
}

func TestTheSBOMNamesEveryModuleAndIsAttached(t *testing.T) {
	dir := build(t, program(t))
	for _, title := range names {
		file, err := os.ReadFile(filepath.Join(dir, title+".spdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var b bill
		if err := json.Unmarshal(file, &b); err != nil {
			t.Fatal(err)
		}
		if b.SPDXVersion != "SPDX-2.3" || b.DataLicense != "CC0-1.0" || b.SPDXID != "SPDXRef-DOCUMENT" || b.DocumentNamespace == "" || b.CreationInfo.Created != "2023-11-14T22:13:20Z" {
			t.Errorf("%+v", b)
		}
		ids, named := map[string]bool{b.SPDXID: true}, map[string]string{}
		for _, p := range b.Packages {
			if ids[p.SPDXID] || p.DownloadLocation == "" {
				t.Errorf("%s is there twice, or comes from nowhere", p.SPDXID)
			}
			ids[p.SPDXID], named[p.Name] = true, p.VersionInfo
		}
		for _, name := range []string{title, "stdlib", "github.com/google/go-containerregistry", "golang.org/x/crypto/x509roots/fallback"} {
			if named[name] == "" {
				t.Errorf("%s is not in the SBOM of %s: %v", name, title, named)
			}
		}
		for _, r := range b.Relationships {
			if !ids[r.Element] || !ids[r.Related] {
				t.Errorf("%+v is about nothing", r)
			}
		}
		at, list, err := manifests(dir, title)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != 2 || list[1].ArtifactType != "application/spdx+json" {
			t.Fatalf("%s has %+v", title, list)
		}
		checkReferrer(t, at, list, file)
	}
}

// checkReferrer looks at the artifact as a client of a registry would.
func checkReferrer(t *testing.T, at layout.Path, list []v1.Descriptor, want []byte) {
	t.Helper()
	raw, err := at.Bytes(list[1].Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if m.ArtifactType != spdxType || m.Subject == nil || m.Subject.Digest != list[0].Digest || m.Subject.Size != list[0].Size || len(m.Layers) != 1 || m.Config.MediaType != "application/vnd.oci.empty.v1+json" {
		t.Fatalf("the artifact is %s", raw)
	}
	if blob, err := at.Bytes(m.Layers[0].Digest); err != nil || !bytes.Equal(blob, want) {
		t.Errorf("the blob is not the SBOM: %v", err)
	}
	if blob, err := at.Bytes(m.Config.Digest); err != nil || string(blob) != "{}" {
		t.Errorf("the config is %q: %v", blob, err)
	}
}

func TestWhatAnEmptyImageCannotRunIsRefused(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{script: "no program for Linux", "/bin/sh": "CGO_ENABLED=0", script + ".not": "reading the binary"} {
		if _, err := os.Stat(file); err != nil && file == "/bin/sh" {
			continue
		}
		err := run(t.Context(), []string{"build", "-binary", file, "-out", t.TempDir(), "-version", "1"}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
