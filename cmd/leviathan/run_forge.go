package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway/forge"
)

// forgeOptions say how the gateway speaks to GitHub. One GitHub and one
// credential serve all targets.
type forgeOptions struct {
	url, keyFile, webhookFile, proxyFile, caFile string
	appID, installationID                        int64
	draft                                        bool
	share                                        int
}

func (o *forgeOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.url, "github-url", "", "`URL` of GitHub, of GitHub Enterprise its own; https://github.com without it")
	f.Int64Var(&o.appID, "github-app-id", 0, "number of the GitHub App whose tokens are used; without one it is GITHUB_TOKEN")
	f.Int64Var(&o.installationID, "github-installation-id", 0, "number of that App's installation on the repositories' owner")
	f.StringVar(&o.keyFile, "github-key-file", "", "`FILE` with that App's private key in PEM")
	f.StringVar(&o.webhookFile, "github-webhook-secret-file", "", "`FILE` with the secret by which GitHub signs to /v1/forge/github/webhook; without one it answers 404")
	f.StringVar(&o.proxyFile, "github-proxy-file", "", "`FILE` with the URL of an HTTP proxy for GitHub and for git with it; no environment variable is asked")
	f.StringVar(&o.caFile, "github-ca-file", "", "`FILE` with certificates in PEM to trust for GitHub, and for git with it, beside the system's")
	f.BoolVar(&o.draft, "github-draft", false, "open pull requests as drafts")
	f.IntVar(&o.share, "github-observe-share", 0, "percent of what is left of GitHub's limit that one observation may spend; 20 without it")
	cmd.MarkFlagsRequiredTogether("github-app-id", "github-installation-id", "github-key-file")
}

// open reads the files. Without any credential there is no GitHub, which is
// right where every repository is a path.
func (o *forgeOptions) open() (*forge.GitHubOptions, *forge.GitHubWebhook, error) {
	opts := &forge.GitHubOptions{URL: o.url, CAFile: o.caFile, Draft: o.draft, SharePercent: o.share}
	if o.keyFile != "" {
		opts.App = &forge.GitHubApp{ID: o.appID, InstallationID: o.installationID, KeyFile: o.keyFile}
	} else if token := strings.TrimSpace(os.Getenv("GITHUB_TOKEN")); token != "" {
		opts.Token = forge.NewSecret(token)
	} else if *o != (forgeOptions{}) {
		return nil, nil, errors.New("the --github flags need a credential: --github-app-id, --github-installation-id and --github-key-file, or GITHUB_TOKEN")
	} else {
		return nil, nil, nil
	}
	if o.proxyFile != "" {
		proxy, err := readTokenFile(o.proxyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("--github-proxy-file: %w", err)
		}
		opts.Proxy = forge.NewSecret(proxy)
	}
	if o.webhookFile == "" {
		return opts, nil, nil
	}
	secret, err := readTokenFile(o.webhookFile)
	if err != nil {
		return nil, nil, fmt.Errorf("--github-webhook-secret-file: %w", err)
	}
	webhook, err := forge.NewGitHubWebhook(forge.NewSecret(secret))
	if err != nil {
		return nil, nil, fmt.Errorf("--github-webhook-secret-file: %w", err)
	}
	return opts, webhook, nil
}
