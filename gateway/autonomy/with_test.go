package autonomy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
)

func TestWithIsTheConfigWithAnotherLimit(t *testing.T) {
	const text = "autonomy_enabled: true\ntarget_id: demo\ntarget_repo_url: https://forge.invalid/a/b\nallowed_path_prefixes: [docs/]\nmax_open_prs: 3\n" +
		"verify: {unit: {command: [make, test]}}\nagents: {a: {type: command, command: [x], env: {K: V}}}\n"
	c, diags := autonomy.Parse("dev.yaml", []byte(text))
	if c == nil {
		t.Fatal(diags)
	}
	before := c.Digest
	with, now, err := c.With("max_open_prs", 5)
	if err != nil || now != 3 || with.MaxOpenPRs != 5 || c.MaxOpenPRs != 3 {
		t.Fatalf("%v now %d, with %+v", err, now, with)
	}
	// It is what a file with that value is.
	same, _ := autonomy.Parse("dev.yaml", []byte(strings.Replace(text, "max_open_prs: 3", "max_open_prs: 5", 1)))
	if with.Digest != same.Digest || with.Digest == before || c.Digest != before {
		t.Errorf("digest %s, a file's is %s, before %s", with.Digest, same.Digest, before)
	}
	for _, bad := range []struct {
		key   string
		value int
		field string
	}{
		{"max_open_pr", 2, "key"}, {"limits", 2, "key"}, {"", 2, "key"}, {"autonomy_enabled", 1, "key"},
		{"max_open_prs", 0, "value"}, {"max_attempts_per_task", 101, "value"}, {"limits.max_tasks_per_day", -1, "value"},
		{"limits.retry_backoff_max_seconds", 1, "value"}, {"limits.lease_seconds", 20, "value"},
	} {
		var e *gateway.Error
		if _, _, err := c.With(bad.key, bad.value); !errors.As(err, &e) || e.Kind != gateway.Invalid || e.Field != bad.field {
			t.Errorf("%s=%d: %v", bad.key, bad.value, err)
		}
	}
}

// Every number of a config but those of agents can be tried, and the limits
// that a console offers are among them.
func TestWithKnowsEveryLimit(t *testing.T) {
	c, diags := autonomy.Parse("dev.yaml", []byte("autonomy_enabled: true\ntarget_id: demo\ntarget_repo_url: https://forge.invalid/a/b\nallowed_path_prefixes: [docs/]\n"))
	if c == nil {
		t.Fatal(diags)
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func(prefix string, values map[string]any)
	walk = func(prefix string, values map[string]any) {
		for key, v := range values {
			switch v := v.(type) {
			case map[string]any:
				if key != "agents" {
					walk(prefix+key+".", v)
				}
			case float64:
				n++
				if _, now, err := c.With(prefix+key, int(v)); err != nil || now != int(v) {
					t.Errorf("%s%s: now %d of %v, %v", prefix, key, now, v, err)
				}
			}
		}
	}
	walk("", values)
	if n < 15 {
		t.Errorf("only %d numbers were seen", n)
	}
	for _, key := range gateway.PlanLimits() {
		if _, _, err := c.With(key, 1); err != nil && !strings.Contains(err.Error(), "at least") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
