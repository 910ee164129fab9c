package invariants

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"text/template"

	"leviathan/invariants/facts"
)

//go:embed starter/*.tmpl
var starterFiles embed.FS

var starters = template.Must(template.ParseFS(starterFiles, "starter/*.tmpl"))

// actionForm is a repository on GitHub at a commit. A branch or a tag is none:
// what they mean can change.
var actionForm = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+)@([0-9a-f]{40})$`)

// Init writes starter settings, with the categories that have something to look
// at in the repository at dir, and a workflow. Files that exist are kept. Action,
// as OWNER/REPOSITORY@COMMIT, is where on GitHub the workflow takes the gate from;
// empty means that its runner has the command.
func Init(ctx context.Context, dir, action string) (written, kept []string, err error) {
	if action != "" {
		parts := actionForm.FindStringSubmatch(action)
		if parts == nil {
			return nil, nil, fmt.Errorf("write a workflow: the action %q is not OWNER/REPOSITORY@COMMIT, with all 40 digits of the commit", action)
		}
		action = parts[1] + "/.github/actions/invariants@" + parts[2]
	}
	opts := Options{Dir: dir}
	settings, err := opts.settings()
	if err != nil {
		return nil, nil, err
	}
	by, err := opts.judge(ctx, settings)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, by.close()) }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, f := range []struct{ name, template string }{{".github/workflows/invariants.yml", "workflow.yml.tmpl"}, {SettingsFile, "settings.yaml.tmpl"}} {
		categories, err := lookedAt(ctx, dir, by) // the settings' sees the workflow
		if err != nil {
			return written, kept, err
		}
		var text bytes.Buffer
		if err := starters.ExecuteTemplate(&text, f.template, map[string]any{"Categories": categories, "Action": action}); err != nil {
			return written, kept, fmt.Errorf("make %s: %w", f.name, err)
		}
		wrote, err := writeNew(root, f.name, text.Bytes())
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

// lookedAt are the categories that have something to look at and need not be
// named.
func lookedAt(ctx context.Context, dir string, by judge) (names []string, err error) {
	found, err := facts.Read(ctx, dir, facts.Options{})
	if err != nil {
		return nil, err
	}
	parts, err := found.Parts()
	if err != nil {
		return nil, err
	}
	for _, c := range by.about().checks {
		if c.Name != waiversCategory && !c.Named && c.Lacks(parts) == "" {
			names = append(names, c.Name)
		}
	}
	return names, nil
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
