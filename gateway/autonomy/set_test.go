package autonomy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
)

// config is a valid config of a target of its own.
func config(id string, enabled bool) string {
	return fmt.Sprintf("autonomy_enabled: %v\ntarget_id: %s\ntarget_repo_url: https://github.com/example/%s.git\nallowed_path_prefixes: [docs/]\n", enabled, id, id)
}

func open(t *testing.T, path string) *autonomy.Set {
	t.Helper()
	set, err := autonomy.Open(path, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestS09FlipIsSeenByTheNextCheck changes the file in every way that an
// operator's tools do; the very next check must see it.
func TestS09FlipIsSeenByTheNextCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, file, config("demo", true))
	set := open(t, file)
	on := func(want bool) {
		t.Helper()
		if s := set.Check("demo"); s.Enabled != want {
			t.Fatalf("enabled is %v: %s", s.Enabled, s.Reason)
		}
	}
	on(true)
	for range 20 { // faster than the clock of any file system
		write(t, file, config("demo", false))
		on(false)
		write(t, file, config("demo", true))
		on(true)
	}

	// Replaced by a file with the same size and times.
	padded := strings.Replace(config("demo", false), "false", "false", 1)
	write(t, file, strings.Replace(config("demo", true), "true", "true ", 1))
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	on(true)
	other := file + ".new"
	write(t, other, padded)
	if err := errors.Join(os.Chtimes(other, old, old), os.Rename(other, file)); err != nil {
		t.Fatal(err)
	}
	on(false)

	// Written in place, and its time set back.
	write(t, file, config("demo", true)+"#\n")
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	on(true)
}

func TestDeletedFileIsOffAndListed(t *testing.T) {
	for _, mode := range []string{"file", "directory"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "dev.yaml")
			write(t, file, config("demo", true))
			path := file
			if mode == "directory" {
				path = dir
			}
			set := open(t, path)
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			s := set.Check("demo")
			if s.Enabled || s.Valid || s.ID != "demo" || s.Config == nil || s.Reason != file+": the file is gone" || s.InvalidSince.IsZero() {
				t.Errorf("the state is %+v", s)
			}
			if states := set.Targets(); len(states) != 1 || states[0].ID != "demo" {
				t.Errorf("the targets are %+v", states)
			}
			write(t, file, config("demo", true))
			if s := set.Check("demo"); !s.Enabled || !s.InvalidSince.IsZero() {
				t.Errorf("the state after its return is %+v", s)
			}
		})
	}
}

func TestInvalidFileKeepsItsTarget(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, file, config("demo", true))
	now := time.Now()
	set, err := autonomy.Open(file, nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	// An editor's half-written save: another target_id, and nothing behind it.
	write(t, file, "autonomy_enabled: true\ntarget_id: dem")
	since := now
	first := set.Check("demo")
	now = now.Add(7 * time.Second)
	s := set.Check("demo")
	if s.Valid || s.Enabled || s.ID != "demo" || s.Config == nil || !s.Config.AutonomyEnabled || s.Digest != s.Config.Digest {
		t.Fatalf("the state is %+v", s)
	}
	if !first.InvalidSince.Equal(since) || !s.InvalidSince.Equal(since) || !s.ObservedAt.Equal(now) {
		t.Errorf("invalid since %v, observed at %v", s.InvalidSince, s.ObservedAt)
	}
	if s := set.Check("dem"); s.File != "" || s.Enabled || s.Reason == "" {
		t.Errorf("the half-written name is a target: %+v", s)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.yml"), config("bee", true))
	write(t, filepath.Join(dir, "a.yaml"), "target_id: [\n")
	write(t, filepath.Join(dir, ".hidden.yaml"), config("hidden", true))
	write(t, filepath.Join(dir, "notes.txt"), config("notes", true))
	if err := os.MkdirAll(filepath.Join(dir, "deeper.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	set := open(t, dir)
	states := set.Targets()
	if len(states) != 2 || states[0].ID != "" || states[0].File != filepath.Join(dir, "a.yaml") || states[1].ID != "bee" {
		t.Fatalf("the targets are %+v", states)
	}
	if states[0].Valid || len(states[0].Diagnostics) == 0 || !strings.HasPrefix(states[0].Reason, states[0].File+":1:12: ") {
		t.Errorf("the file without a target is %+v", states[0])
	}
	write(t, filepath.Join(dir, "c.yaml"), config("cee", true))
	if s := set.Check("cee"); !s.Enabled {
		t.Errorf("a new file is not seen: %+v", s)
	}
	if s := set.Check("bee"); !s.Enabled {
		t.Errorf("another file's errors turn off a target: %+v", s)
	}
	if s := set.Check("none"); s.File != "" || s.Enabled || s.Valid || !strings.Contains(s.Reason, `names the target "none"`) {
		t.Errorf("an unknown target is %+v", s)
	}
	if s := set.Check(""); s.File != "" || s.Enabled {
		t.Errorf("the empty id finds %+v", s)
	}
}

func TestContradictionsAreBothOff(t *testing.T) {
	rows := map[string]struct{ other, want string }{
		"one target_id":         {strings.Replace(config("demo", true), "example/demo", "example/else", 1), `the same target_id "demo"`},
		"one upstream":          {strings.Replace(config("demo", true), "target_id: demo", "target_id: other", 1), "the same upstream and branch"},
		"one upstream, spelled": {"autonomy_enabled: false\ntarget_id: other\ntarget_repo_url: https://GitHub.com:443/Example/demo\nallowed_path_prefixes: [x/]\n", "the same upstream and branch"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
			write(t, a, config("demo", true))
			set := open(t, dir)
			if !set.Check("demo").Enabled {
				t.Fatal("it is off alone")
			}
			write(t, b, row.other)
			if s := set.Check("demo"); s.Enabled || s.Valid {
				t.Fatalf("the next check allows it: %+v", s)
			}
			for _, s := range set.Targets() {
				other := b
				if s.File == b {
					other = a
				}
				if s.Enabled || s.Valid || !strings.Contains(s.Reason, row.want) || !strings.Contains(s.Reason, other) {
					t.Errorf("the state is %+v", s)
				}
			}
			if err := os.Remove(b); err != nil {
				t.Fatal(err)
			}
			// A file that is gone contradicts nothing.
			if s := set.Check("demo"); !s.Enabled {
				t.Errorf("it stays off: %s", s.Reason)
			}
		})
	}
}

func TestMovedFileKeepsItsTargetOn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), config("demo", true))
	set := open(t, dir)
	if err := os.Rename(filepath.Join(dir, "a.yaml"), filepath.Join(dir, "z.yaml")); err != nil {
		t.Fatal(err)
	}
	if s := set.Check("demo"); !s.Enabled || s.File != filepath.Join(dir, "z.yaml") {
		t.Errorf("the state is %+v", s)
	}
	if states := set.Targets(); len(states) != 1 {
		t.Errorf("the targets are %+v", states)
	}
}

// mount lays a directory out as a kubelet mounts a ConfigMap, and returns a
// function that swaps its content.
func mount(t *testing.T, dir, text string) (swap func(text string)) {
	t.Helper()
	generation := 0
	swap = func(text string) {
		t.Helper()
		generation++
		data := fmt.Sprintf("..2026_%d", generation)
		link := filepath.Join(dir, "..data_tmp")
		if err := os.Mkdir(filepath.Join(dir, data), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, data, "dev.yaml"), text)
		if err := errors.Join(os.Symlink(data, link), os.Rename(link, filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	swap(text)
	if err := os.Symlink(filepath.Join("..data", "dev.yaml"), filepath.Join(dir, "dev.yaml")); err != nil {
		t.Fatal(err)
	}
	return swap
}

func TestS09ConfigMapSwap(t *testing.T) {
	dir := t.TempDir()
	swap := mount(t, dir, config("demo", true))
	for _, path := range []string{dir, filepath.Join(dir, "dev.yaml")} {
		set := open(t, path)
		if s := set.Check("demo"); !s.Enabled {
			t.Fatalf("%s: it is off: %s", path, s.Reason)
		}
		swap(config("demo", false))
		if s := set.Check("demo"); s.Enabled || !s.Valid {
			t.Errorf("%s: the swap is not seen: %+v", path, s)
		}
		swap(config("demo", true))
		if s := set.Check("demo"); !s.Enabled {
			t.Errorf("%s: the swap back is not seen: %s", path, s.Reason)
		}
		told(t, set, func(enabled bool) { swap(config("demo", enabled)) })
		swap(config("demo", true))
	}
}

// told changes the target demo until the watch tells of it: it may begin
// after the first change, and each flip is another chance.
func told(t *testing.T, set *autonomy.Set, change func(enabled bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changed := make(chan gateway.TargetID, 64)
	done := make(chan error, 1)
	go func() { done <- set.Watch(ctx, func(id gateway.TargetID) { changed <- id }) }()
	heard := false
	for flip := 0; flip < 10 && !heard; flip++ {
		change(flip%2 == 1)
		select {
		case id := <-changed:
			heard = true
			if id != "demo" {
				t.Errorf("the change is told of %q", id)
			}
		case <-time.After(3 * time.Second):
		}
	}
	if !heard {
		t.Error("no change is told")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch: %v", err)
	}
}

func TestWatchTellsWhatChanged(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), config("demo", true))
	write(t, filepath.Join(dir, "b.yaml"), config("other", true))
	told(t, open(t, dir), func(enabled bool) { write(t, filepath.Join(dir, "a.yaml"), config("demo", enabled)) })
}

func TestOpen(t *testing.T) {
	if _, err := autonomy.Open(filepath.Join(t.TempDir(), "none"), nil, time.Now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
	if states := open(t, t.TempDir()).Targets(); len(states) != 0 {
		t.Errorf("an empty folder has the targets %v", states)
	}
	file := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, file, "not a config")
	var log bytes.Buffer
	set, err := autonomy.Open(file, slog.New(slog.NewTextHandler(&log, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if s := set.Targets(); len(s) != 1 || s[0].ID != "" || s[0].Valid {
		t.Errorf("the targets are %+v", s)
	}
	set.Targets()
	if n := strings.Count(log.String(), "autonomy config"); n != 1 {
		t.Errorf("one state is logged %d times", n)
	}
}

func TestManyCheckAtOnce(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	write(t, file, config("demo", true))
	set := open(t, dir)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				if s := set.Check("demo"); s.Enabled && !s.Config.AutonomyEnabled {
					t.Error("enabled by a config that says false")
				}
				set.Targets()
			}
		})
	}
	for i := range 50 {
		// A rename, so that no reader meets a half-written file.
		write(t, file+".tmp", config("demo", i%2 == 0))
		if err := os.Rename(file+".tmp", file); err != nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
	if s := set.Check("demo"); !s.Valid || s.Enabled {
		t.Errorf("the last state is %+v", s)
	}
}

func BenchmarkCheck1(b *testing.B)  { benchmarkCheck(b, 1) }
func BenchmarkCheck10(b *testing.B) { benchmarkCheck(b, 10) }

func benchmarkCheck(b *testing.B, targets int) {
	dir := b.TempDir()
	for i := range targets {
		file := filepath.Join(dir, fmt.Sprintf("t%d.yaml", i))
		if err := os.WriteFile(file, []byte(config(fmt.Sprintf("t%d", i), true)), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	set, err := autonomy.Open(dir, nil, func() time.Time { return time.Now().Add(time.Hour) })
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !set.Check("t0").Enabled {
			b.Fatal("it is off")
		}
	}
}
