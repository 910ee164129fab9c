package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/repository"
)

const githubURL = "https://github.com"

// useGitHub takes what the forges on GitHub have in common, and refuses at
// once what could never work for any of them.
func (s *Server) useGitHub(opts *forge.GitHubOptions) error {
	if opts == nil {
		return nil
	}
	shared := *opts
	shared.URL = strings.TrimSuffix(cmp.Or(shared.URL, githubURL), "/")
	shared.Budget, shared.Now = cmp.Or(shared.Budget, &forge.GitHubBudget{}), s.now
	trial := shared
	trial.Repository = shared.URL + "/owner/name"
	g, err := forge.NewGitHub(trial)
	if err != nil {
		return fmt.Errorf("setting up GitHub: %w", err)
	}
	for _, warning := range g.Warnings() {
		s.log.Warn(warning)
	}
	s.warnings = append(slices.Clone(s.warnings), g.Warnings()...)
	s.github = &shared
	if err := s.metrics.registry.Register(budgetGauge{shared.Budget}); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	return nil
}

// openForge makes the service that has the upstream's pull requests, and says
// how to speak to the repository itself. The credential is the forge's own,
// and goes to the forge's host alone.
func (s *Server) openForge(raw string) (forge.Forge, repository.Upstream, error) {
	up := repository.Upstream{URL: raw, GitBinary: s.gitBinary}
	if filepath.IsAbs(raw) {
		f, err := forge.NewLocal(raw, forge.LocalOptions{GitBinary: s.gitBinary})
		return f, up, err
	}
	if s.github == nil {
		return nil, up, &gateway.Error{Kind: gateway.Invalid, Code: forge.CodeCredential,
			Detail: "no forge for " + raw + ": the gateway has no credential for GitHub; start it with --github-app-id, --github-installation-id and --github-key-file, or with GITHUB_TOKEN"}
	}
	if _, ok := s.onGitHub(raw); !ok {
		return nil, up, &gateway.Error{Kind: gateway.Invalid, Code: forge.CodeRepository,
			Detail: "no forge for " + raw + ": it is no repository of " + s.github.URL + "; set target_repo_url, or start the gateway with --github-url"}
	}
	opts := *s.github
	opts.Repository = raw
	g, err := forge.NewGitHub(opts)
	if err != nil {
		return nil, up, err
	}
	up.Credential, up.Client = g.Credential, g.GitClient()
	return g, up, nil
}

// onGitHub is the OWNER/NAME of a repository on the GitHub that the gateway
// speaks to.
func (s *Server) onGitHub(raw string) (name string, ok bool) {
	if s.github == nil {
		return "", false
	}
	u, err := url.Parse(raw)
	web, webErr := url.Parse(s.github.URL)
	if err != nil || webErr != nil || u.Scheme != web.Scheme || !strings.EqualFold(u.Host, web.Host) {
		return "", false
	}
	return strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"), true
}

// problemText is an error as a fact shows it: with its code, if it has one.
func problemText(err error) string {
	var known *gateway.Error
	if errors.As(err, &known) && known.Code != "" {
		return known.Code + ": " + err.Error()
	}
	return err.Error()
}

// quietMax bounds how long a forge is left alone on its word.
const quietMax = time.Hour

// leaveAlone remembers when the forge may be asked again; the zero time if it
// did not say.
func (t *target) leaveAlone(err error, now time.Time) time.Time {
	wait := retryAfter(err)
	if wait <= 0 {
		t.quiet.Store(0)
		return time.Time{}
	}
	until := now.Add(min(wait, quietMax))
	t.quiet.Store(until.UnixMicro())
	return until
}

// quietUntil is when the forge may be asked again.
func (t *target) quietUntil() time.Time { return time.UnixMicro(t.quiet.Load()) }

func retryAfter(err error) time.Duration {
	var known *gateway.Error
	if errors.As(err, &known) {
		return known.RetryAfter
	}
	return 0
}

// budgetGauge shows what the forge still lets the process ask, and of how much. What is not
// known is not shown: it is not zero.
type budgetGauge struct{ budget *forge.GitHubBudget }

var budgetDesc = prometheus.NewDesc("leviathan_forge_budget_remaining",
	"Requests that GitHub lets this gateway make until its limit starts anew; absent while GitHub has not said.", nil, nil)

var budgetLimitDesc = prometheus.NewDesc("leviathan_forge_budget_limit",
	"Requests that GitHub lets this gateway make in all before its limit starts anew; absent while GitHub has not said.", nil, nil)

// Describe implements prometheus.Collector.
func (g budgetGauge) Describe(out chan<- *prometheus.Desc) {
	out <- budgetDesc
	out <- budgetLimitDesc
}

// Collect implements prometheus.Collector.
func (g budgetGauge) Collect(out chan<- prometheus.Metric) {
	if left, limit, known := g.budget.Remaining(); known {
		out <- prometheus.MustNewConstMetric(budgetDesc, prometheus.GaugeValue, float64(left))
		out <- prometheus.MustNewConstMetric(budgetLimitDesc, prometheus.GaugeValue, float64(limit))
	}
}
