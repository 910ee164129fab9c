package forge_test

import (
	"fmt"
	"testing"

	"leviathan/gateway/forge"
)

func TestCodeOwnersAreReadAsGitHubDoes(t *testing.T) {
	for _, c := range []struct{ pattern, path, want string }{
		{"*", "a/b.go", "[o]"},
		{"*.js", "a/b.js", "[o]"},
		{"*.js", "a/b.ts", "[]"},
		{"/build/logs/", "build/logs/a/b", "[o]"},
		{"/build/logs/", "x/build/logs/a", "[]"},
		{"docs/*", "docs/a.md", "[o]"},
		{"docs/*", "docs/build/a.md", "[]"},
		{"apps/", "x/apps/a", "[o]"},
		{"apps", "x/apps/a", "[o]"},
		{"/docs", "docs/a", "[o]"},
		{"/docs", "docsx/a", "[]"},
		{"**/logs", "a/b/logs/c", "[o]"},
		{"/a/**/z", "a/b/c/z", "[o]"},
		{"/a/**/z", "a/z", "[o]"},
		{"with\\ space.md", "with space.md", "[o]"},
		{"!docs/", "docs/a", "[]"},
		{"[ab].md", "a.md", "[]"},
		{"a.md", "aXmd", "[]"},
	} {
		if got := fmt.Sprint(forge.OwnersOf(c.pattern+" @o\n", c.path)); got != c.want {
			t.Errorf("%q for %q: %s, want %s", c.pattern, c.path, got, c.want)
		}
	}
	if got := forge.OwnersOf("* @a\n# * @b\ndocs/ @c\ndocs/free/\n", "docs/free/x"); len(got) != 0 {
		t.Errorf("a rule without owners leaves %v", got)
	}
	for text, want := range map[string]string{
		"* @a\ndocs/ @b\n":                         "[b]", // the last that matches, not the first
		"docs/ @b\n* @a\n":                         "[a]",
		"* @a\ndocs/ @b b\n":                       "[a]", // b is no owner: the line is passed over
		"* @a\ndocs/ @b/team/more\n":               "[a]",
		"* @a\ndocs/ @b b@example.org @b # note\n": "[b]", // who has an address is one, and cannot be asked
		"* @a @A\n":                                "[a]",
	} {
		if got := fmt.Sprint(forge.OwnersOf(text, "docs/a.md")); got != want {
			t.Errorf("of %q docs/a.md has the owners %s, want %s", text, got, want)
		}
	}
}
