package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// manifests are the manifests of a layout: the image, and what refers to it.
func manifests(dir, title string) (layout.Path, []v1.Descriptor, error) {
	at, err := layout.FromPath(filepath.Join(dir, title))
	if err != nil {
		return "", nil, fmt.Errorf("reading the layout of %s (images build makes it): %w", title, err)
	}
	index, err := at.ImageIndex()
	if err != nil {
		return "", nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return "", nil, err
	}
	if len(list.Manifests) == 0 || list.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != tag {
		return "", nil, fmt.Errorf("the layout of %s does not begin with its image", title)
	}
	return at, list.Manifests, nil
}

// push sends the images with their SBOMs to a registry, with the credentials
// that docker login left, and prints each by its digest.
func push(ctx context.Context, dir, registry string, plain bool, out io.Writer) error {
	options := []name.Option{name.StrictValidation}
	if plain {
		options = append(options, name.Insecure)
	}
	for _, title := range names {
		at, list, err := manifests(dir, title)
		if err != nil {
			return err
		}
		for _, d := range list {
			image, err := at.Image(d.Digest)
			if err != nil {
				return err
			}
			ref, err := name.NewDigest(trimmed(registry)+"/"+title+"@"+d.Digest.String(), options...)
			if err != nil {
				return fmt.Errorf("-registry %s: %w", registry, err)
			}
			if err := remote.Write(ref, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
				return fmt.Errorf("pushing %s: %w", ref, err)
			}
		}
		fmt.Fprintf(out, "%s/%s@%s\n", trimmed(registry), title, list[0].Digest)
	}
	return nil
}

// pins are what a kustomization of pinned images is made of.
type pins struct {
	Overlay, Registry, Worker string
	Digest                    string
}

//go:embed pinned.yaml.tmpl
var pinned string

// pin writes a kustomization that puts the built images into an overlay.
func pin(in, out string, p pins) error {
	p.Registry = trimmed(p.Registry)
	_, list, err := manifests(in, names[0])
	if err != nil {
		return err
	}
	p.Digest = list[0].Digest.String()
	if _, err := name.NewDigest(p.Worker, name.StrictValidation); err != nil {
		return fmt.Errorf("-worker %s is not an image by its digest (NAME@sha256:…): %w", p.Worker, err)
	}
	if _, err := name.NewRepository(p.Registry+"/"+names[0], name.StrictValidation); err != nil {
		return fmt.Errorf("-registry %s: %w", p.Registry, err)
	}
	if p.Overlay, err = relative(out, p.Overlay); err != nil {
		return err
	}
	t, err := template.New("").Option("missingkey=error").Parse(pinned)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, p); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "kustomization.yaml"), []byte(text.String()), 0o644)
}

// relative is a folder as seen from another: kustomize takes no other path.
func relative(from, to string) (string, error) {
	a, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	b, err := filepath.Abs(to)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(b, "kustomization.yaml")); err != nil {
		return "", fmt.Errorf("-overlay: %w", err)
	}
	return filepath.Rel(a, b)
}
