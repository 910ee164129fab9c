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
	Targets    []TargetStatus   `json:"targets"`
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
	NextCycleAt     Time           `json:"next_cycle_at"`
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
