package server_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
)

// refs are the upstream's refs, all of them.
func (w *world) refs() string { return w.git(w.upstream, "for-each-ref") }

// A pusher is an attempt with a checkout and a commit as start demands it.
type pusher struct {
	w       *world
	r       gateway.Reservation
	started gateway.StartResult
	tree    string
	made    map[string][]string // objects made by hand, and what they name
}

// hash writes an object that names others.
func (p *pusher) hash(kind string, data []byte, names ...string) string {
	p.w.t.Helper()
	id := p.w.hash(p.tree, kind, data)
	p.made[id] = names
	return id
}

// closure is every object made by hand that the object reaches, but one.
func (p *pusher) closure(id, without string) []string {
	names, ok := p.made[id]
	if !ok || id == without {
		return nil
	}
	all := []string{id}
	for _, name := range names {
		all = append(all, p.closure(name, without)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

const generous = "limits: {max_push_attempts: 100, max_pack_mb: 1, max_file_kb: 64, max_files: 20}\n"

// newPusher starts an attempt at the guide with many pushes to try.
func newPusher(t *testing.T) *pusher {
	t.Helper()
	config := strings.Split(baseConfig, "limits:")[0] + generous
	w := newWorld(t, strings.Replace(baseBacklog, "[docs/guide.md]", "[docs/, tests/]", 1), strings.Replace(config, "docs/, tests/", "docs/, tests/, .github/", 1))
	p := &pusher{w: w, made: map[string][]string{}, r: reservation(t, w.cycle(), "guide")}
	p.started = w.startAttempt(p.r)
	p.tree = w.checkout(p.r)
	return p
}

// commit makes a commit of a tree on a parent, with the words of start unless
// others are given.
func (p *pusher) commit(tree, message string, author gateway.Identity, parents ...string) string {
	p.w.t.Helper()
	who := author.Name + " <" + author.Email + "> 1700000000 +0000\n"
	text := "tree " + tree + "\n"
	for _, parent := range parents {
		text += "parent " + parent + "\n"
	}
	return p.hash("commit", []byte(text+"author "+who+"committer "+who+"\n"+message), append([]string{tree}, parents...)...)
}

// good is a commit that passes.
func (p *pusher) good(name string) string {
	p.w.t.Helper()
	return p.commit(p.insert(p.base(), "100644", p.hash("blob", []byte("x\n")), strings.Split(name, "/")), p.started.Commit.Message, p.started.Commit.Author, string(p.r.BaseCommit))
}

// send pushes a commit by hand as the attempt's branch.
func (p *pusher) send(id string) string {
	p.w.t.Helper()
	return p.w.rawPush(p.r.Token, p.pack(id, ""), command(strings.Repeat("0", 40), id, "refs/heads/"+p.r.Branch))
}

// denied expects a refusal with the code, the decision's id in it, and nothing
// upstream.
func (p *pusher) denied(what, report, code, refs string) {
	p.w.t.Helper()
	if !strings.Contains(report, code) || !strings.Contains(report, "ng refs/") || strings.Contains(report, "ok refs/heads/") && !strings.Contains(report, "ng refs/heads/") {
		p.w.t.Errorf("%s: no %s in %q", what, code, report)
	}
	if _, id, ok := strings.Cut(report, "decision "); !ok {
		p.w.t.Errorf("%s names no decision: %q", what, report)
	} else if d, found, err := p.w.journal.Decision(context.Background(), gateway.DecisionID(id[:26])); err != nil || !found || d.Decision {
		p.w.t.Errorf("%s: decision %s is %v, %v %v", what, id[:26], d.Decision, found, err)
	}
	if now := p.w.refs(); now != refs {
		p.w.t.Errorf("%s: the upstream had\n%s\nand has\n%s", what, refs, now)
	}
}

func TestAnAttemptSeesItsBaseAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	w.git(w.upstream, "branch", "secret", "main")
	w.git(w.upstream, "tag", "v1", "main")
	r := reservation(t, w.cycle(), "guide")
	if out, err := w.tryGit(w.dir, "ls-remote", w.remote(r)); err == nil {
		t.Errorf("an attempt that has not started sees %s", out)
	}
	w.startAttempt(r)
	w.commit(map[string]string{"docs/later.md": "later\n"})
	w.cycle() // the mirror follows the upstream, the attempt does not
	want := string(r.BaseCommit) + "\tHEAD\n" + string(r.BaseCommit) + "\trefs/heads/main"
	if got := w.git(w.dir, "ls-remote", w.remote(r)); got != want {
		t.Errorf("it sees\n%s\nwant\n%s", got, want)
	}
	tree := w.checkout(r)
	later := w.git(w.upstream, "rev-parse", "main")
	if out, err := w.tryGit(tree, "fetch", "origin", later); err == nil {
		t.Errorf("it fetched a commit that it does not see: %s", out)
	}
	for _, name := range []string{"config", "FETCH_HEAD", "logs/HEAD"} { // a token in the URL is git's to keep; ours is in no object
		if data, err := os.ReadFile(filepath.Join(w.dir, "state", "mirrors", name)); err == nil {
			t.Errorf("mirrors/%s: %s", name, data)
		}
	}
}

func TestAPushIsOneCommitOnTheBaseOnItsBranch(t *testing.T) {
	t.Parallel()
	p := newPusher(t)
	w, zero, base := p.w, strings.Repeat("0", 40), string(p.r.BaseCommit)
	refs, own := w.refs(), "refs/heads/"+p.r.Branch
	good := p.good("docs/guide.md")
	pack := p.pack(good, "")
	spec, tree := p.started.Commit, w.git(p.tree, "rev-parse", good+"^{tree}")
	for _, row := range []struct {
		what, code string
		commands   []string
	}{
		{"main", "delivery.ref", []string{command(base, good, "refs/heads/main")}},
		{"another branch", "delivery.ref", []string{command(zero, good, "refs/heads/agent/01ARZ3NDEKTSV4RRFFQ69G5FAV")}},
		{"a tag", "delivery.ref", []string{command(zero, good, "refs/tags/v1")}},
		{"a pull ref", "delivery.ref", []string{command(zero, good, "refs/pull/1/head")}},
		{"two refs", "delivery.", []string{command(zero, good, own), command(zero, good, own+"2")}},
		{"a deletion", "delivery.", []string{command(base, zero, "refs/heads/main")}},
		{"an old value", "delivery.", []string{command(base, good, own)}},
	} {
		payload := pack
		if row.what == "a deletion" {
			payload = nil
		}
		p.denied(row.what, w.rawPush(p.r.Token, payload, row.commands...), row.code, refs)
	}
	second := p.commit(tree, spec.Message, spec.Author, good)
	p.denied("two commits", p.send(second), "delivery.", refs)
	other := p.commit(tree, spec.Message, spec.Author)
	p.denied("no parent", w.rawPush(p.r.Token, p.pack(other, ""), command(zero, other, own)), "delivery.parents", refs)
	merge := p.commit(tree, spec.Message, spec.Author, base, good)
	p.denied("a merge", p.send(merge), "delivery.", refs)
	p.denied("another message", p.send(p.commit(tree, "Fix\n\nLeviathan-Attempt: 1\n", spec.Author, base)), "delivery.message", refs)
	p.denied("a message with more", p.send(p.commit(tree, spec.Message+"\nCo-authored-by: X <x@example.invalid>\n", spec.Author, base)), "delivery.message", refs)
	p.denied("another author", p.send(p.commit(tree, spec.Message, gateway.Identity{Name: "A Human", Email: "human@example.invalid"}, base)), "delivery.author", refs)
	p.denied("author's mail", p.send(p.commit(tree, spec.Message, gateway.Identity{Name: spec.Author.Name, Email: "human@example.invalid"}, base)), "delivery.author", refs)
	w.commit(map[string]string{"docs/later.md": "later\n"})
	refs = w.refs()
	later := w.git(w.upstream, "rev-parse", "main")
	w.git(p.tree, "fetch", "--quiet", w.upstream, "main")
	p.denied("another base", p.send(p.commit(tree, spec.Message, spec.Author, later)), "delivery.parents", refs)
	// After all that, the right one passes.
	if report := p.send(good); !strings.Contains(report, "ok "+own) {
		t.Errorf("the right push: %q", report)
	}
	if got := w.git(w.upstream, "rev-parse", own); got != good {
		t.Errorf("upstream has %s, pushed was %s", got, good)
	}
}

func TestRefusalsAreShownKeptAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, baseBacklog, baseConfig)
	r := reservation(t, w.cycle(), "guide")
	started := w.startAttempt(r)
	ids := []gateway.DecisionID{}
	for n := range 3 {
		out, err := w.push(r, started, map[string]string{"src/core.txt": strings.Repeat("hacked\n", n+1)})
		if err == nil {
			t.Fatalf("push %d passed:\n%s", n, out)
		}
		for _, want := range []string{"remote: scope.outside_prefix: src/core.txt is outside", "remote: decision ", "(scope."} {
			if !strings.Contains(out, want) {
				t.Errorf("push %d does not show %q:\n%s", n, want, out)
			}
		}
		_, id, _ := strings.Cut(out, "remote: decision ")
		ids = append(ids, gateway.DecisionID(id[:26]))
	}
	detail, err := w.client(operator).Attempt(context.Background(), r.AttemptID)
	if err != nil || detail.Node.Properties["state"] != "failed" || detail.Node.Properties["failure_type"] != "denied" {
		t.Errorf("after three refusals the attempt is %+v %v", detail.Node, err)
	}
	if out, err := w.tryGit(w.dir, "ls-remote", w.remote(r)); err == nil {
		t.Errorf("and it still sees %s", out)
	}
	for n, id := range ids {
		a := w.ask("GET", "/v1/decisions/"+string(id)+"/bundle", operator, "")
		file := filepath.Join(t.TempDir(), "refused.bundle")
		if err := os.WriteFile(file, []byte(a.body), 0o644); err != nil || a.status != 200 {
			t.Fatalf("bundle %s: %d %v", id, a.status, err)
		}
		clone := filepath.Join(t.TempDir(), "clone")
		w.git(w.dir, "clone", "--quiet", w.upstream, clone)
		heads := w.git(clone, "bundle", "list-heads", file)
		w.git(clone, "fetch", "--quiet", file, strings.Fields(heads)[1])
		if got := w.git(clone, "show", "FETCH_HEAD:src/core.txt") + "\n"; got != strings.Repeat("hacked\n", n+1) {
			t.Errorf("bundle %d has %q", n, got)
		}
		w.refused(w.ask("GET", "/v1/decisions/"+string(id)+"/bundle", w.token("reader", ""), ""), 403, "access.route")
	}
}
