package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestForgeFlags(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pemFile := file("app.pem", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	proxy := file("proxy", "http://user:hidden-word@127.0.0.1:3128\n")
	secret := file("secret", "sixteen characters\n")
	app := forgeOptions{appID: 7, installationID: 8, keyFile: pemFile}
	with := func(o forgeOptions, change func(*forgeOptions)) forgeOptions { change(&o); return o }
	for name, row := range map[string]struct {
		options forgeOptions
		token   string
		problem string
		github  bool
		app     bool
		webhook bool
	}{
		"nothing":        {},
		"token":          {token: " ghp_x\n", github: true},
		"app":            {options: app, github: true, app: true},
		"app over token": {options: app, token: "ghp_x", github: true, app: true},
		"webhook":        {options: with(app, func(o *forgeOptions) { o.webhookFile, o.proxyFile = secret, proxy }), github: true, app: true, webhook: true},
		"drafts":         {options: with(app, func(o *forgeOptions) { o.draft = true }), github: true, app: true},
		"no credential":  {options: forgeOptions{draft: true}, problem: "need a credential"},
		"short secret":   {options: with(app, func(o *forgeOptions) { o.webhookFile = file("short", "short") }), problem: "--github-webhook-secret-file: "},
		"no proxy file":  {options: with(app, func(o *forgeOptions) { o.proxyFile = filepath.Join(dir, "none") }), problem: "--github-proxy-file: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GITHUB_TOKEN", row.token)
			github, webhook, err := row.options.open()
			if row.problem != "" {
				if err == nil || !strings.Contains(err.Error(), row.problem) {
					t.Errorf("%v, not %q", err, row.problem)
				}
				return
			}
			if err != nil || (github != nil) != row.github || (webhook != nil) != row.webhook {
				t.Fatalf("%v %v %v", github, webhook, err)
			}
			if github == nil {
				return
			}
			if github.Draft != row.options.draft {
				t.Errorf("--github-draft=%t is handed on as %t", row.options.draft, github.Draft)
			}
			if (github.App != nil) != row.app || github.Token.Empty() != row.app || github.Proxy.Empty() != (row.options.proxyFile == "") {
				t.Errorf("%+v", github)
			}
			if text := fmt.Sprintf("%+v %#v", github, github); strings.Contains(text, "hidden-word") || strings.Contains(text, "ghp_x") {
				t.Errorf("a secret is printed: %s", text)
			}
		})
	}
}
