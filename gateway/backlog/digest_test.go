package backlog_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"leviathan/gateway"
	"leviathan/gateway/backlog"
)

// The digest is that of the RFC 8785 form, whatever characters there are.
func TestDigestIsOfTheCanonicalForm(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z<>&"\\/ \x{2028}\x{7f}\n\t\x{08}é\x{1F600}]{0,12}`), rapid.Just("\xff\xfe"))
	rapid.Check(t, func(t *rapid.T) {
		task := gateway.Task{ID: "T-1", Title: text.Draw(t, "title"), Description: text.Draw(t, "description"), Scope: text.Draw(t, "scope"),
			AllowedPaths: rapid.SliceOfN(text, 0, 3).Draw(t, "paths"), AcceptanceCriteria: rapid.SliceOfN(text, 0, 3).Draw(t, "criteria"),
			Dependencies: []gateway.TaskID{"T-2"}, Agent: text.Draw(t, "agent"), Verify: []string{"unit"}}
		agent := task.Agent
		if agent == "" {
			agent = "default"
		}
		plain, err := json.Marshal(map[string]any{"id": task.ID, "title": task.Title, "description": task.Description, "scope": task.Scope,
			"allowed_paths": task.AllowedPaths, "acceptance_criteria": task.AcceptanceCriteria, "dependencies": task.Dependencies,
			"agent": agent, "verify": task.Verify})
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := jcs.Transform(plain)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(canonical)
		if got, want := backlog.Digest(task, "default"), "sha256:"+hex.EncodeToString(sum[:]); got != want {
			t.Fatalf("got %s, want %s of %s", got, want, canonical)
		}
	})
}
