package autonomy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"leviathan/gateway"
)

// number is where a limit stands in a config, by its key; nil for a key that
// is no limit.
func (c *Config) number(key string) *int {
	return map[string]*int{
		"max_open_prs":                     &c.MaxOpenPRs,
		"max_running_attempts":             &c.MaxRunningAttempts,
		"max_attempts_per_task":            &c.MaxAttemptsPerTask,
		"circuit_breaker_failures":         &c.CircuitBreakerFailures,
		"attempt_timeout_seconds":          &c.AttemptTimeoutSeconds,
		"limits.retry_backoff_seconds":     &c.Limits.RetryBackoffSeconds,
		"limits.retry_backoff_max_seconds": &c.Limits.RetryBackoffMaxSeconds,
		"limits.max_tasks_per_day":         &c.Limits.MaxTasksPerDay,
		"limits.heartbeat_seconds":         &c.Limits.HeartbeatSeconds,
		"limits.lease_seconds":             &c.Limits.LeaseSeconds,
		"limits.start_deadline_seconds":    &c.Limits.StartDeadlineSeconds,
		"limits.fact_max_age_seconds":      &c.Limits.FactMaxAgeSeconds,
		"limits.max_files":                 &c.Limits.MaxFiles,
		"limits.max_file_kb":               &c.Limits.MaxFileKB,
		"limits.max_pack_mb":               &c.Limits.MaxPackMB,
		"limits.max_push_attempts":         &c.Limits.MaxPushAttempts,
		"circuit.cooldown_seconds":         &c.Circuit.CooldownSeconds,
		"circuit.cooldown_max_seconds":     &c.Circuit.CooldownMaxSeconds,
	}[key]
}

// With is the config with another value of one limit, and what the limit is
// now; c stays as it is. The key is that of the YAML file, with a dot between
// a part and its key. An unknown key, and a value with which no file would
// load, are gateway.Invalid; the error's field is key or value.
func (c *Config) With(key string, value int) (_ *Config, now int, err error) {
	with := *c
	at := with.number(key)
	if at == nil {
		return nil, 0, &gateway.Error{Kind: gateway.Invalid, Field: "key", Detail: fmt.Sprintf("the config has no limit %q; docs/configuration.md lists them", key)}
	}
	now, *at = *at, value
	if err := with.loads(); err != nil {
		return nil, 0, err
	}
	if with.Digest, err = with.digest(); err != nil {
		return nil, 0, err
	}
	return &with, now, nil
}

// loads reports whether a file with these values would load. Agents are left
// out: their defaults are no file, and no limit is about them.
func (c *Config) loads() error {
	var values map[string]any
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	if err != nil {
		return fmt.Errorf("writing the config: %w", err)
	}
	maps.DeleteFunc(values, func(key string, _ any) bool { return slices.Contains([]string{"agents", "default_agent"}, key) })
	if text, err = json.Marshal(values); err != nil {
		return fmt.Errorf("writing the config: %w", err)
	}
	_, diags := Parse("config", text)
	for _, d := range diags {
		if !d.Warning {
			return &gateway.Error{Kind: gateway.Invalid, Field: "value", Detail: "no config would load with this: " + d.Message}
		}
	}
	return nil
}
