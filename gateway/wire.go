package gateway

import "encoding/json"

// The request and response bodies of the HTTP API, one type each, in the order of
// an attempt's life. A field that is absent on the wire is its zero value.

// A CycleRequest asks for one plan of a target's backlog. Capacity bounds how
// many attempts may be reserved; nil leaves it to the policy.
type CycleRequest struct {
	Capacity *int `json:"capacity,omitempty"`
}

// The outcomes of a cycle.
const (
	CycleWorked  = "worked"
	CycleIdle    = "idle"
	CycleDenied  = "denied"
	CycleUnknown = "unknown"
)

// A CycleResult is what one cycle decided.
type CycleResult struct {
	CycleID     string        `json:"cycle_id"`
	DecisionID  DecisionID    `json:"decision_id"`
	Target      TargetID      `json:"target"`
	HeadCommit  OID           `json:"head_commit"`
	Outcome     string        `json:"outcome"`
	NextCycleAt Time          `json:"next_cycle_at"`
	Reserved    []Reservation `json:"reserved"`
	Skipped     []Skipped     `json:"skipped"`
	Reasons     []Reason      `json:"reasons"`
}

// A Reservation is what a launcher needs to start one worker.
type Reservation struct {
	AttemptID      AttemptID `json:"attempt_id"`
	TaskID         TaskID    `json:"task_id"`
	AttemptNumber  int       `json:"attempt_number"`
	Branch         string    `json:"branch"`
	BaseCommit     OID       `json:"base_commit"`
	Token          string    `json:"token"`
	ExpiresAt      Time      `json:"expires_at"`
	CloneURL       string    `json:"clone_url"`
	TimeoutSeconds int       `json:"timeout_seconds"`
	// StartDeadline is when the attempt ends if no worker has started it: that
	// of limits.start_deadline_seconds, as it was when it was reserved.
	StartDeadline Time       `json:"start_deadline"`
	Agent         string     `json:"agent"`
	Worker        WorkerSpec `json:"worker"`
}

// A WorkerSpec says where and with what a worker runs. EnvFrom holds names
// whose values the launcher supplies; values never pass the gateway.
type WorkerSpec struct {
	Image     string   `json:"image"`
	Namespace string   `json:"namespace"`
	MemoryMB  int      `json:"memory_mb"`
	EnvFrom   []string `json:"env_from"`
}

// Skipped is a task that the cycle did not reserve, and why.
type Skipped struct {
	TaskID         TaskID   `json:"task_id"`
	Reasons        []Reason `json:"reasons"`
	NextEligibleAt Time     `json:"next_eligible_at"`
}

// A StartRequest names the worker process that takes the attempt. Instance is
// random and chosen by the worker once.
type StartRequest struct {
	Instance string `json:"instance"`
}

// A StartResult tells a worker what it may run.
type StartResult struct {
	Decision       bool         `json:"decision"`
	Agent          AgentSpec    `json:"agent"`
	Task           Task         `json:"task"`
	Verify         []VerifySpec `json:"verify"`
	Commit         CommitSpec   `json:"commit"`
	Sandbox        SandboxSpec  `json:"sandbox"`
	BaseCommit     OID          `json:"base_commit"`
	Branch         string       `json:"branch"`
	CloneURL       string       `json:"clone_url"`
	TimeoutSeconds int          `json:"timeout_seconds"`
	Heartbeat      int          `json:"heartbeat_seconds"`
	LeaseSeconds   int          `json:"lease_seconds"`
	LeaseExpiresAt Time         `json:"lease_expires_at"`
	DecisionID     DecisionID   `json:"decision_id"`
	// TraceParent is the attempt's place in a trace (W3C Trace Context); empty
	// where the gateway traces nothing. It is for spans and gives no right.
	TraceParent string `json:"trace_parent,omitempty"`
}

// The types of agents.
const (
	AgentCommand  = "command"
	AgentScaffold = "scaffold"
)

// An AgentSpec is an agent as the operator's config declares it.
type AgentSpec struct {
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	Command     []string          `json:"command"`
	Stdin       string            `json:"stdin"` // none or prompt
	Env         map[string]string `json:"env"`
	EnvFrom     []string          `json:"env_from"`
	MemoryMB    int               `json:"memory_mb"`
	OutputMaxKB int               `json:"output_max_kb"`
}

// A VerifySpec is a named verification as the operator's config declares it.
type VerifySpec struct {
	Name           string   `json:"name"`
	Command        []string `json:"command"`
	TimeoutSeconds int      `json:"timeout_seconds"`
}

// A CommitSpec is what the attempt's commit must say, exactly.
type CommitSpec struct {
	Message string   `json:"message"`
	Author  Identity `json:"author"`
}

// An Identity is a git author or committer.
type Identity struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// A SandboxSpec is the agent's sandbox. Mode is required, optional or off.
type SandboxSpec struct {
	Mode         string   `json:"mode"`
	Read         []string `json:"read"`
	ConnectPorts []int    `json:"connect_ports"`
}

// The modes of a sandbox.
const (
	SandboxRequired = "required"
	SandboxOptional = "optional"
	SandboxOff      = "off"
)

// A HeartbeatRequest renews a lease. Progress is shown, at most 400 bytes.
type HeartbeatRequest struct {
	Progress string `json:"progress,omitempty"`
}

// The answers to a heartbeat.
const (
	Continue = "continue"
	Stop     = "stop"
)

// A HeartbeatResult tells the worker to continue or to stop, and why.
type HeartbeatResult struct {
	Action         string  `json:"action"`
	Reason         *Reason `json:"reason"`
	LeaseExpiresAt Time    `json:"lease_expires_at"`
}

// An Artifact is a file that an attempt left.
type Artifact struct {
	Name      string `json:"name"`
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256"`
}

// Evidence is the worker's claim of what its verifications said about a tree.
type Evidence struct {
	Tree    OID              `json:"tree"`
	Results []EvidenceResult `json:"results"`
}

// An EvidenceResult is one verification's outcome, as the worker saw it.
type EvidenceResult struct {
	Name     string  `json:"name"`
	ExitCode int     `json:"exit_code"`
	Seconds  float64 `json:"seconds"`
	Artifact string  `json:"artifact,omitempty"`
}

// A PullRequestRequest asks for the attempt's pull request. Summary has at
// most 4,000 characters.
type PullRequestRequest struct {
	Summary string `json:"summary"`
}

// A PullRequestResult is the pull request as the forge showed it.
type PullRequestResult struct {
	Number     int        `json:"number"`
	URL        string     `json:"url"`
	HeadCommit OID        `json:"head_commit"`
	DecisionID DecisionID `json:"decision_id"`
}

// A FinishRequest ends an attempt. Outcome is succeeded, failed or cancelled.
type FinishRequest struct {
	Outcome      string      `json:"outcome"`
	FailureType  FailureType `json:"failure_type,omitempty"`
	ErrorSummary string      `json:"error_summary,omitempty"`
}

// A FinishResult is the state in which the attempt ended.
type FinishResult struct {
	AttemptID  AttemptID    `json:"attempt_id"`
	State      AttemptState `json:"state"`
	DecisionID DecisionID   `json:"decision_id"`
}

// A LostRequest says what a launcher saw of a worker that is gone: one of
// job_deleted, job_failed, evicted, oom, image_pull, process_gone.
type LostRequest struct {
	Observed string `json:"observed"`
	Detail   string `json:"detail,omitempty"`
}

// A ReasonRequest carries why an operator acts. Target is nil for all.
type ReasonRequest struct {
	Target *TargetID `json:"target,omitempty"`
	Reason string    `json:"reason"`
}

// A TokenRequest asks for a component's token. Target is nil for all.
type TokenRequest struct {
	Role      Role      `json:"role"`
	Target    *TargetID `json:"target"`
	ExpiresIn string    `json:"expires_in"` // Go duration; default 720h
}

// A TokenResult shows a new token, once.
type TokenResult struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

// A TokenItem is a component's token in a list; the secret is not kept.
type TokenItem struct {
	ID        string   `json:"id"`
	Role      Role     `json:"role"`
	Target    TargetID `json:"target,omitempty"`
	CreatedAt Time     `json:"created_at"`
	ExpiresAt Time     `json:"expires_at"`
	RevokedAt Time     `json:"revoked_at"`
}

// A TokenList is every component token.
type TokenList struct {
	Items []TokenItem `json:"items"`
}

// An IngestRequest is a batch of events, all or nothing.
type IngestRequest struct {
	Target    TargetID        `json:"target"`
	BundleID  string          `json:"bundle_id"`
	Events    []Event         `json:"events"`
	Artifacts json.RawMessage `json:"artifacts,omitempty"`
}

// An IngestResult counts what was new.
type IngestResult struct {
	Ingested   int    `json:"ingested"`
	Duplicates int    `json:"duplicates"`
	BundleID   string `json:"bundle_id"`
	Status     string `json:"status"`
}
