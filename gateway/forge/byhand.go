package forge

import (
	"fmt"
	"net/url"
	"strings"
)

// Commands are plain git commands for a POSIX shell, one line each, by which a
// human handles a local pull request. Nothing in Leviathan runs them.
type Commands struct {
	Look  string // the text and the change
	Merge string // merges in a clone of its own, and pushes
	Close string
}

// ByHand spells the commands for a local pull request. It reports false for
// one that is not local, or whose Base is not known.
func ByHand(pr PullRequest) (Commands, bool) {
	u, err := url.Parse(pr.URL)
	if err != nil || u.Scheme != "file" || u.Path == "" || u.Fragment != pullRef(pr.Number) || !branchName(pr.Base) {
		return Commands{}, false
	}
	repo, ref, base := quote(u.Path), pullRef(pr.Number), headsPrefix+pr.Base
	in := "git --git-dir=" + repo
	return Commands{
		Look: fmt.Sprintf("%s cat-file -p %s && %s log -p %s", in, textRef(pr.Number), in, quote(base+".."+ref)),
		Merge: fmt.Sprintf(`d=$(mktemp -d) && git clone -q -b %s %s "$d" && git -C "$d" pull -q --no-rebase --no-ff --no-edit origin %s && git -C "$d" push -q origin %s && rm -rf "$d"`,
			quote(pr.Base), repo, ref, quote("HEAD:"+base)),
		Close: fmt.Sprintf("%s update-ref -d %s", in, ref),
	}, true
}

// quote makes s one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
