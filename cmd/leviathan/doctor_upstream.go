package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
)

// checkUpstreams looks at the repositories that the config names, as far as
// that needs no credential: those that are paths on this machine. Others are
// asked by the gateway, whose facts say what it saw.
func checkUpstreams(ctx context.Context, config string) []finding {
	if config == "" {
		return nil // checkConfig has said so
	}
	set, err := autonomy.Open(config, nil, time.Now)
	if err != nil {
		return nil // checkConfig has said so
	}
	var findings []finding
	for _, t := range set.Targets() {
		switch {
		case t.Config == nil:
		case filepath.IsAbs(t.Config.TargetRepoURL):
			findings = append(findings, checkPath(ctx, t.Config))
		default:
			findings = append(findings, topic("upstream").ok("%s of %s is asked by the gateway, with its credential", t.Config.TargetRepoURL, t.ID))
		}
	}
	return findings
}

// checkPath looks at an upstream that is a path, by git.
func checkPath(ctx context.Context, cfg *autonomy.Config) finding {
	const check topic = "upstream"
	dir, branch := cfg.TargetRepoURL, cfg.TargetBranch
	if _, err := os.Stat(dir); err != nil {
		return check.fail(fmt.Sprintf("the repository of %s: %v", cfg.TargetID, err), fmt.Sprintf("make it (git init --bare -b %s %s, then push to it), or correct target_repo_url", branch, dir))
	}
	ask := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "LC_ALL=C")
		said, err := cmd.Output()
		return strings.TrimSpace(string(said)), err
	}
	bare, err := ask("rev-parse", "--is-bare-repository")
	switch {
	case err != nil:
		return check.fail(dir+" is no git repository that this user can read", "name a bare repository in target_repo_url, and run doctor as the gateway's user")
	case bare != "true":
		return check.fail(dir+" is a repository with a work tree", "name a bare repository in target_repo_url: git clone --bare "+dir+" "+strings.TrimSuffix(dir, "/.git")+".git")
	}
	if _, err := ask("rev-parse", "--quiet", "--verify", "refs/heads/"+branch+"^{commit}"); err != nil {
		return check.fail(fmt.Sprintf("%s has no branch %s", dir, branch), "push a first commit to it, or correct target_branch")
	}
	if _, err := ask("cat-file", "-e", "refs/heads/"+branch+":.leviathan/backlog.yaml"); err != nil {
		return check.warn(fmt.Sprintf("%s of %s has no .leviathan/backlog.yaml: there is nothing to do", branch, cfg.TargetID), "commit one; check it with `leviathan backlog lint`")
	}
	return check.ok("%s has the branch %s and a backlog", dir, branch)
}

// checkSwitch reads what the gateway says of its kill switch.
func checkSwitch(k gateway.KillSwitchStatus) finding {
	const check topic = "switch"
	switch {
	case k.Problem != "":
		return check.fail("the kill switch is not proved: "+k.Problem, "stop this gateway; roll the policy back (`leviathan policy rollback`), or correct it")
	case k.ProvedAt.IsZero():
		return check.warn("the kill switch is not proved yet", "ask again in a quarter of a minute; without a valid config there is nothing to prove")
	}
	return check.ok("proved at %s", shortTime(k.ProvedAt))
}

// checkFacts reads what the gateway says of what it looks at: the upstream, the
// forge and the config of each target.
func checkFacts(t gateway.TargetStatus) (findings []finding) {
	remedies := map[string]string{
		"mirror":     "see that the upstream can be reached, and that the gateway's credential may read it",
		"forge":      "see that the forge answers, and that the gateway's credential may list pull requests",
		"probe":      "see that the gateway's credential may read the repository's settings",
		"config_map": "see that the gateway may read its ConfigMap",
		"config":     "correct the file; `leviathan config lint` says where",
	}
	for _, f := range t.Facts {
		if f.Known {
			continue
		}
		remedy := remedies[f.Name]
		if remedy == "" {
			remedy = "see the gateway's log"
		}
		findings = append(findings, topic("facts").warn(fmt.Sprintf("%s of %s is unknown: %s", f.Name, orDash(t.Target), orDash(f.Problem)),
			remedy+"; nothing new is started until it is known again"))
	}
	if len(findings) == 0 && len(t.Facts) > 0 {
		findings = append(findings, topic("facts").ok("all of %s are known", orDash(t.Target)))
	}
	return findings
}
