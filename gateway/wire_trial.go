package gateway

// PlanLimits are the limits of a config, by their keys, that the policies
// which come with Leviathan read when they plan.
func PlanLimits() []string {
	return []string{"max_open_prs", "max_running_attempts", "max_attempts_per_task", "limits.max_tasks_per_day",
		"limits.retry_backoff_seconds", "limits.retry_backoff_max_seconds", "limits.fact_max_age_seconds"}
}

// A PlanTrial is the next plan of a target as its config is, and as it would
// be with another value of one limit: GET /v1/targets/{target}/plan. Both are
// made of the same facts by the policy that governs. Nothing is reserved.
type PlanTrial struct {
	Target       TargetID `json:"target"`
	AsOf         Time     `json:"as_of"`
	Revision     string   `json:"revision"`
	PolicyDigest string   `json:"policy_digest"`
	// Key is the limit's; Now is the value in force, Then the other one.
	Key  string `json:"key"`
	Now  int    `json:"now"`
	Then int    `json:"then"`
	// PlanNow and PlanThen are what holds for the plans as a whole.
	PlanNow  PlanVerdict `json:"plan_now"`
	PlanThen PlanVerdict `json:"plan_then"`
	// Tasks are those that either plan reserves or that they treat otherwise, in
	// the order of the backlog, at most 1,000; Truncated says that there are more.
	Tasks     []TriedTask `json:"tasks"`
	Truncated bool        `json:"truncated"`
	// Same is how many other tasks both plans leave out for the same reasons.
	Same int `json:"same"`
}

// A PlanVerdict is a plan as a whole: denied with reasons, or allowed, with
// how many tasks it would reserve.
type PlanVerdict struct {
	Decision bool     `json:"decision"`
	Reasons  []Reason `json:"reasons"`
	Reserved int      `json:"reserved"`
}

// A TriedTask is a task under both plans.
type TriedTask struct {
	TaskID TaskID `json:"task_id"`
	Title  string `json:"title"`
	// Differs says that the plans treat it otherwise.
	Differs bool        `json:"differs"`
	Now     TaskVerdict `json:"now"`
	Then    TaskVerdict `json:"then"`
}

// A TaskVerdict is what a plan says of a task: reserved, or why not.
type TaskVerdict struct {
	Reserved       bool     `json:"reserved"`
	Reasons        []Reason `json:"reasons"`
	NextEligibleAt Time     `json:"next_eligible_at"`
}
