package forge_test

import (
	"strings"
	"testing"

	"leviathan/gateway/forge"
)

const (
	plainJob  = "\npermissions: {contents: read}\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"
	secretJob = "\npermissions: {contents: read}\njobs: {a: {runs-on: x, steps: [{run: make, env: {K: '${{ secrets.KEY }}'}}]}}\n"
	tokenJob  = "\npermissions: {contents: read}\njobs: {a: {runs-on: x, steps: [{run: make, env: {K: '${{ secrets.GITHUB_TOKEN }}'}}]}}\n"
	writeJob  = "\npermissions: {contents: read}\njobs: {a: {permissions: {packages: write}, runs-on: x, steps: [{run: make}]}}\n"
	noneSaid  = "\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"
)

func TestWorkflowsThatRunAnAgentsBranchWithSecretsAreFound(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"no secrets", "on: push" + plainJob, ""},
		{"the job's own token that can only read", "on: push" + tokenJob, ""},
		{"every push, with a secret", "on: push" + secretJob, "push: it uses secrets"},
		{"a list of events", "on: [pull_request, push]" + secretJob, "pull_request: it uses secrets|push: it uses secrets"},
		{"a quoted key", "'on': push" + secretJob, "push: it uses secrets"},
		{"a token that can write", "on: push" + writeJob, "push: its token can write packages"},
		{"write-all", "on: push\npermissions: write-all\njobs: {a: {runs-on: x}}\n", "push: its token can write (permissions: write-all)"},
		{"read-all", "on: push\npermissions: read-all\njobs: {a: {runs-on: x}}\n", ""},
		{"permissions not stated", "on: push" + noneSaid, "push: its permissions are not stated"},
		{"secrets handed on", "on: push\npermissions: {}\njobs: {a: {uses: o/r/x.yml@v1, secrets: inherit}}\n", "push: it hands all secrets on"},
		{"secrets by an index", "on: push\npermissions: {}\njobs: {a: {runs-on: x, env: {K: \"${{ secrets['KEY'] }}\"}}}\n", "push: it uses secrets"},
		{"all secrets as JSON", "on: push\npermissions: {}\njobs: {a: {runs-on: x, env: {K: '${{ toJSON(secrets) }}'}}}\n", "push: it uses secrets"},
		{"pushes to main", "on: {push: {branches: [main]}}" + secretJob, ""},
		{"pushes to agent/**", "on: {push: {branches: [main, 'agent/**']}}" + secretJob, "push: it uses secrets"},
		{"pushes to any branch but one", "on: {push: {branches: ['**', '!main']}}" + secretJob, "push: it uses secrets"},
		{"pushes to any branch but ours", "on: {push: {branches: ['**', '!agent/**']}}" + secretJob, ""},
		{"one segment does not match ours", "on: {push: {branches: ['*']}}" + secretJob, ""},
		{"one segment below", "on: {push: {branches: ['*/*']}}" + secretJob, "push: it uses secrets"},
		{"some of ours", "on: {push: {branches: ['agent/01K*']}}" + secretJob, "push: it uses secrets"},
		{"a set", "on: {push: {branches: ['[a-c]gent/**']}}" + secretJob, "push: it uses secrets"},
		{"ours are ignored", "on: {push: {branches-ignore: ['agent/**']}}" + secretJob, ""},
		{"others are ignored", "on: {push: {branches-ignore: [main]}}" + secretJob, "push: it uses secrets"},
		{"tags alone", "on: {push: {tags: ['v*']}}" + secretJob, ""},
		{"an event without filters", "on:\n  push:\n  workflow_dispatch:" + secretJob, "push: it uses secrets"},
		{"pull requests into another branch", "on: {pull_request: {branches: [release]}}" + secretJob, ""},
		{"pull requests into main", "on: {pull_request: {branches: [main]}}" + secretJob, "pull_request: it uses secrets"},
		{"pull_request_target", "on: pull_request_target" + plainJob, "pull_request_target: it runs with secrets"},
		{"a branch that is made", "on: create" + secretJob, "create: it uses secrets"},
		{"a schedule", "on: {schedule: [{cron: '0 0 * * *'}]}" + secretJob, ""},
		{"not YAML", "on: [push" + secretJob, "?: the file cannot be read"},
		{"an anchor", "on: &x push\njobs: {a: {env: *x}}\n", "?: the file cannot be read whole"},
	} {
		found := forge.ExposedBy(c.file)
		got := strings.Join(found, "|")
		ok := got == c.want
		if c.want != "" && !strings.Contains(c.want, "|") {
			ok = len(found) == 1 && strings.HasPrefix(got, c.want)
		}
		if !ok {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
