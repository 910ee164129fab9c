package autonomy_test

import (
	"testing"

	"leviathan/gateway/autonomy"
)

// FuzzParse holds that no input breaks the loader, and that a config and an
// error never come together.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{minimal, full, "", "---\n", "a: &a [*a]\n", "? x\n: y\n", "{", "- - -\n", "a: |\n  x\n", "a: \"\\ud83d\"\n", "!!x\n", "\t", "a: >-\n\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, diags := autonomy.Parse("dev.yaml", data)
		failed := false
		for _, d := range diags {
			failed = failed || !d.Warning
		}
		if failed == (cfg != nil) {
			t.Fatalf("the config is %v with the diagnostics %v", cfg, diags)
		}
		if cfg != nil && (cfg.Digest == "" || !cfg.TargetID.Valid() || len(cfg.AllowedPathPrefixes) == 0 || cfg.Agents[cfg.DefaultAgent].Type == "") {
			t.Fatalf("a valid config lacks what is required: %+v", cfg)
		}
	})
}
