package autonomy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gowebpki/jcs"
	"github.com/robfig/cron/v3"

	"leviathan/gateway"
)

// A Config is one valid autonomy config with its defaults filled in. Its JSON
// form has the keys of the YAML file; policies read it and the status API
// shows it. It is immutable: callers share it and must not change it.
//
// Every integer is at least 1 and at most 2147483647 unless its comment says
// otherwise.
type Config struct {
	// AutonomyEnabled is the switch. Only the YAML boolean true is on.
	AutonomyEnabled bool             `json:"autonomy_enabled"`
	TargetID        gateway.TargetID `json:"target_id"`
	// TargetRepoURL is an https URL, an http URL of a loopback host, or the
	// absolute path of a bare repository.
	TargetRepoURL string `json:"target_repo_url"`
	// TargetBranch is a branch name without refs/heads/; default main.
	TargetBranch string `json:"target_branch"`
	// AllowedPathPrefixes are literal: a folder ends in "/", anything else is
	// one file.
	AllowedPathPrefixes    []string `json:"allowed_path_prefixes"`
	MaxOpenPRs             int      `json:"max_open_prs"`             // default 1
	MaxRunningAttempts     int      `json:"max_running_attempts"`     // default 1
	MaxAttemptsPerTask     int      `json:"max_attempts_per_task"`    // 1–100, default 2
	CircuitBreakerFailures int      `json:"circuit_breaker_failures"` // default 2
	AttemptTimeoutSeconds  int      `json:"attempt_timeout_seconds"`  // 1–86400, default 900
	// ScheduleCron has five fields and is read in UTC; default */5 * * * *.
	ScheduleCron    string `json:"schedule_cron"`
	ControlPlaneURL string `json:"control_plane_url"`
	WorkerImage     string `json:"worker_image"`
	WorkerNamespace string `json:"worker_namespace"`
	WorkspaceDir    string `json:"workspace_dir"`

	// Agents by name; never empty: without the key it has the agent scaffold.
	Agents map[string]Agent `json:"agents"`
	// DefaultAgent is the name of one of Agents; never empty.
	DefaultAgent string            `json:"default_agent"`
	Verify       map[string]Verify `json:"verify"`
	// Sandbox is for agents whose own sandbox is required. Its mode is
	// required (the default) or optional; no ports means no connections.
	Sandbox gateway.SandboxSpec `json:"sandbox"`
	Limits  Limits              `json:"limits"`
	Circuit Circuit             `json:"circuit"`

	// Digest is "sha256:" and the hex SHA-256 of the RFC 8785 form of the
	// config's JSON.
	Digest string `json:"-"`

	schedule cron.Schedule
	// switchLine and switchCol are where autonomy_enabled stands.
	switchLine, switchCol int
}

// An Agent is what runs on a checkout.
type Agent struct {
	Type    string   `json:"type"`    // gateway.AgentCommand or gateway.AgentScaffold
	Command []string `json:"command"` // argv; empty for a scaffold
	Stdin   string   `json:"stdin"`   // none (the default) or prompt
	// Env holds public values; EnvFrom names secrets that the launcher
	// supplies.
	Env     map[string]string `json:"env"`
	EnvFrom []string          `json:"env_from"`
	// Sandbox is required (the default) or off. Off makes the agent as trusted
	// as the operator.
	Sandbox string `json:"sandbox"`
	// TaskSelectable says whether a task may name this agent; the default is
	// true for a sandboxed agent and false otherwise.
	TaskSelectable bool `json:"task_selectable"`
	MemoryMB       int  `json:"memory_mb"`     // MiB, default 2048
	OutputMaxKB    int  `json:"output_max_kb"` // KiB of captured output, default 10240
}

// A Verify is a named verification: a command that a task may ask for by name.
type Verify struct {
	Command        []string `json:"command"`
	TimeoutSeconds int      `json:"timeout_seconds"` // 1–86400, default 300
}

// Limits are the finer limits of a target.
type Limits struct {
	RetryBackoffSeconds    int `json:"retry_backoff_seconds"`     // default 60
	RetryBackoffMaxSeconds int `json:"retry_backoff_max_seconds"` // default 3600, at least the former
	MaxTasksPerDay         int `json:"max_tasks_per_day"`         // default 0: no limit
	HeartbeatSeconds       int `json:"heartbeat_seconds"`         // default 10
	LeaseSeconds           int `json:"lease_seconds"`             // default 60, more than two heartbeats
	StartDeadlineSeconds   int `json:"start_deadline_seconds"`    // default 300
	FactMaxAgeSeconds      int `json:"fact_max_age_seconds"`      // default 600
	MaxFiles               int `json:"max_files"`                 // default 100, of one change
	MaxFileKB              int `json:"max_file_kb"`               // KiB, default 1024
	MaxPackMB              int `json:"max_pack_mb"`               // MiB, default 64
	MaxPushAttempts        int `json:"max_push_attempts"`         // default 3
}

// A Circuit is how long an open breaker stays open.
type Circuit struct {
	CooldownSeconds    int `json:"cooldown_seconds"`     // default 900
	CooldownMaxSeconds int `json:"cooldown_max_seconds"` // default 21600, at least the former
}

// Agent finds an agent by name; the empty name is the default agent's.
func (c *Config) Agent(name string) (Agent, bool) {
	if name == "" {
		name = c.DefaultAgent
	}
	a, ok := c.Agents[name]
	return a, ok
}

// DefaultAgentName is the agent of a task that names none.
func (c *Config) DefaultAgentName() string { return c.DefaultAgent }

// AgentNames lists the agents in order of name.
func (c *Config) AgentNames() []string { return slices.Sorted(maps.Keys(c.Agents)) }

// Next is the first time after t at which the schedule asks for a cycle, in
// UTC, as the cluster's CronJob controller computes it.
func (c *Config) Next(t time.Time) time.Time { return c.schedule.Next(t.UTC()) }

// digest is the digest of the config's JSON form.
func (c *Config) digest() (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encoding the config: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return "", fmt.Errorf("canonicalising the config: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
