package server_test

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway/forge"
	"leviathan/gateway/server"
)

// One CA file is for the API and for git alike, and without it both say no.
func TestGitHubAndGitTrustTheSameCertificates(t *testing.T) {
	t.Parallel()
	w, f, s := newGitHubWorldBy(t, httptest.NewTLSServer)
	w.start()
	w.server.Observe(context.Background(), "demo")
	for _, fact := range w.status().Targets[0].Facts {
		if fact.Name != "config" && (fact.Known || !strings.Contains(fact.Problem, "certificate")) {
			t.Errorf("without the CA file %s is known: %v, %q", fact.Name, fact.Known, fact.Problem)
		}
	}
	f.change(func() {
		if len(f.auths) != 0 {
			t.Errorf("a server that is not trusted got %v", f.auths)
		}
	})
	w.server.Idle()
	w.stop()
	ca := filepath.Join(w.dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	w.tune = func(c *server.Config) {
		c.GitHub = &forge.GitHubOptions{URL: s.URL, Token: forge.NewSecret(canary), CAFile: ca, Draft: true}
	}
	w.start()
	w.deliver(reservation(t, w.cycle(), "guide"), map[string]string{"docs/guide.md": "# Guide\n"})
	w.server.Idle()
	f.change(func() {
		if len(f.pulls) != 1 || f.pulls[0]["draft"] != true {
			t.Errorf("pull requests: %v", f.pulls)
		}
	})
}
