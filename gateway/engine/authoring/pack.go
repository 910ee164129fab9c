package authoring

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// SignatureFile is where a bundle has its signature.
const SignatureFile = ".signatures.json"

const manifestFile = ".manifest"

// BuildOptions say what a built bundle contains.
type BuildOptions struct {
	// Revision replaces the manifest's. Empty: it stays.
	Revision string
	// WithoutTests leaves out *_test.rego.
	WithoutTests bool
}

// Build makes the files of a bundle from those of a folder, which must be a
// bundle that loads.
func Build(files map[string][]byte, opts BuildOptions) (map[string][]byte, error) {
	built := maps.Clone(files)
	delete(built, SignatureFile) // it is of the files as they were
	if opts.WithoutTests {
		maps.DeleteFunc(built, func(name string, _ []byte) bool { return isTest(name) })
	}
	if opts.Revision == "" {
		return built, nil
	}
	manifest := map[string]json.RawMessage{}
	if text, ok := built[manifestFile]; ok {
		if err := json.Unmarshal(text, &manifest); err != nil {
			return nil, fmt.Errorf("read %s: %w", manifestFile, err)
		}
	}
	revision, err := json.Marshal(opts.Revision)
	if err != nil {
		return nil, fmt.Errorf("write the revision: %w", err)
	}
	manifest["revision"] = revision
	text, err := json.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", manifestFile, err)
	}
	built[manifestFile] = append(text, '\n')
	return built, nil
}

// Pack writes the files as a tar.gz that any OPA loads. Equal files give equal
// bytes, whatever the machine and the release: sorted, without times and
// owners, stored and not compressed.
func Pack(files map[string][]byte) ([]byte, error) {
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.NoCompression)
	if err != nil {
		return nil, fmt.Errorf("pack the bundle: %w", err)
	}
	tw := tar.NewWriter(zw)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "/" + name, Size: int64(len(files[name])), Mode: 0o644}
		if err := tw.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
		if _, err := tw.Write(files[name]); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return nil, fmt.Errorf("pack the bundle: %w", err)
	}
	return buf.Bytes(), nil
}
