package gateway

// A Health is what GET /health and GET /health/ready say. Status is healthy,
// or ready, or one word for what is not.
type Health struct {
	Status  string `json:"status"`
	Service string `json:"service,omitempty"`
	Version string `json:"version,omitempty"`
}

// An ActionResult says that an operator's action was decided and done. Target
// is empty for all.
type ActionResult struct {
	Status     string     `json:"status"`
	Action     string     `json:"action"`
	Target     TargetID   `json:"target"`
	DecisionID DecisionID `json:"decision_id"`
}

// An EvidenceRecorded says that a worker's claim is in the journal.
type EvidenceRecorded struct {
	Status     string     `json:"status"`
	DecisionID DecisionID `json:"decision_id"`
}

// An InvalidateResult says that an attempt no longer counts.
type InvalidateResult struct {
	Status     string     `json:"status"`
	AttemptID  AttemptID  `json:"attempt_id"`
	DecisionID DecisionID `json:"decision_id"`
}

// A WebhookResult says which targets are looked at anew.
type WebhookResult struct {
	Status   string     `json:"status"`
	Observed []TargetID `json:"observed"`
}

// An EvaluationList is the answers to a Batch, in its order. With a semantics
// that stops early they are fewer than the questions.
type EvaluationList struct {
	Evaluations []Evaluation `json:"evaluations"`
}
