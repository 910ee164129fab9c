package gateway

// A Status is what GET /v1/autonomy/status says. AutonomyEnabled is true if
// any target's config says so: false proves that all are off.
type Status struct {
	AutonomyEnabled bool     `json:"autonomy_enabled"`
	Source          string   `json:"source"`
	Version         string   `json:"version"`
	PolicyRevision  string   `json:"policy_revision"`
	PolicyDigest    string   `json:"policy_digest"`
	PolicyProblem   string   `json:"policy_problem,omitempty"`
	HaltedAll       *Halt    `json:"halted_all"`
	Clock           string   `json:"clock"` // ok or unknown.clock with the seconds behind
	Warnings        []string `json:"warnings"`
	// KillSwitch says whether off is known to mean off.
	KillSwitch KillSwitchStatus `json:"kill_switch"`
	// Writer is nil for a gateway outside of a cluster.
	Writer  *WriterStatus  `json:"writer,omitempty"`
	Targets []TargetStatus `json:"targets"`
}

// A KillSwitchStatus is the newest proof that a switched-off target is denied
// everything. An empty Problem and a ProvedAt of the last minute are good.
type KillSwitchStatus struct {
	ProvedAt Time   `json:"proved_at"`
	Problem  string `json:"problem,omitempty"`
}

// A Halt is a latch in the journal.
type Halt struct {
	Reason string `json:"reason"`
	At     Time   `json:"at"`
	By     string `json:"by"`
}

// A TargetStatus is what governs one target now.
type TargetStatus struct {
	Target          TargetID       `json:"target"`
	AutonomyEnabled bool           `json:"autonomy_enabled"`
	Effective       bool           `json:"effective"`
	Reasons         []Reason       `json:"reasons"`
	ConfigState     string         `json:"config_state"`
	ConfigDigest    string         `json:"config_digest"`
	ConfigFile      string         `json:"config_file"`
	ConfigReason    string         `json:"config_reason,omitempty"`
	Halt            *Halt          `json:"halt"`
	Circuit         CircuitStatus  `json:"circuit"`
	OpenPRs         int            `json:"open_prs"`
	RunningAttempts int            `json:"running_attempts"`
	Limits          map[string]int `json:"limits"`
	Facts           []FactStatus   `json:"facts"`
	// Warnings are what the policy sees and does not deny, with their codes.
	Warnings []Reason `json:"warnings,omitempty"`
	// PullRequests are the open ones.
	PullRequests []PullRequestItem `json:"pull_requests,omitempty"`
	// Probe is how safe the repository's settings are; nil where they were not
	// seen, and for a repository without such settings.
	Probe *ForgeProbe `json:"probe,omitempty"`
	// LaunchProblem is why the last worker that was to start did not, or does not
	// yet; nil when one has started since.
	LaunchProblem *LaunchProblem `json:"launch_problem,omitempty"`
	NextCycleAt   Time           `json:"next_cycle_at"`
}

// A LaunchProblem is what kept the worker of an attempt from starting: a Job
// that the cluster refused, a Pod that found no node, an image that is not to be
// had. Message begins with the names that launcher and cluster have for it.
type LaunchProblem struct {
	AttemptID AttemptID `json:"attempt_id"`
	TaskID    TaskID    `json:"task_id"`
	At        Time      `json:"at"`
	Message   string    `json:"message"`
}

// A ForgeProbe is how safe the settings of a repository on GitHub are for
// agents. Each answer is yes, no or unknown: unknown is neither.
type ForgeProbe struct {
	// Credential is app, for a token of a GitHub App, or token, for a personal
	// one.
	Credential string `json:"credential"`
	// Protected says whether the target branch has any protection, and
	// ReviewRequired whether nobody merges into it without an approval.
	Protected      string `json:"protected"`
	ReviewRequired string `json:"review_required"`
	// CanMerge and Administers say what the gateway's credential could do,
	// although nothing in the gateway does.
	CanMerge    string `json:"can_merge"`
	Administers string `json:"administers"`
	// Extra are permissions and scopes that the credential does not need.
	Extra []string `json:"extra"`
	// Exposed are the workflows that would run an agent's branch with secrets,
	// or a token that can write, before anybody has looked at it.
	Exposed []ExposedWorkflow `json:"exposed"`
}

// An ExposedWorkflow is a workflow of the target branch that would run an
// agent's code: its file, the event that starts it, and what it can reach.
type ExposedWorkflow struct {
	File  string `json:"file"`
	Event string `json:"event"`
	Why   string `json:"why"`
}

// A CircuitStatus is a breaker as status shows it.
type CircuitStatus struct {
	State               Circuit `json:"state"`
	Cause               string  `json:"cause,omitempty"`
	ConsecutiveFailures int     `json:"consecutive_failures"`
	OpenedAt            Time    `json:"opened_at"`
	Until               Time    `json:"until"`
}

// A FactStatus is the source and age of one observed fact.
type FactStatus struct {
	Name       string `json:"name"`
	Source     string `json:"source"`
	ObservedAt Time   `json:"observed_at"`
	AgeSeconds int    `json:"age_seconds"`
	Known      bool   `json:"known"`
	Problem    string `json:"problem,omitempty"`
}

// A WriterStatus is the Lease by which a gateway in a cluster is the one that
// writes. HeldForSeconds is how long it may still write without a renewal; at 0
// it writes nothing any more, and ends.
type WriterStatus struct {
	Lease          string  `json:"lease"`
	Holder         string  `json:"holder"`
	Epoch          int64   `json:"epoch"`
	RenewedAt      Time    `json:"renewed_at"`
	HeldForSeconds float64 `json:"held_for_seconds"`
	Problem        string  `json:"problem,omitempty"`
}
