package backlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/gowebpki/jcs"

	"leviathan/gateway"
)

// Digest is "sha256:" and the hex SHA-256 of the RFC 8785 form of what makes
// the task the task, as gateway.Task.Digest says. A task that names no agent
// has defaultAgent's, so a change of the default makes another task of it.
// Status, readiness, priority and line are not part of it. It is empty only
// for a task that JSON cannot carry, which Parse never returns.
func Digest(t gateway.Task, defaultAgent string) string {
	agent := t.Agent
	if agent == "" {
		agent = defaultAgent
	}
	plain, err := json.Marshal(struct {
		ID                 gateway.TaskID   `json:"id"`
		Title              string           `json:"title"`
		Description        string           `json:"description"`
		Scope              string           `json:"scope"`
		AllowedPaths       []string         `json:"allowed_paths"`
		AcceptanceCriteria []string         `json:"acceptance_criteria"`
		Dependencies       []gateway.TaskID `json:"dependencies"`
		Agent              string           `json:"agent"`
		Verify             []string         `json:"verify"`
	}{t.ID, t.Title, t.Description, t.Scope, full(t.AllowedPaths), full(t.AcceptanceCriteria), full(t.Dependencies), agent, full(t.Verify)})
	if err != nil {
		return ""
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// full is the list, empty rather than nil: both are the same task.
func full[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
