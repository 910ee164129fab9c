package repository

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"leviathan/gateway"
)

var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// maxCommitBytes bounds one commit object.
const maxCommitBytes = 1 << 20

// checkCommit lists what is wrong with a commit's bytes: the header in git's
// order, each line once, identities and dates as git fsck --strict wants
// them, no NUL, UTF-8 throughout.
func checkCommit(raw []byte) []string {
	if len(raw) > maxCommitBytes {
		return []string{fmt.Sprintf("it has %d bytes, the limit is %d", len(raw), maxCommitBytes)}
	}
	var bad []string
	if bytes.IndexByte(raw, 0) >= 0 {
		bad = append(bad, "it contains a NUL, which hides the text after it")
	}
	if !utf8.Valid(raw) {
		bad = append(bad, "it is not UTF-8")
	}
	header, _, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		// a commit without a message ends in the header's last newline
		if header, ok = bytes.CutSuffix(raw, []byte("\n")); !ok {
			return append(bad, "its header does not end")
		}
	}
	return append(bad, checkCommitHeader(string(header))...)
}

func checkCommitHeader(header string) []string {
	var bad []string
	stage := 0 // tree, parents, author, committer, others
	counts := map[string]int{}
	parents := map[string]bool{}
	inOther := false
	for line := range strings.SplitSeq(header, "\n") {
		if strings.HasPrefix(line, " ") {
			if !inOther {
				bad = append(bad, "a header line is continued that cannot be")
			}
			continue
		}
		key, value, ok := strings.Cut(line, " ")
		counts[key]++
		at, known := map[string]int{"tree": 0, "parent": 1, "author": 2, "committer": 3}[key]
		if !known {
			at = 4
		}
		inOther = !known
		if at < stage {
			bad = append(bad, "its "+sanitize(key)+" line is out of order or repeated")
		}
		stage = max(stage, at)
		bad = append(bad, checkHeaderLine(key, value, ok, parents)...)
	}
	for _, key := range []string{"tree", "author", "committer"} {
		if counts[key] != 1 {
			bad = append(bad, fmt.Sprintf("it has %d %s lines, not one", counts[key], key))
		}
	}
	return bad
}

func checkHeaderLine(key, value string, ok bool, parents map[string]bool) []string {
	switch key {
	case "tree", "parent":
		if !gateway.OID(value).Valid() || gateway.OID(value) == gateway.ZeroOID {
			return []string{"its " + key + " is not an object id"}
		}
		if key == "parent" {
			if parents[value] {
				return []string{"it names one parent twice"}
			}
			parents[value] = true
		}
	case "author", "committer":
		if _, err := parseSignature(value); err != nil {
			return []string{"its " + key + " line: " + err.Error()}
		}
	default:
		if !ok || !headerName.MatchString(key) || !printable(value) {
			return []string{"it has a header line that is malformed"}
		}
	}
	return nil
}
