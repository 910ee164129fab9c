package repository

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	maxNameBytes = 255
	maxPathBytes = 4096
)

// checkName says why a path component is unsafe, or "" if it is not.
func checkName(name []byte) string {
	s := string(name)
	switch {
	case s == "." || s == "..":
		return "names the folder itself or its parent"
	case bytes.IndexByte(name, '/') >= 0:
		return "contains a slash"
	case bytes.IndexByte(name, '\\') >= 0:
		return "contains a backslash, which separates folders on Windows"
	case len(name) > maxNameBytes:
		return "is longer than 255 bytes"
	case !utf8.Valid(name):
		return "is not UTF-8"
	case isDotName(s, ".git", "git~1"):
		return "is a form of .git"
	case !printable(s):
		return "contains control characters"
	}
	return ""
}

// isDotName reports whether a file system may take name for dot: ignoring
// case and Unicode form, the characters that HFS+ ignores, and what NTFS
// ignores at the end; short is the 8.3 alias to look for, "" for none.
func isDotName(name, dot, short string) bool {
	n := foldName(name)
	if n == dot {
		return true
	}
	n, _, _ = strings.Cut(n, ":")
	n = strings.TrimRight(n, ". ")
	return n == dot || short != "" && n == short
}

// The special files of git, with the prefix of their hashed 8.3 alias.
var gitFiles = []struct{ name, alias string }{
	{".gitmodules", "gi7eba"},
	{".gitattributes", "gi7d29"},
	{".gitignore", "gi250a"},
	{".mailmap", "maba30"},
}

// gitFile is the special file that a file system may take name for; "" if
// there is none.
func gitFile(name string) string {
	for _, f := range gitFiles {
		if isDotName(name, f.name, "") || isShortAlias(name, f.name[1:7], f.alias) {
			return f.name
		}
	}
	return ""
}

// isShortAlias knows the two 8.3 forms that NTFS makes: six letters and ~1 to
// ~4, or a hashed prefix and any number.
func isShortAlias(name, letters, hashed string) bool {
	n, _, _ := strings.Cut(foldName(name), ":")
	n = strings.TrimRight(n, ". ")
	head, number, ok := strings.Cut(n, "~")
	if !ok || len(n) > 8 || head == "" || number == "" || number[0] == '0' || strings.Trim(number, "0123456789") != "" {
		return false
	}
	return head == letters && len(number) == 1 && number[0] <= '4' || len(n) == 8 && strings.HasPrefix(hashed, head)
}

// foldName is the form in which two names are one file somewhere: NFC, case
// folded, without what HFS+ ignores.
func foldName(s string) string {
	plain := true
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if hfsIgnores(r) {
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(s)))
}

func hfsIgnores(r rune) bool {
	return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
}

// checkLink says why a symbolic link leaves the tree, or "" if it does not.
// dir is the folder that holds the link. The target is taken as text: .. may
// stand only at its beginning, where the real folders above the link decide
// what it means.
func checkLink(dir, target string) string {
	switch {
	case target == "":
		return "has an empty target"
	case len(target) > maxPathBytes-1:
		return "has a target that is too long"
	case !printable(target):
		return "has a target that is not printable UTF-8"
	case target[0] == '/' || strings.ContainsRune(target, '\\') || len(target) > 1 && target[1] == ':' && unicode.IsLetter(rune(target[0])):
		return "has an absolute target"
	}
	depth := 0
	if dir != "" {
		depth = strings.Count(dir, "/") + 1
	}
	descended := false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			if descended {
				return "has a target with .. behind a name"
			}
			if depth--; depth < 0 {
				return "leads out of the repository"
			}
		case isDotName(part, ".git", "git~1"):
			return "leads into .git"
		default:
			descended = true
		}
	}
	return ""
}
