package gateway

// A Priority orders tasks of one backlog. The zero value reads as medium.
type Priority string

// The priorities, highest first.
const (
	High   Priority = "high"
	Medium Priority = "medium"
	Low    Priority = "low"
)

// A Task is an entry of a target's backlog with its defaults filled in. Its
// JSON form is what policies, workers and agents see.
type Task struct {
	ID                 TaskID   `json:"id"`
	Title              string   `json:"title"`
	Description        string   `json:"description"`
	Scope              string   `json:"scope"`
	Priority           Priority `json:"priority"`
	Ready              bool     `json:"ready"`
	Status             string   `json:"status"` // pending, in_progress, completed, blocked or failed
	AllowedPaths       []string `json:"allowed_paths"`
	AcceptanceCriteria []string `json:"acceptance_criteria"`
	Dependencies       []TaskID `json:"dependencies"`
	EstimatedSize      string   `json:"estimated_size,omitempty"` // xs, s, m, l or xl
	Labels             []string `json:"labels,omitempty"`
	// Agent is the name of an agent of the target's config; empty means the
	// config's default agent.
	Agent string `json:"agent,omitempty"`
	// Verify names the operator's verifications to run, in this order.
	Verify []string `json:"verify"`
	// TimeoutSeconds shortens the config's attempt timeout; 0 leaves it.
	TimeoutSeconds int `json:"timeout_seconds,omitempty"`
	// Digest is "sha256:" and the hex SHA-256 of the RFC 8785 form of what
	// makes the task the task: {id, title, description, scope, allowed_paths,
	// acceptance_criteria, dependencies, agent, verify}.
	Digest string `json:"digest"`
	// Line is where the entry begins in its file, from 1.
	Line int `json:"line"`
}
