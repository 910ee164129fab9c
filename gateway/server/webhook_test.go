package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/server"
)

const webhookSecret = "a secret of the webhook"

// deliverHook sends what GitHub would, signed with a secret.
func (w *world) deliverHook(id, event, body, secret string) *http.Response {
	w.t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	req, err := http.NewRequest("POST", w.http.URL+"/v1/forge/github/webhook", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "X-GitHub-Delivery": id, "X-GitHub-Event": event,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func TestWebhookMakesAnObservationDue(t *testing.T) {
	t.Parallel()
	w, f := newGitHubWorld(t)
	tune := w.tune
	planned := make(chan gateway.TargetID, 100)
	w.tune = func(c *server.Config) {
		tune(c)
		var err error
		if c.GitHubWebhook, err = forge.NewGitHubWebhook(forge.NewSecret(webhookSecret)); err != nil {
			t.Fatal(err)
		}
		c.OnChange = func(id gateway.TargetID) { planned <- id }
	}
	w.start()
	w.deliver(reservation(t, w.cycle(), "guide"), map[string]string{"docs/guide.md": "# Guide\n"})
	w.server.Idle()
	f.change(func() { f.pulls[0]["state"], f.pulls[0]["merged_at"] = "closed", "2026-03-01T12:00:00Z" })
	body := `{"action":"closed","number":1,"repository":{"full_name":"Acme/App"},"pull_request":{"merged":true}}`
	before, failures := w.journal.Seq(), w.metric("leviathan_authentication_failures_total")
	for _, row := range []struct {
		id, event, body, secret string
		status                  int
	}{
		{"1", "pull_request", body, "another secret of the webhook", 401},
		{"2", "pull_request", strings.Repeat("x", 1<<20+1), webhookSecret, 413},
		{"3", "pull_request", `{}`, webhookSecret, 422},
		{"4", "ping", `{"zen":"Keep it logically awesome."}`, webhookSecret, 202},
		{"5", "pull_request", strings.Replace(body, "Acme/App", "acme/other", 1), webhookSecret, 202},
	} {
		if res := w.deliverHook(row.id, row.event, row.body, row.secret); res.StatusCode != row.status {
			t.Errorf("delivery %s: %d, want %d", row.id, res.StatusCode, row.status)
		}
	}
	if after := w.journal.Seq(); after != before {
		t.Errorf("deliveries of no interest wrote %d records", after-before)
	}
	for len(planned) > 0 {
		<-planned
	}
	res := w.deliverHook("6", "pull_request", body, webhookSecret)
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 202 || !strings.Contains(string(text), `"observed":["demo"]`) {
		t.Errorf("%d %s %v", res.StatusCode, text, err)
	}
	w.server.Idle()
	if n := w.events()["pr.merged"]; n != 1 {
		t.Errorf("%d merges seen", n)
	}
	if n := w.allowed(gateway.ActionForgeObserve); n != 1 {
		t.Errorf("%d decisions", n)
	}
	if len(planned) == 0 || <-planned != "demo" {
		t.Error("nobody was told to plan")
	}
	if res := w.deliverHook("6", "pull_request", body, webhookSecret); res.StatusCode != 409 {
		t.Errorf("once more: %d", res.StatusCode)
	}
	if now := w.metric("leviathan_authentication_failures_total"); now != failures+1 {
		t.Errorf("a forged delivery is counted as %v failures", now-failures)
	}
}

func TestWebhookWithoutASecretIsNoRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	if res := w.deliverHook("1", "ping", `{}`, ""); res.StatusCode != 404 {
		t.Errorf("%d", res.StatusCode)
	}
	if slices.ContainsFunc(w.status().Warnings, func(s string) bool { return strings.Contains(s, "GitHub") }) {
		t.Errorf("warnings: %v", w.status().Warnings)
	}
}
