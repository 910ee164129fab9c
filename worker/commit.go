package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"leviathan/gateway"
)

// stage writes the tree that the checkout is now. The index is new, so that
// every file is read again whatever its times say. Ignore files of the
// repository are respected: what a build left is not part of the work.
func (g git) stage(ctx context.Context, index string) (gateway.OID, error) {
	g.index = index
	if err := os.Remove(index); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("removing an old index: %w", err)
	}
	for _, args := range [][]string{{"read-tree", "refs/leviathan/base"}, {"add", "--all", "."}} {
		if _, err := g.run(ctx, false, nil, args...); err != nil {
			return "", err
		}
	}
	return g.oid(ctx, nil, "write-tree")
}

func (g git) oid(ctx context.Context, stdin []byte, args ...string) (gateway.OID, error) {
	out, err := g.run(ctx, false, bytes.NewReader(stdin), args...)
	if err != nil {
		return "", err
	}
	oid := gateway.OID(bytes.TrimSpace(out))
	if !oid.Valid() {
		return "", fmt.Errorf("git %s: %q is not an object id", args[0], oid)
	}
	return oid, nil
}

// commit makes the one commit that the gateway takes: the tree on the base,
// with exactly the message and author of the start answer. It is written by
// hand because commit-tree tidies names.
func (g git) commit(ctx context.Context, tree, base gateway.OID, c gateway.CommitSpec, now time.Time) (gateway.OID, error) {
	who := fmt.Sprintf("%s <%s> %d +0000", c.Author.Name, c.Author.Email, now.Unix())
	object := fmt.Sprintf("tree %s\nparent %s\nauthor %s\ncommitter %s\n\n%s", tree, base, who, who, c.Message)
	return g.oid(ctx, []byte(object), "hash-object", "-t", "commit", "-w", "--stdin")
}

// ignored lists untracked files that the repository's ignore files keep out,
// at most max of them.
func (g git) ignored(ctx context.Context, index string, max int) ([]string, error) {
	g.index = index
	out, err := g.run(ctx, false, nil, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
	if err != nil {
		return nil, err
	}
	names := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	if names[0] == "" {
		return nil, nil
	}
	return names[:min(len(names), max)], nil
}

// leak finds a changed path whose name or new content has one of the secrets.
// Only the worker can look for them: the gateway never learns them.
func (g git) leak(ctx context.Context, tree gateway.OID, s secrets) (string, error) {
	out, err := g.run(ctx, false, nil, "diff-tree", "-r", "-z", "--no-renames", "--ignore-submodules=all", "refs/leviathan/base", string(tree))
	if err != nil {
		return "", err
	}
	records := bytes.Split(out, []byte{0})
	for i := 0; i+1 < len(records); i += 2 {
		fields := bytes.Fields(records[i]) // :old-mode new-mode old-oid new-oid status
		if len(fields) != 5 {
			return "", fmt.Errorf("git diff-tree: cannot read %q", records[i])
		}
		name, oid := records[i+1], gateway.OID(fields[3])
		if s.in(name) {
			return s.text(string(name)), nil
		}
		if oid == gateway.ZeroOID || string(fields[1]) == "160000" {
			continue
		}
		content, err := g.run(ctx, false, nil, "cat-file", "blob", string(oid))
		if err != nil {
			return "", err
		}
		if s.in(content) {
			return string(name), nil
		}
	}
	return "", nil
}

// A refusal is a push that the gateway answered with no.
type refusal struct {
	code    string   // what stands behind "ng"
	reasons []string // the remote lines
}

func (r *refusal) Error() string {
	return "the push was refused (" + r.code + "): " + strings.Join(r.reasons, "; ")
}

// push sends the commit to the attempt's branch. A refusal is a *refusal;
// anything else did not reach the gateway, or did not come back.
func (g git) push(ctx context.Context, url, branch string, commit gateway.OID) error {
	_, err := g.run(ctx, true, nil, "push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", url,
		string(commit)+":refs/heads/"+branch)
	var failed *gitError
	if !errors.As(err, &failed) {
		return err
	}
	if refused := refusalOf(failed); refused != nil {
		return refused
	}
	return err
}

// refusalOf reads git's answer: on stdout "!<TAB>from:to<TAB>[remote rejected]
// (code)", on stderr the "remote: " lines.
func refusalOf(failed *gitError) *refusal {
	for line := range strings.Lines(string(failed.stdout)) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 3)
		if len(fields) != 3 || fields[0] != "!" {
			continue
		}
		summary, code, ok := strings.Cut(fields[2], " (")
		if !ok || summary != "[remote rejected]" && summary != "[rejected]" {
			continue
		}
		r := &refusal{code: strings.TrimSuffix(code, ")")}
		for said := range strings.Lines(failed.stderr) {
			if text, ok := strings.CutPrefix(said, "remote: "); ok && strings.TrimSpace(text) != "" {
				r.reasons = append(r.reasons, strings.TrimSpace(text))
			}
		}
		return r
	}
	return nil
}
