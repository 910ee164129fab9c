package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"leviathan/gateway"
)

const (
	webhookBytes  = 1 << 20 // the longest delivery that is read
	webhookRecent = 8192    // two for each delivery that is remembered
	secretBytes   = 16      // the shortest secret
)

// A Delivery is what a webhook says has happened. It is a reason to look, and
// never a fact: what became of a pull request is what Observe sees.
type Delivery struct {
	ID         string // the sender's, for logs
	Event      string // "pull_request", "ping", or another that is of no interest
	Action     string // "closed" and so on; of pull_request
	Repository string // OWNER/NAME, as GitHub spells it
	Number     int    // of the pull request; 0 for other events
	Merged     bool
}

// A GitHubWebhook verifies and reads the deliveries of one secret. It is safe
// for concurrent use.
type GitHubWebhook struct {
	secret Secret

	mu     sync.Mutex
	seen   map[string]bool
	recent []string // a ring of what seen has
	next   int
}

// NewGitHubWebhook takes the secret that GitHub signs with, of at least 16
// characters.
func NewGitHubWebhook(secret Secret) (*GitHubWebhook, error) {
	if len(secret.text()) < secretBytes {
		return nil, gateway.Errorf(gateway.Invalid, "the secret of the webhook is shorter than %d characters", secretBytes)
	}
	return &GitHubWebhook{secret: secret, seen: map[string]bool{}, recent: make([]string, webhookRecent)}, nil
}

// Receive reads a request, of at most 1 MiB, and checks its signature before
// it looks at anything else. The errors are of the kinds Unauthenticated (no
// signature of the secret), TooLarge, Invalid (signed, and not understood) and
// Conflict (seen before: among the last 4,096, by its id or its content).
func (w *GitHubWebhook) Receive(r *http.Request) (Delivery, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, webhookBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return Delivery{}, gateway.Errorf(gateway.TooLarge, "a delivery of the webhook has more than %d bytes", webhookBytes)
	case err != nil:
		return Delivery{}, &gateway.Error{Kind: gateway.Invalid, Detail: "reading a delivery of the webhook: " + err.Error(), Err: err}
	}
	mac := hmac.New(sha256.New, []byte(w.secret.text()))
	mac.Write(body)
	sum := mac.Sum(nil)
	claimed, ok := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	sent, err := hex.DecodeString(claimed)
	if !ok || err != nil || len(r.Header.Values("X-Hub-Signature-256")) != 1 || !hmac.Equal(sent, sum) {
		return Delivery{}, gateway.Errorf(gateway.Unauthenticated, "the delivery is not signed with the webhook's secret (X-Hub-Signature-256)")
	}
	d, err := parseDelivery(r.Header, body)
	if err != nil {
		return Delivery{}, err
	}
	// The id is not signed: who replays a delivery can give it another.
	if !w.first("id:"+d.ID, "body:"+d.Event+":"+string(sum)) {
		return Delivery{}, gateway.Errorf(gateway.Conflict, "delivery %s of the webhook was seen before", d.ID)
	}
	return d, nil
}

func parseDelivery(h http.Header, body []byte) (Delivery, error) {
	d := Delivery{ID: h.Get("X-GitHub-Delivery"), Event: h.Get("X-GitHub-Event")}
	if d.ID == "" || d.Event == "" || len(d.ID) > maxName || len(d.Event) > maxName || !oneLine(d.ID+d.Event) {
		return d, gateway.Errorf(gateway.Invalid, "a delivery of the webhook needs X-GitHub-Delivery and X-GitHub-Event")
	}
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return d, gateway.Errorf(gateway.Invalid, "the webhook's content type is not application/json; set it so at GitHub")
	}
	var said struct {
		Action     string `json:"action"`
		Number     int    `json:"number"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
		PullRequest *struct {
			Merged bool `json:"merged"`
		} `json:"pull_request"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return d, gateway.Errorf(gateway.Invalid, "a delivery of the webhook is not the JSON that GitHub sends")
	}
	d.Repository = line(said.Repository.FullName)
	if d.Event != "pull_request" {
		return d, nil
	}
	if said.PullRequest == nil || said.Number <= 0 || said.Action == "" || d.Repository == "" {
		return d, gateway.Errorf(gateway.Invalid, "a delivery about a pull request has no action, number or repository")
	}
	d.Action, d.Number, d.Merged = line(said.Action), said.Number, said.PullRequest.Merged
	return d, nil
}

// first remembers the keys, and reports whether all of them are new.
func (w *GitHubWebhook) first(keys ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		if w.seen[key] {
			return false
		}
	}
	for _, key := range keys {
		delete(w.seen, w.recent[w.next])
		w.recent[w.next], w.seen[key] = key, true
		w.next = (w.next + 1) % len(w.recent)
	}
	return true
}
