package journal

import "leviathan/gateway"

// AttemptCreated reserves an attempt. Its status is reserved.
type AttemptCreated struct {
	Subject
	AttemptNumber  int                  `json:"attempt_number"`
	Status         gateway.AttemptState `json:"status"`
	Task           gateway.Task         `json:"task"` // as it was reserved
	Digest         string               `json:"digest"`
	Agent          string               `json:"agent"`
	BaseCommit     gateway.OID          `json:"base_commit"`
	Branch         string               `json:"branch"`
	Probe          bool                 `json:"probe"`
	StartDeadline  gateway.Time         `json:"start_deadline"`
	TimeoutSeconds int64                `json:"timeout_seconds"`
	LeaseSeconds   int64                `json:"lease_seconds"`
	DecisionID     gateway.DecisionID   `json:"decision_id"`
	// TraceParent is the place in a trace (W3C Trace Context) that reserved it;
	// empty where nothing is traced. Nothing is decided by it.
	TraceParent string `json:"trace_parent,omitempty"`
}

// AttemptStarted says that a worker took the attempt and its lease began.
type AttemptStarted struct {
	Subject
	Status         gateway.AttemptState `json:"status"`
	Instance       string               `json:"instance"`
	LeaseExpiresAt gateway.Time         `json:"lease_expires_at"`
	Deadline       gateway.Time         `json:"deadline"`
	DecisionID     gateway.DecisionID   `json:"decision_id"`
}

// LeaseRenewed says until when the attempt lives without another heartbeat.
type LeaseRenewed struct {
	Subject
	LeaseExpiresAt gateway.Time `json:"lease_expires_at"`
	Progress       string       `json:"progress,omitempty"`
}

// AttemptEvidence is the worker's claim about its verifications.
type AttemptEvidence struct {
	Subject
	gateway.Evidence
}

// PushIntended says that a push was allowed and is about to be forwarded.
type PushIntended struct {
	Subject
	PushIntent
}

// A PushIntent is an allowed push without its receipt.
type PushIntent struct {
	RefName    string             `json:"ref"`
	Old        gateway.OID        `json:"old"`
	New        gateway.OID        `json:"new"`
	Tree       gateway.OID        `json:"tree"`
	DecisionID gateway.DecisionID `json:"decision_id"`
}

// PushVoided says that the upstream does not show the intended push.
type PushVoided struct {
	Subject
	Reason string `json:"reason"`
}

// PushRefused says that a push was denied; each one counts.
type PushRefused struct {
	Subject
	New        gateway.OID        `json:"new"`
	Codes      []string           `json:"codes"`
	DecisionID gateway.DecisionID `json:"decision_id"`
}

// AttemptPushed is the receipt of a push: the commit is on the upstream.
type AttemptPushed struct {
	Subject
	Status     gateway.AttemptState `json:"status"`
	CommitSHA  gateway.OID          `json:"commit_sha"`
	Tree       gateway.OID          `json:"tree"`
	BranchName string               `json:"branch_name"`
}

// PullIntended says that a pull request was allowed and is about to be opened.
// The slot passes from the attempt to it.
type PullIntended struct {
	Subject
	PullIntent
}

// A PullIntent is an allowed pull request without its receipt. Number is what
// the forge will give it where that is known before, else 0.
type PullIntent struct {
	PRNumber   int                `json:"pr_number,omitempty"`
	BranchName string             `json:"branch_name"`
	CommitSHA  gateway.OID        `json:"commit_sha"`
	Title      string             `json:"title"`
	DecisionID gateway.DecisionID `json:"decision_id"`
}

// PullVoided says that the forge does not show the intended pull request.
type PullVoided struct {
	Subject
	Reason string `json:"reason"`
}

// PullCreated is the receipt of a pull request: it is open and was read back.
// TextDigest is of its text as the forge showed it; older records have none.
type PullCreated struct {
	Subject
	PRNumber   int         `json:"pr_number"`
	PRURL      string      `json:"pr_url"`
	BranchName string      `json:"branch_name"`
	CommitSHA  gateway.OID `json:"commit_sha"`
	Title      string      `json:"title"`
	State      string      `json:"state"`
	TextDigest string      `json:"text_digest,omitempty"`
}

// PullObserved says what was seen of an open pull request, whenever it is
// another than before. Once Edited, it stays so.
type PullObserved struct {
	Subject
	PRNumber   int          `json:"pr_number"`
	Review     string       `json:"review"`
	Conflicts  bool         `json:"conflicts"`
	Edited     bool         `json:"edited"`
	ObservedAt gateway.Time `json:"observed_at"`
}

// PullMerged says that a human's merge was seen. How says by what: the forge's
// word, ancestry, trailer or patch id.
type PullMerged struct {
	Subject
	PRNumber    int         `json:"pr_number"`
	PRURL       string      `json:"pr_url"`
	MergeCommit gateway.OID `json:"merge_commit,omitempty"`
	How         string      `json:"how"`
}

// PullClosed says that a human closed the pull request unmerged.
type PullClosed struct {
	Subject
	PRNumber int    `json:"pr_number"`
	PRURL    string `json:"pr_url"`
	How      string `json:"how"`
}

// An End is what every event that ends an attempt says.
type End struct {
	Status       gateway.AttemptState `json:"status"`
	PRNumber     int                  `json:"pr_number,omitempty"`
	PRURL        string               `json:"pr_url,omitempty"`
	Note         string               `json:"note,omitempty"`
	FailureType  gateway.FailureType  `json:"failure_type,omitempty"`
	ErrorSummary string               `json:"error_summary,omitempty"`
	Observed     string               `json:"observed,omitempty"`
	DecisionID   gateway.DecisionID   `json:"decision_id,omitempty"`
}

// AttemptEnded ends an attempt; Status, one of the terminal states, says how
// and gives the event its type.
type AttemptEnded struct {
	Subject
	End
}

// AttemptInvalidated takes a terminal attempt out of all counts.
type AttemptInvalidated struct {
	Subject
	Reason string `json:"reason"`
	By     string `json:"by"`
}

// ArtifactCreated says that an artifact was stored or grew; the latest of a
// name holds.
type ArtifactCreated struct {
	Subject
	ArtifactID   string `json:"artifact_id"`
	Name         string `json:"name"`
	SHA256       string `json:"sha256"`
	ArtifactType string `json:"artifact_type"`
	SizeBytes    int64  `json:"size_bytes"`
	StoragePath  string `json:"storage_path"`
}
