package forge_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

const hookSecret = "a webhook's secret"

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func delivery(id, event, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/v1/forge/github/webhook", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", id)
	r.Header.Set("X-Hub-Signature-256", sign(body))
	return r
}

func hook(t *testing.T) *forge.GitHubWebhook {
	t.Helper()
	w, err := forge.NewGitHubWebhook(forge.NewSecret(hookSecret))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func merged(n int) string {
	return fmt.Sprintf(`{"action":"closed","number":%d,"pull_request":{"merged":true},"repository":{"full_name":"acme/app"}}`, n)
}

func TestTheWebhookReadsWhatIsSigned(t *testing.T) {
	w := hook(t)
	d, err := w.Receive(delivery("1", "pull_request", merged(7)))
	if want := (forge.Delivery{ID: "1", Event: "pull_request", Action: "closed", Repository: "acme/app", Number: 7, Merged: true}); err != nil || d != want {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := w.Receive(delivery("2", "ping", `{"zen":"x"}`)); err != nil || d.Event != "ping" || d.Number != 0 {
		t.Errorf("a ping: %+v, %v", d, err)
	}
}

func TestTheWebhookRefuses(t *testing.T) {
	with := func(change func(r *http.Request)) *http.Request {
		r := delivery("1", "pull_request", merged(7))
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		r    *http.Request
		kind gateway.Kind
	}{
		"no signature": {with(func(r *http.Request) { r.Header.Del("X-Hub-Signature-256") }), gateway.Unauthenticated},
		"another's":    {with(func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign("x")) }), gateway.Unauthenticated},
		"a short one":  {with(func(r *http.Request) { r.Header.Set("X-Hub-Signature-256", sign(merged(7))[:20]) }), gateway.Unauthenticated},
		"an old kind": {with(func(r *http.Request) {
			r.Header.Set("X-Hub-Signature-256", strings.Replace(sign(merged(7)), "256", "1", 1))
		}), gateway.Unauthenticated},
		"two signatures":    {with(func(r *http.Request) { r.Header.Add("X-Hub-Signature-256", sign("x")) }), gateway.Unauthenticated},
		"no id":             {with(func(r *http.Request) { r.Header.Del("X-GitHub-Delivery") }), gateway.Invalid},
		"a form":            {with(func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }), gateway.Invalid},
		"no JSON":           {delivery("1", "pull_request", "x"), gateway.Invalid},
		"no pull request":   {delivery("1", "pull_request", `{"action":"closed","number":7}`), gateway.Invalid},
		"longer than 1 MiB": {delivery("1", "pull_request", merged(7)+strings.Repeat(" ", 1<<20)), gateway.TooLarge},
	} {
		if d, err := hook(t).Receive(c.r); gateway.KindOf(err) != c.kind || err == nil {
			t.Errorf("%s: %+v, %v; want %s", name, d, err, c.kind)
		}
	}
	if _, err := forge.NewGitHubWebhook(forge.NewSecret("short")); err == nil {
		t.Error("a short secret is taken")
	}
}

func TestTheWebhookTakesADeliveryOnce(t *testing.T) {
	w := hook(t)
	take := func(id string, n int) error {
		_, err := w.Receive(delivery(id, "pull_request", merged(n)))
		return err
	}
	if err := take("first", 1); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"again": take("first", 1), "the same id with another content": take("first", 2), "the same content with another id": take("x", 1)} {
		if gateway.KindOf(err) != gateway.Conflict {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range 4095 {
		if err := take(fmt.Sprint(i), 10+i); err != nil {
			t.Fatal(err)
		}
	}
	if err := take("first", 1); gateway.KindOf(err) != gateway.Conflict {
		t.Errorf("after 4,095 more: %v", err)
	}
	if err := take("last", 9999); err != nil {
		t.Fatal(err)
	}
	if err := take("first", 1); err != nil {
		t.Errorf("what is remembered has no bound: %v", err)
	}
}

// An unsigned delivery cannot keep a signed one out.
func TestAnUnsignedDeliveryIsNotRemembered(t *testing.T) {
	w := hook(t)
	forged := delivery("1", "pull_request", merged(7))
	forged.Header.Set("X-Hub-Signature-256", sign("x"))
	if _, err := w.Receive(forged); err == nil {
		t.Fatal("a forged delivery is taken")
	}
	if _, err := w.Receive(delivery("1", "pull_request", merged(7))); err != nil {
		t.Error(err)
	}
}
