//go:build linux

package worker_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"leviathan/gateway"
)

// absent fails when what a trap would have written is there.
func absent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		t.Errorf("a trap went off: %s is there", path)
	}
}

func TestTrapNestedRepositoryIsRefused(t *testing.T) {
	needLandlock(t)
	for name, script := range map[string]string{
		"fsmonitor": `cd docs && git init -q sub && git -C sub config core.fsmonitor 'touch "$TMPDIR/fired"; false' && git -C sub config core.hooksPath "$TMPDIR"`,
		"git file":  `echo "gitdir: $TMPDIR/evil" > docs/.git`,
		"upper":     `mkdir -p docs/a/b/.GIT`,
		"hidden":    `mkdir -p docs/a/.git && chmod 000 docs/a`,
		"link":      `ln -s "$TMPDIR" docs/.git`,
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]string{"README.md": "x"})
			g.sh(script)
			c := g.config()
			outcome := g.run(c)
			if outcome.FailureType != gateway.Denied || !strings.Contains(outcome.Summary, "a repository in the checkout is refused") {
				t.Errorf("outcome is %+v\n%s", outcome, g.artifact("agent.log"))
			}
			absent(t, filepath.Join(c.Workspace, "tmp", "fired"))
		})
	}
}

func TestTrapConfigHooksAndFiltersDoNotRun(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x", ".gitattributes": "*.md filter=evil diff=evil\n"})
	g.sh(`
fire="touch $TMPDIR/fired; cat"
for file in "$HOME/.gitconfig" "$HOME/config" "$TMPDIR/git/config"; do
  mkdir -p "$(dirname "$file")"
  git config -f "$file" core.fsmonitor "$fire"; git config -f "$file" core.hooksPath "$TMPDIR/hooks"
  git config -f "$file" filter.evil.clean "$fire"; git config -f "$file" filter.evil.smudge "$fire"; git config -f "$file" diff.evil.textconv "$fire"
done
mkdir "$TMPDIR/hooks"
for hook in pre-push post-checkout post-index-change reference-transaction; do
  printf '#!/bin/sh\ntouch %s/fired\n' "$TMPDIR" > "$TMPDIR/hooks/$hook"; chmod +x "$TMPDIR/hooks/$hook"
  cp "$TMPDIR/hooks/$hook" ../git/hooks/ 2>>"$TMPDIR/errors"
done
git config -f ../git/config core.fsmonitor "$fire" 2>>"$TMPDIR/errors"
echo "* filter=evil" > ../git/info/attributes
echo text > docs/a.md`)
	c := g.config()
	if outcome := g.run(c); outcome.State != gateway.Succeeded {
		t.Errorf("outcome is %+v\n%s", outcome, g.artifact("agent.log"))
	}
	absent(t, filepath.Join(c.Workspace, "tmp", "fired"))
	absent(t, filepath.Join(c.Workspace, "git", "info", "attributes"))
	config, err := os.ReadFile(filepath.Join(c.Workspace, "git", "config"))
	if err != nil || strings.Contains(string(config), "fsmonitor") {
		t.Errorf("the git directory's config is %q, %v", config, err)
	}
	if got := git(t, g.repo, "show", g.branch()+":docs/a.md"); got != "text\n" {
		t.Errorf("the file was pushed as %q", got)
	}
}

func TestTrapNothingElseCanBeReadOrWritten(t *testing.T) {
	needLandlock(t)
	state := t.TempDir()
	for name, content := range map[string]string{"operator.token": "lev_operator_canary", "other": "x"} {
		if err := os.WriteFile(filepath.Join(state, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g := newGateway(t, map[string]string{"README.md": "x", "src/a.go": "package a\n"})
	c := g.config()
	neighbour := filepath.Join(filepath.Dir(c.Workspace), "neighbour")
	if err := os.MkdirAll(neighbour, 0o777); err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	w := c.Workspace
	g.start.Agent.Command = append(g.start.Agent.Command,
		"cat "+state+"/operator.token", "ls "+state, "echo x > "+state+"/other", "rm "+state+"/other", "mv "+state+"/other docs/",
		"ln "+state+"/other docs/hard", "ln -s "+state+"/operator.token docs/soft && cat docs/soft",
		"ls "+neighbour, "touch "+neighbour+"/x", "ls "+home, "ls "+g.repo, "git --git-dir="+g.repo+" log",
		"cat "+w+"/git/config", "ls "+w+"/spool", "ls "+w, "touch "+w+"/x",
		"echo x >> README.md", "rm README.md", "mv README.md docs/", "touch src/b.go", "mkdir new", "> src/a.go",
		"cat /proc/self/environ", "cat /proc/$PPID/environ", "cat /proc/1/environ", "ls /proc", "ls /sys", "cat /etc/shadow", "ls /etc", "ls /", "ls /root", "ls /tmp", "touch /tmp/leviathan-trap",
		"ls /dev", "cat /dev/mem", "mknod docs/disk b 259 0", "mknod $TMPDIR/mem c 1 1", "cat /proc/$SUPERVISOR/environ",
		"mount -t tmpfs none docs", "unshare -U true && unshare -m true", "chroot / true; ls /root",
	)
	if abi, err := ll.LandlockGetABIVersion(); err == nil && abi >= 6 {
		g.start.Agent.Command = append(g.start.Agent.Command, "kill -0 $SUPERVISOR", "kill -9 $SUPERVISOR", "kill -0 1")
	}
	g.start.Agent.Command = append([]string{"sh", "-c", `export SUPERVISOR=$PPID; for try; do if sh -c "$try" >>"$TMPDIR/out" 2>&1; then echo "POSSIBLE: $try"; fi; done; echo x > docs/x`, "sh"}, g.start.Agent.Command...)
	outcome := g.run(c)
	log := g.artifact("agent.log")
	if outcome.State != gateway.Succeeded || strings.Contains(log, "POSSIBLE") {
		t.Errorf("outcome is %+v\n%s", outcome, log)
	}
	absent(t, "/tmp/leviathan-trap")
}

func TestTrapWhatProgramsNeedWorks(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x", "run.sh": "echo ran\n"})
	g.start.Agent.MemoryMB = 1024
	g.sh(`set -e
test "$(ulimit -c)" = 0; test "$(ulimit -n)" -le 4096; test "$(ulimit -d)" = $((1024 * 1024)); test "$(umask)" = 0022
sh run.sh; cat README.md /etc/passwd /etc/hosts >/dev/null; head -c 4 /dev/urandom >/dev/null; head -c 4 /dev/zero > /dev/null
echo one > docs/one; mv docs/one docs/two; mkdir docs/sub; mv docs/two docs/sub/; ln -s sub/two docs/link; rm docs/link
echo t > "$TMPDIR/t"; mv "$TMPDIR/t" docs/t; cp /bin/true "$TMPDIR/true"; "$TMPDIR/true"
git -C docs --version; (echo a | cat) | grep -q a; test "$(pwd)" = "$PWD"; id -un >/dev/null || true
for tool in python3 node perl; do p=/usr/bin/$tool; if test -x $p; then $p --version; fi; done
if test -x /usr/bin/python3; then /usr/bin/python3 -c 'import json,tempfile,subprocess,ssl; tempfile.TemporaryFile(); subprocess.check_call(["true"])'; fi
if test -x /usr/bin/node; then /usr/bin/node -e 'require("fs").writeFileSync("docs/n","1"); require("child_process").execSync("true")'; fi`)
	if outcome := g.run(g.config()); outcome.State != gateway.Succeeded {
		t.Errorf("outcome is %+v\n%s", outcome, g.artifact("agent.log"))
	}
}

func TestTrapGoToolchainWorksWhenItsFoldersAreListed(t *testing.T) {
	needLandlock(t)
	said, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("needs the Go toolchain: %v", err)
	}
	root := strings.TrimSpace(string(said))
	g := newGateway(t, map[string]string{"go.mod": "module m\n\ngo 1.21\n", "docs/a.go": "package docs\n"})
	g.start.Sandbox.Read = []string{root}
	g.start.Agent.Env = map[string]string{"PATH": root + "/bin:/usr/bin:/bin", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
	g.sh("go version && go doc strings.Cut && go vet ./docs && echo x > docs/x")
	if outcome := g.run(g.config()); outcome.State != gateway.Succeeded {
		t.Errorf("outcome is %+v\n%s", outcome, g.artifact("agent.log"))
	}
}

func TestTrapOnlyListedPortsCanBeReached(t *testing.T) {
	needLandlock(t)
	var ports []int
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	if _, err := os.Stat("/bin/bash"); err != nil {
		t.Skip("there is no bash, whose /dev/tcp this test uses")
	}
	connect := func(port int) string { return fmt.Sprintf("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d'", port) }
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.start.Sandbox.ConnectPorts = ports[:1]
	g.start.Verify = []gateway.VerifySpec{{Name: "net", Command: []string{"sh", "-c", "! " + connect(ports[0])}}}
	g.sh(connect(ports[0]) + " && ! " + connect(ports[1]) + " && echo x > docs/x")
	if outcome := g.run(g.config()); outcome.State != gateway.Succeeded {
		t.Errorf("outcome is %+v\n%s\n%s", outcome, g.artifact("agent.log"), g.artifact("verify-net.log"))
	}
}

func TestTrapSocketsAroundTheRuleForPorts(t *testing.T) {
	needLandlock(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		t.Fatal(err)
	}
	local := int(unix.EACCES)
	if abi >= 9 {
		local = 0
	}
	for _, k := range []struct {
		ports []int
		want  map[string]int
	}{
		{[]int{443}, map[string]int{"tcp": 0, "udp": 0, "mptcp": int(unix.EPROTONOSUPPORT), "sctp": int(unix.EPROTONOSUPPORT), "raw": int(unix.EACCES),
			"packet": int(unix.EACCES), "vsock": int(unix.EACCES), "unix": local, "io_uring": int(unix.ENOSYS)}},
		{nil, map[string]int{"tcp": int(unix.EACCES), "udp": int(unix.EACCES), "mptcp": int(unix.EACCES), "unix": local}},
	} {
		g := newGateway(t, map[string]string{"README.md": "x"})
		g.start.Sandbox.Read, g.start.Sandbox.ConnectPorts = []string{self}, k.ports
		script := "echo x > docs/x\n"
		for kind, want := range k.want {
			script += fmt.Sprintf("%s try-socket %s; got=$?; test $got = %d || echo WRONG: %s $got\n", self, kind, want, kind)
		}
		g.sh(script)
		outcome := g.run(g.config())
		if log := g.artifact("agent.log"); outcome.State != gateway.Succeeded || strings.Contains(log, "WRONG") {
			t.Errorf("with ports %v: %+v\n%s", k.ports, outcome, log)
		}
	}
}

func TestTrapVerificationSeesOnlyTheTree(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x", ".gitignore": "*.o\n"})
	g.start.Agent.EnvFrom = []string{"API_KEY"}
	g.start.Verify = []gateway.VerifySpec{
		{Name: "first", Command: []string{"sh", "-c", "test -e docs/x && ! test -e docs/x.o && ! test -e $HOME/trap && test -z \"$API_KEY\" && echo x > litter && ! cat ../checkout/README.md"}},
		{Name: "second", Command: []string{"sh", "-c", "! test -e litter && ! env | grep LEVIATHAN"}},
	}
	g.sh("echo x > docs/x; echo o > docs/x.o; echo t > $HOME/trap")
	c := g.config()
	c.Env = map[string]string{"API_KEY": "k-012345"}
	if outcome := g.run(c); outcome.State != gateway.Succeeded {
		t.Errorf("outcome is %+v\n%s\n%s", outcome, g.artifact("verify-first.log"), g.artifact("verify-second.log"))
	}
}

func TestTrapAllowedFileIsOneFile(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x"})
	g.start.Task.AllowedPaths = []string{"docs/a.md", "docs/unused/b.md"}
	g.sh("echo x > docs/a.md; ! echo x > docs/c.md; ! rm docs/a.md")
	c := g.config()
	if outcome := g.run(c); outcome.State != gateway.Succeeded {
		t.Errorf("outcome is %+v\n%s", outcome, g.artifact("agent.log"))
	}
	if got := git(t, g.repo, "diff-tree", "-r", "--name-status", "main", g.branch()); got != "A\tdocs/a.md\n" {
		t.Errorf("changes are %q", got)
	}
	absent(t, filepath.Join(c.Workspace, "checkout", "docs", "unused"))
}

func TestS23SecretsAppearNowhere(t *testing.T) {
	needLandlock(t)
	g := newGateway(t, map[string]string{"README.md": "x"})
	const key, pat = "canary/key+0123456789", "ghp_canaryCanaryCanary0123456789"
	g.start.Agent.EnvFrom = []string{"API_KEY"}
	g.sh(`echo "key $API_KEY"; printf canary/key; sleep 1.2; printf '+0123456789\n'; echo "Authorization: Bearer abcdefgh0123456789"; echo ` + pat + `
echo "summary $API_KEY" > "$LEVIATHAN_SUMMARY_FILE"; echo "last $API_KEY" >&2; tr '\0' '\n' < /proc/$PPID/environ; exit 7`)
	c := g.config()
	c.Env = map[string]string{"API_KEY": key, "UNUSED": "canary-of-another-agent"}
	outcome := g.run(c)
	if outcome.FailureType != gateway.AgentError || !strings.Contains(outcome.Summary, "last [redacted]") {
		t.Errorf("outcome is %+v", outcome)
	}
	told, err := json.Marshal(map[string]any{"finish": g.finish, "events": g.events, "beats": g.beats})
	if err != nil {
		t.Fatal(err)
	}
	everything := string(told) + g.artifact("agent.log")
	if err := filepath.WalkDir(c.Workspace, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "/tmp/summary.md") {
			return err
		}
		data, err := os.ReadFile(path)
		everything += string(data)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{key, "0123456789", pat, token, "abcdefgh", "canary-of"} {
		if strings.Contains(everything, canary) {
			t.Errorf("%q got out", canary)
		}
	}
	if n := strings.Count(g.artifact("agent.log"), "[redacted]"); n != 5 {
		t.Errorf("%d redactions in\n%s", n, g.artifact("agent.log"))
	}
}

func TestS23SecretInTheTreeIsNotPushed(t *testing.T) {
	needLandlock(t)
	for name, script := range map[string]string{"content": `echo "k=$API_KEY" > docs/x`, "name": `touch "docs/$API_KEY"`, "link": `ln -s "$API_KEY" docs/x`} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]string{"README.md": "x"})
			g.start.Agent.EnvFrom = []string{"API_KEY"}
			g.sh(script)
			c := g.config()
			c.Env = map[string]string{"API_KEY": "canary-0123456789"}
			outcome := g.run(c)
			if outcome.FailureType != gateway.Denied || !strings.Contains(outcome.Summary, "holds a secret") || strings.Contains(outcome.Summary, "canary") || g.branch() != "" {
				t.Errorf("outcome is %+v", outcome)
			}
		})
	}
}
