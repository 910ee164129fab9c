package invariants

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"text/template"

	"leviathan/invariants/facts"
)

//go:embed starter/workflow.yml
var starterWorkflow []byte

//go:embed starter/settings.yaml.tmpl
var starterSettings string

// Init writes starter settings, with the categories that have something to look
// at in the repository at dir, and a workflow. Files that exist are kept.
func Init(ctx context.Context, dir string) (written, kept []string, err error) {
	_, by, err := Options{Dir: dir}.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, by.close()) }()
	found, err := facts.Read(ctx, dir, facts.Options{})
	if err != nil {
		return nil, nil, err
	}
	parts, err := found.Parts()
	if err != nil {
		return nil, nil, err
	}
	var categories []string
	for _, c := range by.about().checks {
		if c.Name != waiversCategory && !c.Named && c.Lacks(parts) == "" {
			categories = append(categories, c.Name)
		}
	}
	var settings bytes.Buffer
	t, err := template.New("settings").Parse(starterSettings)
	if err == nil {
		err = t.Execute(&settings, map[string]any{"Categories": categories})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("make starter settings: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, f := range []struct {
		name string
		data []byte
	}{{SettingsFile, settings.Bytes()}, {".github/workflows/invariants.yml", starterWorkflow}} {
		wrote, err := writeNew(root, f.name, f.data)
		if err != nil {
			return written, kept, err
		}
		if wrote {
			written = append(written, f.name)
		} else {
			kept = append(kept, f.name)
		}
	}
	return written, kept, nil
}

// writeNew writes a file that does not exist yet.
func writeNew(root *os.Root, name string, data []byte) (wrote bool, err error) {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return false, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write %s: %w", name, err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return false, fmt.Errorf("write %s: %w", name, err)
	}
	return true, nil
}
