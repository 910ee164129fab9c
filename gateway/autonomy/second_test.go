package autonomy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leviathan/gateway/autonomy"
)

const source = "configmap leviathan/leviathan-autonomy-config"

func observed(files map[string]string) autonomy.Second {
	return autonomy.Second{Source: source, Known: true, Files: files, ObservedAt: time.Now()}
}

// TestTheMoreRestrictiveOfFileAndSecondSourceGoverns has every pair of what the
// two may say.
func TestTheMoreRestrictiveOfFileAndSecondSourceGoverns(t *testing.T) {
	on, off := config("demo", true), config("demo", false)
	for what, c := range map[string]struct {
		file           string
		second         map[string]string
		enabled, valid bool
		reason         string
	}{
		"both on":                  {on, map[string]string{"dev.yaml": on}, true, true, ""},
		"on under another name":    {on, map[string]string{"demo.yml": on}, true, true, ""},
		"the file not yet on":      {off, map[string]string{"dev.yaml": on}, false, true, "dev.yaml:1:"},
		"the file not yet off":     {on, map[string]string{"dev.yaml": off}, false, true, source + ": dev.yaml:1:19: autonomy_enabled is false"},
		"both off":                 {off, map[string]string{"dev.yaml": off}, false, true, "autonomy_enabled is false"},
		"an invalid second":        {on, map[string]string{"dev.yaml": on + "unknown: 1\n"}, false, false, source + ": dev.yaml:5:1"},
		"an unreadable second":     {on, map[string]string{"dev.yaml": "{"}, false, false, source + ": dev.yaml"},
		"an invalid file":          {on + "unknown: 1\n", map[string]string{"dev.yaml": on}, false, false, "unknown"},
		"gone from the second":     {on, map[string]string{"other.yaml": config("other", true)}, false, false, `nothing in it names the target "demo"`},
		"another id in the second": {on, map[string]string{"dev.yaml": config("other", true)}, false, false, "nothing in it names"},
		"an empty second":          {on, map[string]string{}, false, false, "nothing in it names"},
		"a deleted second":         {on, nil, false, false, "nothing in it names"},
		"twice in the second":      {on, map[string]string{"dev.yaml": on, "more.yaml": on}, false, false, "the same target_id"},
		"another one is broken":    {on, map[string]string{"dev.yaml": on, "other.yaml": "{"}, true, true, ""},
		"no config in the second":  {on, map[string]string{"dev.yaml": on, "README": "{", ".hidden.yaml": off}, true, true, ""},
	} {
		t.Run(what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "dev.yaml")
			write(t, file, on)
			set := open(t, filepath.Dir(file))
			write(t, file, c.file)
			set.Observe(observed(c.second))
			for range 2 { // made, and kept
				s := set.Check("demo")
				if s.Enabled != c.enabled || s.Valid != c.valid || !strings.Contains(s.Reason, c.reason) || (s.Reason == "") != c.enabled {
					t.Errorf("enabled %v valid %v: %q", s.Enabled, s.Valid, s.Reason)
				}
				if s.Valid && s.Config.AutonomyEnabled != c.enabled || s.Digest != s.Config.Digest {
					t.Errorf("the values that a policy sees do not agree: enabled %v, digest %s", s.Config.AutonomyEnabled, s.Digest)
				}
				if all := set.Targets(); len(all) != 1 || all[0].Enabled != s.Enabled || all[0].Reason != s.Reason {
					t.Errorf("Targets says %+v", all)
				}
			}
		})
	}
}

func TestASecondSourceThatIsLostTurnsNothingOffByItself(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, file, config("demo", true))
	set := open(t, file)
	if _, ok := set.Seconded(); ok {
		t.Error("there is a second source before one was observed")
	}
	set.Observe(autonomy.Second{Source: source, Problem: "it cannot be followed"})
	if s := set.Check("demo"); !s.Enabled {
		t.Errorf("never seen: %s", s.Reason)
	}
	set.Observe(observed(map[string]string{"dev.yaml": config("demo", true)}))
	lost := observed(map[string]string{"dev.yaml": config("demo", true)})
	lost.Problem = "it cannot be followed"
	set.Observe(lost)
	if s := set.Check("demo"); !s.Enabled {
		t.Errorf("lost: %s", s.Reason)
	}
	if o, ok := set.Seconded(); !ok || o.Problem != "it cannot be followed" || o.Source != source || o.ObservedAt.IsZero() {
		t.Errorf("it is shown as %+v %v", o, ok)
	}
	write(t, file, config("demo", false))
	if s := set.Check("demo"); s.Enabled || !strings.HasPrefix(s.Reason, file) {
		t.Errorf("the file governs: %+v", s)
	}
	write(t, file, config("demo", true))
	lost.Files = map[string]string{"dev.yaml": config("demo", false)}
	set.Observe(lost)
	if s := set.Check("demo"); s.Enabled {
		t.Error("what was seen last does not hold")
	}
}

// TestASecondSourceIsInvalidSinceItIsSo holds that editing an invalid text into
// another does not begin the time of grace anew.
func TestASecondSourceIsInvalidSinceItIsSo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, file, config("demo", true))
	at := time.Now()
	set, err := autonomy.Open(file, nil, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	set.Observe(observed(map[string]string{"dev.yaml": "{"}))
	first := set.Check("demo").InvalidSince
	at = at.Add(time.Minute)
	set.Observe(observed(map[string]string{"dev.yaml": "["}))
	if s := set.Check("demo"); first.IsZero() || !s.InvalidSince.Equal(first) {
		t.Errorf("invalid since %s, first %s", s.InvalidSince, first)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	set.Observe(observed(map[string]string{"dev.yaml": config("demo", true)}))
	if s := set.Check("demo"); s.Valid || !strings.Contains(s.Reason, "gone") {
		t.Errorf("a file that is gone: %+v", s)
	}
}
