package engine

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Files are the bundle's own files by name, tests too: what Digest is taken
// of. They are copies.
func (s *Snapshot) Files() map[string][]byte {
	files := make(map[string][]byte, len(s.files))
	for _, f := range s.files {
		files[f.name] = slices.Clone(f.data)
	}
	return files
}

// Data is the document that the bundle's data files make together; the caller
// owns it.
func (s *Snapshot) Data() (map[string]any, error) {
	manifest, err := readManifest(s.files)
	if err != nil {
		return nil, err
	}
	return readData(s.files, manifest)
}

// Capabilities are what a policy may use, for the tools of who writes one.
func Capabilities() *ast.Capabilities { return hermetic() }
