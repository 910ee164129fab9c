package invariants_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/invariants"
)

// manifests writes n files of three resources each, such as a cluster's
// repository has, in kustomizations of fifty.
func manifests(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	write := func(name, text string) {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	write("README.md", "# Example\n")
	template, err := os.ReadFile("testdata/manifest.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("app-%04d", i)
		write(fmt.Sprintf("apps/group-%02d/%s.yaml", i/50, name), strings.ReplaceAll(string(template), "NAME", name))
	}
	for group := range (n + 49) / 50 {
		var b strings.Builder
		b.WriteString("namespace: apps\nresources:\n")
		for i := group * 50; i < min(n, group*50+50); i++ {
			fmt.Fprintf(&b, "  - app-%04d.yaml\n", i)
		}
		write(fmt.Sprintf("apps/group-%02d/kustomization.yaml", group), b.String())
	}
	return dir
}

// BenchmarkManifests checks 2,000 manifests: 3 s and 300 MB are the bound.
func BenchmarkManifests(b *testing.B) {
	dir := manifests(b, 2000)
	b.ReportAllocs()
	for b.Loop() {
		r, err := invariants.Check(b.Context(), invariants.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if len(r.Violations()) != 0 {
			b.Fatalf("the generated manifests are not sound: %v", r.Violations()[0])
		}
	}
}

// BenchmarkOwnRepository checks the repository of this package: 300 ms are the
// bound.
func BenchmarkOwnRepository(b *testing.B) {
	for b.Loop() {
		if _, err := invariants.Check(b.Context(), invariants.Options{Dir: ".."}); err != nil {
			b.Fatal(err)
		}
	}
}
