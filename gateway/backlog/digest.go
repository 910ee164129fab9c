package backlog

import (
	"bytes"
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
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	// The keys in the order of RFC 8785.
	if err := encoder.Encode(struct {
		AcceptanceCriteria []string         `json:"acceptance_criteria"`
		Agent              string           `json:"agent"`
		AllowedPaths       []string         `json:"allowed_paths"`
		Dependencies       []gateway.TaskID `json:"dependencies"`
		Description        string           `json:"description"`
		ID                 gateway.TaskID   `json:"id"`
		Scope              string           `json:"scope"`
		Title              string           `json:"title"`
		Verify             []string         `json:"verify"`
	}{full(t.AcceptanceCriteria), agent, full(t.AllowedPaths), full(t.Dependencies), t.Description, t.ID, t.Scope, t.Title, full(t.Verify)}); err != nil {
		return ""
	}
	canonical := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	// Only in its escapes does what Go writes of strings differ.
	if bytes.IndexByte(canonical, '\\') >= 0 {
		var err error
		if canonical, err = jcs.Transform(canonical); err != nil {
			return ""
		}
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
