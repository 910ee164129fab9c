package main

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// binaryPath is where the binary is in every image.
const binaryPath = "usr/local/bin/leviathan"

// A release is what both images are made of.
type release struct {
	version, revision string
	created           time.Time

	binary   []byte
	info     *buildinfo.BuildInfo
	platform v1.Platform
}

// open reads the binary, and refuses one that an empty image cannot run.
func (r *release) open(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading the binary: %w", err)
	}
	program, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%s is no program for Linux: %w", file, err)
	}
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically and finds no library in an empty image: build it with CGO_ENABLED=0", file)
		}
	}
	if r.info, err = buildinfo.Read(bytes.NewReader(data)); err != nil {
		return fmt.Errorf("%s does not say what it was built of: %w", file, err)
	}
	r.binary = data
	for _, s := range r.info.Settings {
		switch s.Key {
		case "GOOS":
			r.platform.OS = s.Value
		case "GOARCH":
			r.platform.Architecture = s.Value
		}
	}
	if r.platform.OS == "" || r.platform.Architecture == "" {
		return fmt.Errorf("%s does not say which platform it is for", file)
	}
	return nil
}

// image is one of the images.
func (r *release) image(title string) (v1.Image, error) {
	var layers []v1.Layer
	for _, files := range [][]entry{ground(), {{name: binaryPath, mode: 0o755, data: r.binary}}} {
		l, err := layer(files, r.created)
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = r.platform.OS, r.platform.Architecture
	config.Created, config.Author = v1.Time{Time: r.created}, ""
	config.History = []v1.History{
		{Created: config.Created, CreatedBy: "user, /tmp and certificates"},
		{Created: config.Created, CreatedBy: "the binary"},
	}
	config.Config = v1.Config{
		User:       "65532:65532",
		Entrypoint: []string{"/" + binaryPath},
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		WorkingDir: "/",
		Labels:     r.labels(title),
	}
	return mutate.ConfigFile(image, config)
}

// labels are those of the OCI image specification that are known.
func (r *release) labels(title string) map[string]string {
	const prefix = "org.opencontainers.image."
	out := map[string]string{
		prefix + "title":       title,
		prefix + "description": "Leviathan runs coding agents on a repository's own backlog, under rules that are policies",
		prefix + "version":     r.version,
		prefix + "licenses":    "Apache-2.0",
		prefix + "created":     r.created.Format(time.RFC3339),
	}
	if r.revision != "" {
		out[prefix+"revision"] = r.revision
	}
	return out
}

// write writes one image to dir: an OCI layout with the SBOM as its referrer, an
// archive, and the SBOM as a file. What was there before is replaced.
func (r *release) write(dir, title string) (v1.Hash, error) {
	image, err := r.image(title)
	if err != nil {
		return v1.Hash{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	bill, err := r.sbom(title, digest)
	if err != nil {
		return v1.Hash{}, err
	}
	attached, err := referrer(image, bill, r.created)
	if err != nil {
		return v1.Hash{}, err
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &r.platform, Annotations: map[string]string{
			"org.opencontainers.image.ref.name": tag,
			"io.containerd.image.name":          "docker.io/library/" + title + ":" + tag,
		}}},
		mutate.IndexAddendum{Add: attached, Descriptor: v1.Descriptor{ArtifactType: spdxType}},
	)
	at := filepath.Join(dir, title)
	if err := os.RemoveAll(at); err != nil {
		return v1.Hash{}, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return v1.Hash{}, err
	}
	if _, err := layout.Write(at, index); err != nil {
		return v1.Hash{}, err
	}
	ref, err := name.NewTag(title + ":" + tag)
	if err != nil {
		return v1.Hash{}, err
	}
	return digest, errors.Join(tarball.WriteToFile(at+".tar", ref, image), os.WriteFile(at+".spdx.json", bill, 0o644))
}
