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
	"leviathan/gateway/strictyaml"
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
	root, diags := strictyaml.Parse(name, data, MaxBytes)
	if root == nil {
		return nil, "", diags
	}
	l := &loader{Reader: strictyaml.Reader{File: name}, cfg: defaults()}
	l.load(root)
	id := l.cfg.TargetID
	if l.Failed() {
		return nil, id, l.Sorted()
	}
	var err error
	if l.cfg.Digest, err = l.cfg.digest(); err != nil {
		l.Errorf(root, "%v", err)
		return nil, id, l.Sorted()
	}
	return l.cfg, id, l.Sorted()
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
	strictyaml.Reader
	cfg *Config
}

var topKeys = []string{"autonomy_enabled", "target_id", "target_repo_url", "target_branch", "allowed_path_prefixes", "max_open_prs", "max_running_attempts",
	"max_attempts_per_task", "circuit_breaker_failures", "attempt_timeout_seconds", "schedule_cron", "control_plane_url", "worker_image",
	"worker_namespace", "workspace_dir", "agents", "default_agent", "verify", "sandbox", "limits", "circuit"}

func (l *loader) load(root *strictyaml.Node) {
	o, ok := l.Object(root, "", topKeys, false)
	if !ok {
		return
	}
	c := l.cfg
	if n := l.required(o, "autonomy_enabled"); n != nil {
		c.AutonomyEnabled, _ = l.Boolean(n, "autonomy_enabled")
		c.switchLine, c.switchCol = n.Line, n.Col
	}
	if n := l.required(o, "target_id"); n != nil {
		l.targetID(n)
	}
	if n := l.required(o, "target_repo_url"); n != nil {
		l.repoURL(n)
	}
	if n := o.Get("target_branch"); n != nil {
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

func (l *loader) required(o strictyaml.Object, key string) *strictyaml.Node {
	n := o.Get(key)
	if n == nil {
		l.Errorf(o.Node, "the key %s is missing; it is required", o.Path+key)
	}
	return n
}

// number fills in an optional integer.
func (l *loader) number(o strictyaml.Object, key string, low, high int, into *int) {
	if n := o.Get(key); n != nil {
		if i, ok := l.Integer(n, o.Path+key, low, high); ok {
			*into = i
		}
	}
}

// least requires that one number is at least another.
func (l *loader) least(o strictyaml.Object, key string, value int, otherKey string, other int) {
	if value >= other {
		return
	}
	at := o.Node
	if n := o.Get(key); n != nil {
		at = n
	} else if n := o.Get(otherKey); n != nil {
		at = n
	}
	l.Errorf(at, "%s%s (%d) must be at least %s%s (%d)", o.Path, key, value, o.Path, otherKey, other)
}

func (l *loader) targetID(n *strictyaml.Node) {
	s, ok := l.Text(n, "target_id")
	switch id := gateway.TargetID(s); {
	case !ok:
	case !id.Valid():
		l.Errorf(n, "target_id %s must be 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter or digit", strictyaml.Show(s))
	default:
		l.cfg.TargetID = id
	}
}

// cronParser reads five fields and no descriptors such as @hourly.
var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// cronReference is a fixed time from which a schedule must fire within five
// years; it is just before a leap day.
var cronReference = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func (l *loader) cron(o strictyaml.Object) {
	spec, at := l.cfg.ScheduleCron, o.Node
	if n := o.Get("schedule_cron"); n != nil {
		s, ok := l.Text(n, "schedule_cron")
		if !ok {
			return
		}
		spec, at = s, n
	}
	if strings.Contains(spec, "TZ=") || strings.HasPrefix(strings.TrimSpace(spec), "@") || len(strings.Fields(spec)) != 5 {
		l.Errorf(at, "schedule_cron %s must have five fields: minute, hour, day of month, month, day of week; it is read in UTC", strictyaml.Show(spec))
		return
	}
	schedule, err := cronParser.Parse(spec)
	if err != nil {
		l.Errorf(at, "schedule_cron %s: %v", strictyaml.Show(spec), err)
		return
	}
	if schedule.Next(cronReference).IsZero() {
		l.Errorf(at, "schedule_cron %s never comes", strictyaml.Show(spec))
		return
	}
	l.cfg.ScheduleCron, l.cfg.schedule = spec, schedule
}

var (
	imageForm     = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,511}$`)
	namespaceForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func (l *loader) worker(o strictyaml.Object) {
	if n := o.Get("control_plane_url"); n != nil {
		if s, ok := l.Text(n, "control_plane_url"); ok {
			if problem := serviceURL(s); problem != "" {
				l.Errorf(n, "control_plane_url %s", problem)
			}
			l.cfg.ControlPlaneURL = s
		}
	}
	l.formed(o, "worker_image", imageForm, "the name of an image, such as leviathan-worker:local", &l.cfg.WorkerImage)
	l.formed(o, "worker_namespace", namespaceForm, "a namespace: 1 to 63 of a-z, 0-9 and '-', which neither begins nor ends it", &l.cfg.WorkerNamespace)
	if n := o.Get("workspace_dir"); n != nil {
		if s, ok := l.Text(n, "workspace_dir"); ok {
			if problem := absoluteDir(s); problem != "" {
				l.Errorf(n, "workspace_dir %s %s", strictyaml.Show(s), problem)
			}
			l.cfg.WorkspaceDir = s
		}
	}
}

func (l *loader) formed(o strictyaml.Object, key string, form *regexp.Regexp, what string, into *string) {
	n := o.Get(key)
	if n == nil {
		return
	}
	s, ok := l.Text(n, o.Path+key)
	if ok && !form.MatchString(s) {
		l.Errorf(n, "%s %s must be %s", o.Path+key, strictyaml.Show(s), what)
		return
	}
	*into = s
}

func (l *loader) limits(o strictyaml.Object) {
	n := o.Get("limits")
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
	in, ok := l.Object(n, "limits", keys, false)
	if !ok {
		return
	}
	for _, row := range rows {
		l.number(in, row.key, row.low, maxNumber, row.into)
	}
	l.least(in, "retry_backoff_max_seconds", v.RetryBackoffMaxSeconds, "retry_backoff_seconds", v.RetryBackoffSeconds)
	if v.LeaseSeconds <= 2*v.HeartbeatSeconds {
		at := in.Get("lease_seconds")
		if at == nil {
			at = in.Get("heartbeat_seconds")
		}
		if at == nil {
			at = n
		}
		l.Errorf(at, "limits.lease_seconds (%d) must be more than twice limits.heartbeat_seconds (%d): one lost heartbeat may not end a lease",
			v.LeaseSeconds, v.HeartbeatSeconds)
	}
}

func (l *loader) circuit(o strictyaml.Object) {
	n := o.Get("circuit")
	if n == nil {
		return
	}
	in, ok := l.Object(n, "circuit", []string{"cooldown_seconds", "cooldown_max_seconds"}, false)
	if !ok {
		return
	}
	v := &l.cfg.Circuit
	l.number(in, "cooldown_seconds", 1, maxNumber, &v.CooldownSeconds)
	l.number(in, "cooldown_max_seconds", 1, maxNumber, &v.CooldownMaxSeconds)
	l.least(in, "cooldown_max_seconds", v.CooldownMaxSeconds, "cooldown_seconds", v.CooldownSeconds)
}
