package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	corev1 "k8s.io/api/core/v1"
)

// beside copies the manifests to a folder of the test's own, and renders an
// overlay that stands beside the others there.
func beside(t *testing.T, files map[string]string) *cluster {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"base", "overlays", "components"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(part)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		file := filepath.Join(dir, "overlays", "mine", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := renderFolder("mine", filepath.Join(dir, "overlays", "mine"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What `make manifests` writes puts real images where the placeholders were,
// also into the config, and changes nothing else.
func TestPinnedImagesReplaceEveryPlaceholder(t *testing.T) {
	text, err := template.ParseFiles("images/pinned.yaml.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	image, worker := "sha256:"+strings.Repeat("a", 64), "r.example/agent@sha256:"+strings.Repeat("b", 64)
	var written strings.Builder
	if err := text.Execute(&written, map[string]string{"Overlay": "../eks", "Registry": "r.example/team", "Digest": image, "Worker": worker}); err != nil {
		t.Fatal(err)
	}
	c := beside(t, map[string]string{"kustomization.yaml": written.String()})
	for _, p := range pods(t, c) {
		if want := "r.example/team/leviathan-control-plane@" + image; p.container().Image != want {
			t.Errorf("%s runs %s", p.owner, p.container().Image)
		}
	}
	if got := configOf(t, c).WorkerImage; got != worker {
		t.Errorf("workers run %s", got)
	}
	restOf := func(c *cluster) string {
		_, rest, _ := strings.Cut(named[*corev1.ConfigMap](t, c, configName).Data[configKey], "\n")
		return rest
	}
	for _, o := range clusters(t) {
		if rest := restOf(o); rest == "" || rest != restOf(c) {
			t.Errorf("more than the first line of the config is another one than that of %s", o.name)
		}
	}
	if n := len(of[*corev1.ConfigMap](c)); n != 1 {
		t.Errorf("%d ConfigMaps reach the cluster", n)
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The overlay that the README shows is one that works.
func TestTheReadmesOverlayRenders(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("the README has %d blocks of YAML, want kustomization and config", len(blocks))
	}
	c := beside(t, map[string]string{"kustomization.yaml": blocks[0][1], "autonomy.yaml": blocks[1][1]})
	if config := configOf(t, c); !config.AutonomyEnabled || config.TargetRepoURL != "https://github.com/your-team/your-repository.git" {
		t.Errorf("the config is not the README's: %+v", config)
	}
}
