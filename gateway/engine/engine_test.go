package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"leviathan/gateway/engine"
)

// smallBundle is the bundle in testdata, to be changed by a test.
func smallBundle(t testing.TB) fstest.MapFS {
	t.Helper()
	bundle := fstest.MapFS{}
	root := os.DirFS("testdata/bundle")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		bundle[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// with is the small bundle with some files set, or removed where nil.
func with(t testing.TB, files map[string]string) fstest.MapFS {
	t.Helper()
	bundle := smallBundle(t)
	for name, text := range files {
		if bundle[name] = (&fstest.MapFile{Data: []byte(text)}); text == "" {
			delete(bundle, name)
		}
	}
	return bundle
}

// patient gives a bundle's decisions a deadline that a busy machine meets.
const patient = "# METADATA\n# custom:\n#   deadline_ms: {default: 20000}\n"

// deciding is a bundle of one module with the body of leviathan.main.
func deciding(body string) fstest.MapFS {
	module := "package leviathan.main\n\n" + body + "\n"
	if !strings.Contains(body, "deadline_ms") {
		module = patient + module
	}
	return fstest.MapFS{"main.rego": {Data: []byte(module)}}
}

func load(t testing.TB, fsys fs.FS) *engine.Snapshot {
	t.Helper()
	s, err := engine.LoadFS(t.Context(), fsys, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write puts the bundle's files into a directory.
func write(t testing.TB, dir string, bundle fstest.MapFS) {
	t.Helper()
	for name, f := range bundle {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// question is an input of the given keys.
func question(t testing.TB, parts map[string]any) engine.Input {
	t.Helper()
	var in engine.Input
	for name := range maps.Keys(parts) {
		p, err := engine.NewPart(name, parts[name])
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, p)
	}
	return in
}

// fine is a question that the small bundle allows.
func fine(t testing.TB) engine.Input {
	return question(t, map[string]any{
		"action": "cycle.plan",
		"config": map[string]any{"values": map[string]any{"autonomy_enabled": true}},
		"state":  map[string]any{"running": 1},
	})
}

// full is a question that the small bundle denies as limits.running.
func full(t testing.TB) engine.Input {
	return question(t, map[string]any{
		"action": "cycle.plan",
		"config": map[string]any{"values": map[string]any{"autonomy_enabled": true}},
		"state":  map[string]any{"running": 7},
	})
}

// loadError is the *LoadError in err.
func loadError(t testing.TB, err error) *engine.LoadError {
	t.Helper()
	var e *engine.LoadError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *LoadError", err)
	}
	return e
}

// wantDeny holds the result to one reason with the code.
func wantDeny(t testing.TB, r engine.Result, code string) {
	t.Helper()
	if r.Allow || len(r.Reasons) != 1 || r.Reasons[0].Code != code {
		t.Fatalf("got allow %v, reasons %+v; want a deny as %s", r.Allow, r.Reasons, code)
	}
	if !json.Valid(r.JSON) || !strings.Contains(string(r.JSON), code) || !strings.HasPrefix(string(r.JSON), `{"allow":false`) {
		t.Errorf("JSON is %s", r.JSON)
	}
	if string(r.Obligations) == "" {
		t.Error("no obligations")
	}
}

var background = context.Background()
