package autonomy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/robfig/cron/v3"

	"leviathan/gateway"
)

// MaxBytes is the greatest size of a config file.
const MaxBytes = 1 << 20

// maxNumber is the greatest integer that a config may have.
const maxNumber = math.MaxInt32

// Load reads and parses one config file. The error says that the file cannot
// be read; what is wrong in it is in the diagnostics, as for Parse.
func Load(file string) (*Config, []gateway.Diagnostic, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, nil, err
	}
	cfg, diags := Parse(file, data)
	return cfg, diags, nil
}

// readFile reads a regular file of at most MaxBytes and one byte more, by
// which Parse knows that it is too large. It never waits for a pipe.
func readFile(file string) (data []byte, err error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the config: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("closing the config: %w", closeErr)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the config's size: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading the config %s: %w", file, errNotRegular)
	}
	data, err = io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	return data, nil
}

var errNotRegular = errors.New("it is not a regular file")

// Parse reads a config. It is nil if any diagnostic is an error; warnings may
// accompany a valid one. A relative target_repo_url is resolved against the
// folder of name.
func Parse(name string, data []byte) (*Config, []gateway.Diagnostic) {
	cfg, _, diags := parse(name, data)
	return cfg, diags
}

// parse is Parse and the target_id, if that could be read.
func parse(name string, data []byte) (*Config, gateway.TargetID, []gateway.Diagnostic) {
	root, diags := parseYAML(name, data, MaxBytes)
	if root == nil {
		return nil, "", diags
	}
	l := &loader{reader: reader{file: name}, cfg: defaults()}
	l.load(root)
	id := l.cfg.TargetID
	if l.failed(0) {
		return nil, id, l.sorted()
	}
	var err error
	if l.cfg.Digest, err = l.cfg.digest(); err != nil {
		l.errorf(root, "%v", err)
		return nil, id, l.sorted()
	}
	return l.cfg, id, l.sorted()
}

func defaults() *Config {
	return &Config{
		TargetBranch:           "main",
		AllowedPathPrefixes:    []string{},
		MaxOpenPRs:             1,
		MaxRunningAttempts:     1,
		MaxAttemptsPerTask:     2,
		CircuitBreakerFailures: 2,
		AttemptTimeoutSeconds:  900,
		ScheduleCron:           "*/5 * * * *",
		ControlPlaneURL:        "http://leviathan-control-plane:8000",
		WorkerImage:            "leviathan-worker:local",
		WorkerNamespace:        "leviathan",
		WorkspaceDir:           "/workspace",
		Agents:                 map[string]Agent{},
		Verify:                 map[string]Verify{},
		Sandbox:                gateway.SandboxSpec{Mode: gateway.SandboxRequired, Read: []string{}, ConnectPorts: []int{}},
		Limits: Limits{RetryBackoffSeconds: 60, RetryBackoffMaxSeconds: 3600, HeartbeatSeconds: 10, LeaseSeconds: 60, StartDeadlineSeconds: 300,
			FactMaxAgeSeconds: 600, MaxFiles: 100, MaxFileKB: 1024, MaxPackMB: 64, MaxPushAttempts: 3},
		Circuit: Circuit{CooldownSeconds: 900, CooldownMaxSeconds: 21600},
	}
}

// A loader reads one config.
type loader struct {
	reader
	cfg *Config
}

var topKeys = []string{"autonomy_enabled", "target_id", "target_repo_url", "target_branch", "allowed_path_prefixes", "max_open_prs", "max_running_attempts",
	"max_attempts_per_task", "circuit_breaker_failures", "attempt_timeout_seconds", "schedule_cron", "control_plane_url", "worker_image",
	"worker_namespace", "workspace_dir", "agents", "default_agent", "verify", "sandbox", "limits", "circuit"}

func (l *loader) load(root *node) {
	o, ok := l.object(root, "", topKeys, false)
	if !ok {
		return
	}
	c := l.cfg
	if n := l.required(o, "autonomy_enabled"); n != nil {
		c.AutonomyEnabled, _ = l.boolean(n, "autonomy_enabled")
		c.switchLine, c.switchCol = n.line, n.col
	}
	if n := l.required(o, "target_id"); n != nil {
		l.targetID(n)
	}
	if n := l.required(o, "target_repo_url"); n != nil {
		l.repoURL(n)
	}
	if n := o.has("target_branch"); n != nil {
		l.branch(n)
	}
	if n := l.required(o, "allowed_path_prefixes"); n != nil {
		l.prefixes(n)
	}
	l.number(o, "max_open_prs", 1, maxNumber, &c.MaxOpenPRs)
	l.number(o, "max_running_attempts", 1, maxNumber, &c.MaxRunningAttempts)
	l.number(o, "max_attempts_per_task", 1, 100, &c.MaxAttemptsPerTask)
	l.number(o, "circuit_breaker_failures", 1, maxNumber, &c.CircuitBreakerFailures)
	l.number(o, "attempt_timeout_seconds", 1, 86400, &c.AttemptTimeoutSeconds)
	l.cron(o)
	l.worker(o)
	l.agents(o)
	l.verifications(o)
	l.sandbox(o)
	l.limits(o)
	l.circuit(o)
}

func (l *loader) required(o object, key string) *node {
	n := o.has(key)
	if n == nil {
		l.errorf(o.node, "the key %s is missing; it is required", o.path+key)
	}
	return n
}

// number fills in an optional integer.
func (l *loader) number(o object, key string, low, high int, into *int) {
	if n := o.has(key); n != nil {
		if i, ok := l.integer(n, o.path+key, low, high); ok {
			*into = i
		}
	}
}

// least requires that one number is at least another.
func (l *loader) least(o object, key string, value int, otherKey string, other int) {
	if value >= other {
		return
	}
	at := o.node
	if n := o.has(key); n != nil {
		at = n
	} else if n := o.has(otherKey); n != nil {
		at = n
	}
	l.errorf(at, "%s%s (%d) must be at least %s%s (%d)", o.path, key, value, o.path, otherKey, other)
}

func (l *loader) targetID(n *node) {
	s, ok := l.text(n, "target_id")
	switch id := gateway.TargetID(s); {
	case !ok:
	case !id.Valid():
		l.errorf(n, "target_id %s must be 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or digit", show(s))
	default:
		l.cfg.TargetID = id
	}
}

// cronParser reads five fields and no descriptors such as @hourly.
var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// cronReference is a fixed time from which a schedule must fire within five
// years; it is just before a leap day.
var cronReference = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func (l *loader) cron(o object) {
	spec, at := l.cfg.ScheduleCron, o.node
	if n := o.has("schedule_cron"); n != nil {
		s, ok := l.text(n, "schedule_cron")
		if !ok {
			return
		}
		spec, at = s, n
	}
	if strings.Contains(spec, "TZ=") || strings.HasPrefix(strings.TrimSpace(spec), "@") || len(strings.Fields(spec)) != 5 {
		l.errorf(at, "schedule_cron %s must have five fields: minute, hour, day of month, month, day of week; it is read in UTC", show(spec))
		return
	}
	schedule, err := cronParser.Parse(spec)
	if err != nil {
		l.errorf(at, "schedule_cron %s: %v", show(spec), err)
		return
	}
	if schedule.Next(cronReference).IsZero() {
		l.errorf(at, "schedule_cron %s never comes", show(spec))
		return
	}
	l.cfg.ScheduleCron, l.cfg.schedule = spec, schedule
}

var (
	imageForm     = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,511}$`)
	namespaceForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func (l *loader) worker(o object) {
	if n := o.has("control_plane_url"); n != nil {
		if s, ok := l.text(n, "control_plane_url"); ok {
			if problem := serviceURL(s); problem != "" {
				l.errorf(n, "control_plane_url %s", problem)
			}
			l.cfg.ControlPlaneURL = s
		}
	}
	l.formed(o, "worker_image", imageForm, "the name of an image, such as leviathan-worker:local", &l.cfg.WorkerImage)
	l.formed(o, "worker_namespace", namespaceForm, "a namespace: 1 to 63 of a-z, 0-9 and '-', which neither begins nor ends it", &l.cfg.WorkerNamespace)
	if n := o.has("workspace_dir"); n != nil {
		if s, ok := l.text(n, "workspace_dir"); ok {
			if problem := absoluteDir(s); problem != "" {
				l.errorf(n, "workspace_dir %s %s", show(s), problem)
			}
			l.cfg.WorkspaceDir = s
		}
	}
}

func (l *loader) formed(o object, key string, form *regexp.Regexp, what string, into *string) {
	n := o.has(key)
	if n == nil {
		return
	}
	s, ok := l.text(n, o.path+key)
	if ok && !form.MatchString(s) {
		l.errorf(n, "%s %s must be %s", o.path+key, show(s), what)
		return
	}
	*into = s
}

func (l *loader) limits(o object) {
	n := o.has("limits")
	if n == nil {
		return
	}
	v := &l.cfg.Limits
	rows := []struct {
		key  string
		low  int
		into *int
	}{
		{"retry_backoff_seconds", 1, &v.RetryBackoffSeconds}, {"retry_backoff_max_seconds", 1, &v.RetryBackoffMaxSeconds},
		{"max_tasks_per_day", 0, &v.MaxTasksPerDay}, {"heartbeat_seconds", 1, &v.HeartbeatSeconds}, {"lease_seconds", 1, &v.LeaseSeconds},
		{"start_deadline_seconds", 1, &v.StartDeadlineSeconds}, {"fact_max_age_seconds", 1, &v.FactMaxAgeSeconds}, {"max_files", 1, &v.MaxFiles},
		{"max_file_kb", 1, &v.MaxFileKB}, {"max_pack_mb", 1, &v.MaxPackMB}, {"max_push_attempts", 1, &v.MaxPushAttempts},
	}
	keys := make([]string, len(rows))
	for i, row := range rows {
		keys[i] = row.key
	}
	in, ok := l.object(n, "limits", keys, false)
	if !ok {
		return
	}
	for _, row := range rows {
		l.number(in, row.key, row.low, maxNumber, row.into)
	}
	l.least(in, "retry_backoff_max_seconds", v.RetryBackoffMaxSeconds, "retry_backoff_seconds", v.RetryBackoffSeconds)
	if v.LeaseSeconds <= 2*v.HeartbeatSeconds {
		at := in.has("lease_seconds")
		if at == nil {
			at = in.has("heartbeat_seconds")
		}
		if at == nil {
			at = n
		}
		l.errorf(at, "limits.lease_seconds (%d) must be more than twice limits.heartbeat_seconds (%d): one lost heartbeat may not end a lease",
			v.LeaseSeconds, v.HeartbeatSeconds)
	}
}

func (l *loader) circuit(o object) {
	n := o.has("circuit")
	if n == nil {
		return
	}
	in, ok := l.object(n, "circuit", []string{"cooldown_seconds", "cooldown_max_seconds"}, false)
	if !ok {
		return
	}
	v := &l.cfg.Circuit
	l.number(in, "cooldown_seconds", 1, maxNumber, &v.CooldownSeconds)
	l.number(in, "cooldown_max_seconds", 1, maxNumber, &v.CooldownMaxSeconds)
	l.least(in, "cooldown_max_seconds", v.CooldownMaxSeconds, "cooldown_seconds", v.CooldownSeconds)
}
