package backlog

// A TargetPolicy is a target's own .leviathan/policy.yaml. Its JSON form is
// input.target_policy.values of the policies; a target can only narrow what
// the operator allows. Globs are those of OPA's glob.match with "/" as
// delimiter; one without "/" matches the base name at any depth.
type TargetPolicy struct {
	// AllowedPaths is nil when the file does not say. Its JSON form is null,
	// a list of globs, or an object from scope to globs.
	AllowedPaths *AllowedPaths `json:"allowed_paths"`
	// ForbiddenPaths are globs; never nil.
	ForbiddenPaths []string `json:"forbidden_paths"`
	// ScopeConstraints by scope; never nil.
	ScopeConstraints map[string]ScopeConstraint `json:"scope_constraints"`
	SafetyRules      SafetyRules                `json:"safety_rules"`
	FileSizeLimits   FileSizeLimits             `json:"file_size_limits"`
}

// AllowedPaths holds either globs for every task or globs by scope. With
// ByScope a task of a scope that is not in the map is ineligible.
type AllowedPaths struct {
	All     []string
	ByScope map[string][]string // nil when All is meant
}

// A ScopeConstraint narrows the tasks of one scope.
type ScopeConstraint struct {
	MaxFilesPerTask int `json:"max_files_per_task,omitempty"` // 0: not said
	// AllowedOperations are of create, update and delete; nil: not said, empty:
	// none.
	AllowedOperations []string `json:"allowed_operations,omitzero"`
}

// SafetyRules narrow the config's limits. A zero field was not said.
type SafetyRules struct {
	MaxAttemptsPerTask        int  `json:"max_attempts_per_task,omitempty"`
	BackoffSeconds            int  `json:"backoff_seconds,omitempty"`
	MaxConcurrentAttempts     int  `json:"max_concurrent_attempts,omitempty"`
	MaxTasksPerDay            int  `json:"max_tasks_per_day,omitempty"`
	RequireConventionalCommit bool `json:"require_conventional_commit,omitempty"`
}

// FileSizeLimits bound the size of a changed file.
type FileSizeLimits struct {
	// MaxFileSizeKB maps a glob to KiB; never nil.
	MaxFileSizeKB map[string]int `json:"max_file_size_kb"`
}
