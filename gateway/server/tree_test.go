package server_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// with is a commit of the base's tree with one entry more, at a path whose
// parts need not be what git would write.
func (p *pusher) with(mode, id string, parts ...string) string {
	p.w.t.Helper()
	return p.commit(p.insert(p.base(), mode, id, parts), p.started.Commit.Message, p.started.Commit.Author, string(p.r.BaseCommit))
}

// insert writes the raw tree with an entry more, or another in its place.
func (p *pusher) insert(tree, mode, id string, parts []string) string {
	p.w.t.Helper()
	type item struct{ mode, id, name string }
	items := []item{}
	inner := ""
	if tree != "" {
		for _, line := range strings.Split(p.w.git(p.tree, "ls-tree", tree), "\n") {
			if line == "" {
				continue
			}
			about, name, _ := strings.Cut(line, "\t")
			f := strings.Fields(about)
			if name == parts[0] {
				inner = f[2]
				continue
			}
			items = append(items, item{strings.TrimPrefix(f[0], "0"), f[2], name})
		}
	}
	if len(parts) > 1 {
		id, mode = p.insert(inner, mode, id, parts[1:]), "40000"
	}
	items = append(items, item{mode, id, parts[0]})
	key := func(i item) string {
		if i.mode == "40000" {
			return i.name + "/"
		}
		return i.name
	}
	for i := len(items) - 1; i > 0 && key(items[i]) < key(items[i-1]); i-- {
		items[i], items[i-1] = items[i-1], items[i]
	}
	var raw bytes.Buffer
	ids := []string{}
	for _, i := range items {
		raw.Write(entry(i.mode, i.name, i.id))
		ids = append(ids, i.id)
	}
	return p.hash("tree", raw.Bytes(), ids...)
}

func TestS04AHostileTreeIsRefusedWithItsCode(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	refs := p.w.refs()
	blob := p.hash("blob", []byte("x\n"))
	link := func(to string) string { return p.hash("blob", []byte(to)) }
	large := p.hash("blob", bytes.Repeat([]byte("0123456789abcde\n"), 5<<10))
	for _, row := range []struct {
		what, code string
		mode, id   string
		parts      []string
	}{
		{"a file outside", "scope.outside_prefix", "100644", blob, []string{"src", "x.go"}},
		{"a changed file outside", "scope.outside_prefix", "100644", blob, []string{"README.md"}},
		{"a prefix's name in another case", "scope.outside_prefix", "100644", blob, []string{"Docs", "x.md"}},
		{"a folder that begins as the prefix", "scope.outside_prefix", "100644", blob, []string{"docs2", "x.md"}},
		{"the prefix as a file", "scope.", "100644", blob, []string{"docs"}},
		{".git", "", "100644", blob, []string{"docs", ".git", "config"}},
		{".GIT", "", "100644", blob, []string{"docs", ".GIT", "config"}},
		{"git~1", "", "100644", blob, []string{"docs", "git~1", "config"}},
		{".git with an ignored rune", "", "100644", blob, []string{"docs", ".g\u200cit", "config"}},
		{"dot dot", "", "100644", blob, []string{"docs", "..", "src"}},
		{"dot", "", "100644", blob, []string{"docs", ".", "x"}},
		{"a slash in a name", "", "100644", blob, []string{"docs", "a/../../src/x"}},
		{"a backslash", "", "100644", blob, []string{"docs", `..\src`}},
		{"an empty name", "", "100644", blob, []string{"docs", ""}},
		{"a line feed", "scope.malformed_path", "100644", blob, []string{"docs", "a\nb"}},
		{"a gitlink", "scope.submodule", "160000", string(p.r.BaseCommit), []string{"docs", "sub"}},
		{"a strange mode", "", "100600", blob, []string{"docs", "x.md"}},
		{"a setuid mode", "", "104755", blob, []string{"docs", "x.md"}},
		{"a link out of the repository", "scope.symlink", "120000", link("../../etc/passwd"), []string{"docs", "l"}},
		{"an absolute link", "scope.symlink", "120000", link("/etc/passwd"), []string{"docs", "l"}},
		{"a link out of the prefix", "scope.symlink", "120000", link("../src"), []string{"docs", "l"}},
		{"a link to git's own", "scope.symlink", "120000", link("../.git/config"), []string{"docs", "l"}},
		{"a link around", "scope.symlink", "120000", link("sub/../../src"), []string{"docs", "l"}},
		{"a large file", "scope.", "100644", large, []string{"docs", "large.txt"}},
		{"a workflow inside a prefix", "scope.protected", "100644", blob, []string{".github", "workflows", "ci.yml"}},
		{"a workflow further down", "scope.protected", "100644", blob, []string{"docs", ".github", "x"}},
		{"owners", "scope.protected", "100644", blob, []string{"docs", "CODEOWNERS"}},
		{"owners in another case", "scope.protected", "100644", blob, []string{"docs", "CodeOwners"}},
		{"attributes", "scope.protected", "100644", blob, []string{"docs", ".gitattributes"}},
		{"modules", "scope.protected", "100644", blob, []string{"docs", ".gitmodules"}},
		{"the backlog", "scope.protected", "100644", blob, []string{".leviathan", "backlog.yaml"}},
		{"the backlog in another case", "scope.protected", "100644", blob, []string{"docs", ".Leviathan", "policy.yaml"}},
		{"an agent's orders", "scope.protected", "100644", blob, []string{"docs", "agents.MD"}},
		{"a Kelvin sign", "scope.protected", "100644", blob, []string{"docs", ".hus\u212ay", "pre-commit"}},
	} {
		report := p.send(p.with(row.mode, row.id, row.parts...))
		p.denied(row.what, report, row.code, refs)
	}
	many := p.base()
	for n := range 21 {
		many = p.insert(many, "100644", blob, []string{"docs", "n" + strings.Repeat("x", n) + ".md"})
	}
	p.denied("many files", p.send(p.commit(many, p.started.Commit.Message, p.started.Commit.Author, string(p.r.BaseCommit))), "scope.", refs)
	// What is plain passes, with the executable bit and with a link inside.
	tree := p.base()
	for name, mode := range map[string]string{"plain.md": "100644", "run.sh": "100755"} {
		tree = p.insert(tree, mode, blob, []string{"docs", name})
	}
	tree = p.insert(tree, "120000", link("index.md"), []string{"docs", "link.md"})
	good := p.commit(tree, p.started.Commit.Message, p.started.Commit.Author, string(p.r.BaseCommit))
	if report := p.send(good); !strings.Contains(report, "ok refs/heads/"+p.r.Branch) {
		t.Errorf("a plain push: %q", report)
	}
	if got := p.w.git(p.w.upstream, "ls-tree", "refs/heads/"+p.r.Branch, "docs/run.sh"); !strings.HasPrefix(got, "100755 blob") {
		t.Errorf("upstream has %q", got)
	}
}

func TestAPackIsJudgedWhole(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	refs, own := p.w.refs(), "refs/heads/"+p.r.Branch
	good := p.good("docs/guide.md")
	pack := p.pack(good, "")
	zero := strings.Repeat("0", 40)
	torn := append([]byte{}, pack[:len(pack)-25]...)
	broken := append([]byte{}, pack...)
	broken[len(broken)/2] ^= 0xff
	for what, bytes := range map[string][]byte{"torn": torn, "broken": broken, "empty": {}, "text": []byte("hello"), "more": append(append([]byte{}, pack...), "more"...)} {
		report := p.w.rawPush(p.r.Token, bytes, command(zero, good, own))
		if strings.Contains(report, "ok "+own) && !strings.Contains(report, "ng "+own) {
			t.Errorf("%s: %q", what, report)
		}
		if now := p.w.refs(); now != refs {
			t.Fatalf("%s: the upstream has %s", what, now)
		}
	}
	// One more than the limit of a MiB; random bytes do not shrink.
	noise := make([]byte, 2<<20)
	for i, x := 0, uint64(88172645463325252); i < len(noise); i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		noise[i] = byte(x)
	}
	id := p.hash("blob", noise)
	report := p.send(p.with("100644", id, "docs", "noise.bin"))
	p.denied("a large pack", report, "", refs)
	// The pack that the push needs, and nothing that it lacks.
	alone := p.hash("blob", []byte("never sent\n"))
	missing := p.with("100644", alone, "docs", "missing.md")
	p.denied("a pack without a blob", p.w.rawPush(p.r.Token, p.pack(missing, alone), command(zero, missing, own)), "", refs)
}

// base is the tree of the attempt's base commit.
func (p *pusher) base() string {
	p.w.t.Helper()
	return p.w.git(p.tree, "rev-parse", string(p.r.BaseCommit)+"^{tree}")
}

// pack is a pack of what was made by hand for the commit, but one object. It
// goes by ids alone, since git walks no tree that it would not write.
func (p *pusher) pack(commit, without string) []byte {
	p.w.t.Helper()
	cmd := exec.Command("git", "pack-objects", "--stdout", "--quiet")
	cmd.Dir, cmd.Stdin = p.tree, strings.NewReader(strings.Join(p.closure(commit, without), "\n")+"\n")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	pack, err := cmd.Output()
	if err != nil {
		p.w.t.Fatal(err)
	}
	return pack
}
