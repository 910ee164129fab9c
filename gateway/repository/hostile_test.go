package repository_test

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/repository"
)

// hostile is a push with one thing wrong.
type hostile struct {
	name string
	code string
	make func(base gateway.OID) []raw
}

// inTree is a push of one tree with the blob that its rows name.
func inTree(code, name string, rows func(b gateway.OID) []string) hostile {
	return hostile{name, code, func(base gateway.OID) []raw {
		b := blob("x\n")
		t := tree(rows(b.id())...)
		return []raw{b, t, commit(t, base)}
	}}
}

func badName(title, name string) hostile {
	return inTree("scope.bad_name", title, func(b gateway.OID) []string { return []string{row("100644", name, b)} })
}

func badMode(mode string) hostile {
	return inTree("scope.bad_mode", "mode "+mode, func(b gateway.OID) []string { return []string{row(mode, "f", b)} })
}

// link is a symbolic link at sub/l.
func link(title, target, code string) hostile {
	return hostile{"link " + title, code, func(base gateway.OID) []raw {
		b := blob(target)
		sub := tree(row("120000", "l", b.id()))
		t := tree(row("40000", "sub", sub.id()))
		return []raw{b, sub, t, commit(t, base)}
	}}
}

// head is a commit whose bytes are edited.
func head(title, code string, edit func(string) string) hostile {
	return hostile{"commit: " + title, code, func(base gateway.OID) []raw {
		b := blob("x\n")
		t := tree(row("100644", "f", b.id()))
		c := commit(t, base)
		c.data = []byte(edit(string(c.data)))
		return []raw{b, t, c}
	}}
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func modules(title, text string) hostile {
	return hostile{".gitmodules " + title, "scope.gitmodules", func(base gateway.OID) []raw {
		b := blob(text)
		t := tree(row("100644", ".gitmodules", b.id()))
		return []raw{b, t, commit(t, base)}
	}}
}

const malformed = "scope.malformed_object"

func treeCases() []hostile {
	cases := []hostile{
		badName(".git", ".git"), badName(".GIT", ".GIT"), badName("git~1", "git~1"), badName("GIT~1", "GIT~1"), badName(".git with ZWNJ", ".g\u200cit"),
		badName(".git with a dot", ".git."), badName(".git with spaces", ".git . ."), badName(".git stream", ".git::$INDEX_ALLOCATION"),
		badName("..", ".."), badName(".", "."), badName("slash", "a/b"), badName("climbing", "docs/../.github/x"), badName("backslash", `a\b`),
		badName("control", "a\x01b"), badName("newline", "a\nb"), badName("bad UTF-8", "a\xffb"), badName("256 bytes", strings.Repeat("n", 256)), badName("bidi", "a\u202etxt"),
		badMode("100664"), badMode("100000"), badMode("100777"), badMode("0"), badMode("140000"),
		link("absolute", "/etc/passwd", "scope.symlink_escape"), link("out", "../../x", "scope.symlink_escape"), link("into .git", "../.git/hooks", "scope.symlink_escape"),
		link("dotdot behind a name", "a/../../..", "scope.symlink_escape"), link("windows", `C:\x`, "scope.symlink_escape"), link("empty", "", "scope.symlink_escape"),
		link("good", "../sub/x", ""),
		modules("url option", "[submodule \"a\"]\n\turl = -u./x\n\tpath = a\n"), modules("name", "[submodule \"../../x\"]\n\turl = https://x/\n"),
		modules("path option", "[submodule \"a\"]\npath = \"-x\"\n"), modules("update", "[submodule \"a\"] update = !cmd\n"), modules("helper", "[submodule \"a\"]\nurl=ext::sh -c x\n"),
		modules("unreadable", "[submodule \"a\n"), modules("newline", "[submodule \"a\"]\nurl = \"a\\nb\"\n"),
	}
	return append(cases,
		inTree(malformed, "duplicate", func(b gateway.OID) []string { return []string{row("100644", "a", b), row("100644", "a", b)} }),
		inTree(malformed, "file and folder of one name", func(b gateway.OID) []string {
			return []string{row("100644", "a", b), row("100644", "a.b", b), row("40000", "a", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")}
		}),
		inTree(malformed, "unsorted", func(b gateway.OID) []string { return []string{row("100644", "b", b), row("100644", "a", b)} }),
		inTree(malformed, "null object", func(gateway.OID) []string { return []string{row("100644", "a", gateway.ZeroOID)} }),
		inTree(malformed, "empty name", func(b gateway.OID) []string { return []string{row("100644", "", b)} }),
		inTree(malformed, "cut oid", func(b gateway.OID) []string { r := row("100644", "a", b); return []string{r[:len(r)-3]} }),
		inTree(malformed, "mode not octal", func(b gateway.OID) []string { return []string{row("10x644", "a", b)} }),
		inTree(malformed, "folder that is a blob", func(b gateway.OID) []string { return []string{row("40000", "a", b)} }),
		inTree(malformed, "gitmodules link", func(b gateway.OID) []string { return []string{row("120000", ".gitmodules", b)} }),
		inTree(malformed, "gitattributes link", func(b gateway.OID) []string { return []string{row("120000", ".GitAttributes ", b)} }),
		inTree("scope.gitlink", "submodule", func(b gateway.OID) []string { return []string{row("160000", "sub", b)} }),
		inTree("scope.name_collision", "case", func(b gateway.OID) []string { return []string{row("100644", "README", b), row("100644", "readme", b)} }),
		inTree("scope.name_collision", "Unicode form", func(b gateway.OID) []string {
			return []string{row("100644", "e\u0301", b), row("100644", "\u00e9", b)}
		}),
		inTree("scope.missing_objects", "missing blob", func(gateway.OID) []string {
			return []string{row("100644", "a", blob("never sent").id()), row("100644", "b", blob("x\n").id())}
		}),
		hostile{"zero-padded mode", "scope.bad_mode", func(base gateway.OID) []raw {
			b := blob("x\n")
			sub := tree(row("100644", "f", b.id()))
			t := tree(row("040000", "sub", sub.id()))
			return []raw{b, sub, t, commit(t, base)}
		}},
		hostile{"file that is a tree", malformed, func(base gateway.OID) []raw {
			sub := tree(row("100644", "f", blob("x\n").id()))
			t := tree(row("100644", "a", sub.id()))
			return []raw{sub, t, commit(t, base)}
		}},
		hostile{"smuggled blob", "scope.unreachable_objects", func(base gateway.OID) []raw {
			b := blob("x\n")
			t := tree(row("100644", "a", b.id()))
			return []raw{b, blob("smuggled"), t, commit(t, base)}
		}},
		hostile{"nested control", "scope.bad_name", func(base gateway.OID) []raw {
			b := blob("x\n")
			sub := tree(row("100644", "\x7f", b.id()))
			t := tree(row("40000", "deep", sub.id()))
			return []raw{b, sub, t, commit(t, base)}
		}},
	)
}

func commitCases() []hostile {
	who := "author " + ident + "\n"
	return []hostile{
		head("good", "", func(s string) string { return s }),
		head("signed", "", replace("\n\n", "\ngpgsig -----BEGIN\n x\n \n -----END\n\n")),
		head("no author", malformed, replace(who, "")),
		head("two authors", malformed, replace(who, who+who)),
		head("no committer", malformed, replace("committer "+ident+"\n", "")),
		head("tree twice", malformed, func(s string) string { i := strings.Index(s, "\n") + 1; return s[:i] + s }),
		head("NUL in message", malformed, replace("change", "cha\x00nge")),
		head("NUL in header", malformed, replace("A U", "A\x00U")),
		head("date overflow", malformed, replace("1700000000", "18446744073709551616")),
		head("date after 9999", malformed, replace("1700000000", "253402300800")),
		head("zero-padded date", malformed, replace("1700000000", "01700000000")),
		head("no date", malformed, replace(" 1700000000 +0000", "")),
		head("bad zone", malformed, replace("+0000", "+00")),
		head("no email", malformed, replace("<a@example.com> ", "")),
		head("no name", malformed, replace("A U Thor <", "<")),
		head("name with bracket", malformed, replace("A U Thor", "A > Thor")),
		head("no space before email", malformed, replace("Thor <", "Thor<")),
		head("author and committer swapped", malformed, func(s string) string {
			return strings.Replace(strings.Replace(s, "author", "xx", 1), "committer", "author", 1)
		}),
		head("malformed header", malformed, replace("\n\n", "\nx y\x1b\n\n")),
		head("not UTF-8", malformed, replace("change", "\xff\xfe")),
		head("no end", malformed, func(s string) string { return strings.TrimSuffix(strings.Split(s, "\n\n")[0], "\n") }),
		head("parent twice", malformed, func(s string) string {
			p := s[strings.Index(s, "parent"):strings.Index(s, "author")]
			return strings.Replace(s, p, p+p, 1)
		}),
		head("unknown parent", "scope.missing_objects", func(s string) string {
			p := s[strings.Index(s, "parent"):strings.Index(s, "author")]
			return strings.Replace(s, p, "parent "+strings.Repeat("ab", 20)+"\n", 1)
		}),
		{"commit: tree is a blob", malformed, func(base gateway.OID) []raw { b := blob("x\n"); return []raw{b, commit(raw{"blob", b.data}, base)} }},
		{"commit: tree missing", "scope.missing_objects", func(base gateway.OID) []raw { return []raw{commit(tree(row("100644", "q", blob("q").id())), base)} }},
		{"tree as head", "delivery.not_a_commit", func(gateway.OID) []raw { b := blob("x\n"); return []raw{b, tree(row("100644", "f", b.id()))} }},
		{"two commits", "delivery.multiple_commits", func(base gateway.OID) []raw {
			b := blob("x\n")
			t := tree(row("100644", "f", b.id()))
			first := commit(t, base)
			return []raw{b, t, first, commit(t, first.id())}
		}},
	}
}

func TestHostileObjectsAreNamed(t *testing.T) {
	w := newWorld(t)
	known := map[string]bool{}
	for _, c := range repository.ProblemCodes() {
		known[c] = true
	}
	for _, c := range append(treeCases(), commitCases()...) {
		t.Run(c.name, func(t *testing.T) {
			p := w.receiveRaw(t, repository.Limits{}, c.make(w.head())...)
			got := codes(p)
			for code := range got {
				if !known[code] {
					t.Errorf("code %s is not in ProblemCodes", code)
				}
			}
			if c.code == "" {
				if len(got) != 0 {
					t.Errorf("a good push has problems: %v", got)
				}
				return
			}
			if _, ok := got[c.code]; !ok {
				t.Errorf("problems %v, want %s", got, c.code)
			}
			for _, r := range p.Problems() {
				if strings.ContainsAny(r.Message, "\n\r\x00\x1b") {
					t.Errorf("message %q is not harmless", r.Message)
				}
			}
			if err := p.Forward(t.Context()); gateway.KindOf(err) != gateway.Invalid {
				t.Errorf("Forward of a bad push: %v", err)
			}
		})
	}
}

// What git fsck --strict calls an error in a tree or a commit, we refuse: held
// on mutations of good ones.
func TestGitFsckFindsNothingMore(t *testing.T) {
	w := newWorld(t)
	b := blob("x\n")
	sub := tree(row("100644", "f", b.id()))
	good := tree(row("100644", ".gitignore", b.id()), row("100755", "a", b.id()), row("40000", "a.d", sub.id()), row("120000", "l", b.id()))
	pushes := map[gateway.OID][]raw{}
	rng := rand.New(rand.NewPCG(1, 2))
	mutate := func(data []byte) []byte {
		out := slices.Clone(data)
		for range 1 + rng.IntN(2) {
			at := rng.IntN(len(out))
			switch rng.IntN(4) {
			case 0:
				out[at] = "\x00\n /.0147\\<>g~"[rng.IntN(14)]
			case 1:
				out = slices.Delete(out, at, at+1)
			case 2:
				out = slices.Insert(out, at, "\x00\n /.0147\\<>g~"[rng.IntN(14)])
			case 3:
				end := min(len(out), at+1+rng.IntN(40))
				out = slices.Insert(out, at, out[at:end]...)
			}
		}
		return out
	}
	add := func(bad raw, push ...raw) {
		pushes[bad.id()] = push
		w.loose(w.upstream, bad)
	}
	w.loose(w.upstream, b, sub, good)
	for range 150 {
		m := raw{"tree", mutate(good.data)}
		add(m, b, sub, m, commit(m, w.head()))
		c := raw{"commit", mutate(commit(good, w.head()).data)}
		add(c, b, sub, good, c)
	}
	out, _ := w.try(w.upstream, "fsck", "--strict", "--no-dangling")
	flagged := 0
	for line := range strings.SplitSeq(out, "\n") {
		m := fsckError.FindStringSubmatch(line)
		if m == nil || pushes[gateway.OID(m[1])] == nil {
			continue
		}
		flagged++
		if p := w.receiveRaw(t, repository.Limits{}, pushes[gateway.OID(m[1])]...); len(p.Problems()) == 0 {
			objects := pushes[gateway.OID(m[1])]
			t.Errorf("%s\nis accepted: %q %q", line, objects[len(objects)-2].data, objects[len(objects)-1].data)
		}
	}
	if flagged < 40 {
		t.Errorf("git fsck flagged only %d of %d:\n%s", flagged, len(pushes), out)
	}
}

var fsckError = regexp.MustCompile(`^error in (?:tree|commit) ([0-9a-f]{40}): `)

func TestWhatWasThereIsNotComplainedAbout(t *testing.T) {
	w := newWorld(t)
	// a base with names and links that no push may bring
	b := blob("x\n")
	up := blob("/etc/passwd")
	sub := tree(row("100644", "f", b.id()))
	rows := []string{
		row("120000", "abs", up.id()), row("100644", `back\slash`, b.id()), row("100644", "README", b.id()), row("160000", "module", w.head()), row("100644", "readme", b.id()),
	}
	sortRows(rows)
	base := tree(append(rows, row("40000", "sub", sub.id()))...)
	baseCommit := commit(base)
	w.loose(w.upstream, b, up, sub, base, baseCommit)
	w.run(w.upstream, "update-ref", "refs/heads/main", string(baseCommit.id()))
	w.fetch()

	n := blob("new\n")
	sub2 := tree(row("100644", "f", b.id()), row("100644", "g", n.id()))
	t2 := tree(append(rows, row("40000", "sub", sub2.id()))...)
	p := w.receiveRaw(t, repository.Limits{}, n, sub2, t2, commit(t2, baseCommit.id()))
	if got := codes(p); len(got) != 0 {
		t.Errorf("problems about what was there: %v", got)
	}
	// moving the link to another object is a change
	l2 := blob("/etc/shadow")
	changed := append([]string{}, rows...)
	for i := range changed {
		if strings.HasPrefix(changed[i], "120000 abs") {
			changed[i] = row("120000", "abs", l2.id())
		}
	}
	t3 := tree(append(changed, row("40000", "sub", sub.id()))...)
	p = w.receiveRaw(t, repository.Limits{}, l2, t3, commit(t3, baseCommit.id()))
	if _, ok := codes(p)["scope.symlink_escape"]; !ok {
		t.Errorf("a changed link is not seen: %v", codes(p))
	}
}

// A tree that another branch of the mirror has is checked like one from the pack.
func TestReusedBadTreeIsSeen(t *testing.T) {
	w := newWorld(t)
	up := blob("/etc/passwd")
	bad := tree(row("120000", "abs", up.id()))
	other := commit(bad)
	w.loose(w.upstream, up, bad, other)
	w.run(w.upstream, "update-ref", "refs/pull/7/head", string(other.id()))
	w.fetch()
	p := w.receiveRaw(t, repository.Limits{}, commit(bad, w.head()))
	if _, ok := codes(p)["scope.symlink_escape"]; !ok {
		t.Errorf("problems: %v", codes(p))
	}
}

func sortRows(rows []string) {
	name := func(s string) string { return s[strings.Index(s, " ")+1 : strings.Index(s, "\x00")] }
	for i := range rows {
		for j := i; j > 0 && name(rows[j]) < name(rows[j-1]); j-- {
			rows[j], rows[j-1] = rows[j-1], rows[j]
		}
	}
}
