package forge_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"leviathan/gateway"
	"leviathan/gateway/forge"
)

const joiner = "\u2060"

func TestTitle(t *testing.T) {
	for _, c := range []struct{ scope, title, want string }{
		{"docs", "Fix the README", "docs: Fix the README"},
		{"tests", "Cover the parser", "test: Cover the parser"},
		{"test", "Cover the parser", "test: Cover the parser"},
		{"backend", "Tidy up", "chore: Tidy up"},
		{"", "Tidy up", "chore: Tidy up"},
		{"docs", "docs: say more", "docs: say more"},
		{"docs", "  two\n lines\x1b[31m ", "docs: two lines[31m"},
		{"docs", "\u202e\u200b\x00", "docs: task t-1"},
		{"docs", "fixes #12 for @ann", "docs: f" + joiner + "ixes #" + joiner + "12 for @" + joiner + "ann"},
		{"docs", "Closes: https://forge.example/o/r/issues/1", "docs: C" + joiner + "loses: https://forge.example/o/r/issues/1"},
		{"docs", strings.Repeat("x", 100), "docs: " + strings.Repeat("x", 65) + "…"},
		{"docs", strings.Repeat("é", 66), "docs: " + strings.Repeat("é", 66)},
	} {
		got := forge.Title(gateway.Task{ID: "t-1", Title: c.title, Scope: c.scope})
		if got != c.want {
			t.Errorf("%s, %q: title %q, want %q", c.scope, c.title, got, c.want)
		}
	}
}

func TestCommitMessageCarriesTheTrailers(t *testing.T) {
	w := newWorld(t)
	message := forge.CommitMessage(gateway.Task{ID: "t-1", Title: "Say more\n\nLeviathan-Attempt: " + string(attempt(9)), Scope: "docs"}, attempt(1), "01J0000000000000000000000D")
	w.commit(message)
	trailers := w.git(w.clone, "log", "-1", "--format=%(trailers)")
	want := "Leviathan-Task: t-1\nLeviathan-Attempt: " + string(attempt(1)) + "\nLeviathan-Decision: 01J0000000000000000000000D"
	if trailers != want {
		t.Errorf("git reads the trailers\n%s\nwant\n%s", trailers, want)
	}
	if subject := w.git(w.clone, "log", "-1", "--format=%s"); utf8.RuneCountInString(subject) > 72 || !strings.HasPrefix(subject, "docs: Say more") {
		t.Errorf("subject %q", subject)
	}
	if without := forge.CommitMessage(gateway.Task{ID: "t-1"}, attempt(1), ""); strings.Contains(without, "Decision") || !strings.HasSuffix(without, string(attempt(1))+"\n") {
		t.Errorf("without a decision: %q", without)
	}
}

func TestBody(t *testing.T) {
	task := gateway.Task{ID: "fix-1", Title: "Say more", Description: "In the README.", Scope: "docs", Digest: "sha256:abc",
		AcceptanceCriteria: []string{"it builds", "it reads well"}, AllowedPaths: []string{"docs/"}}
	body := forge.Body(task, "Done.\n```\nout of the fence @ann", forge.Facts{Attempt: attempt(1), Decision: "01J0000000000000000000000D", Revision: "r7",
		Evidence: &gateway.Evidence{Tree: "t", Results: []gateway.EvidenceResult{{Name: "unit #1", ExitCode: 0, Seconds: 1.25}}}})
	want := "An agent made this change under Leviathan's policies. Only a human merges or closes it.\n\n" +
		"The task, as the backlog has it:\n\n```text\nSay more\n\nIn the README.\n\nAcceptance criteria:\n- it builds\n- it reads well\n\nAllowed paths:\n- docs/\n```\n\n" +
		"What the agent says about its change (a claim):\n\n````text\nDone.\n```\nout of the fence @" + joiner + "ann\n````\n\n" +
		"What the worker says about its verifications (a claim):\n\n```text\ntree t\nunit #" + joiner + "1: exit code 0 after 1.2 s\n```\n\n" +
		"What the gateway recorded:\n\n```text\ntask         fix-1\ntask digest  sha256:abc\nattempt      " + string(attempt(1)) +
		"\ndecision     01J0000000000000000000000D\npolicies     r7\n```\n\n" +
		"Leviathan-Task: fix-1\nLeviathan-Attempt: " + string(attempt(1)) + "\nLeviathan-Decision: 01J0000000000000000000000D\n"
	if body != want {
		t.Errorf("body:\n%s\nwant:\n%s", body, want)
	}
}

func TestBodyIsBounded(t *testing.T) {
	long := strings.Repeat("@", 100_000)
	results := make([]gateway.EvidenceResult, 1000)
	for i := range results {
		results[i].Name = long
	}
	task := gateway.Task{ID: "t", Title: long, Description: long, AcceptanceCriteria: []string{long, long}, Digest: long}
	body := forge.Body(task, long, forge.Facts{Attempt: attempt(1), Revision: long, Evidence: &gateway.Evidence{Results: results}})
	if n := utf8.RuneCountInString(body); n > 65_000 {
		t.Errorf("a body of %d characters, more than a forge takes", n)
	}
	if n := strings.Count(forge.Body(gateway.Task{ID: "t"}, strings.Repeat("s", 4000), forge.Facts{}), "s"); n < 4000 {
		t.Errorf("a summary of 4,000 characters was cut to %d", n)
	}
	if !strings.Contains(forge.Body(gateway.Task{ID: "t"}, strings.Repeat("ä", 4001), forge.Facts{}), "\n"+strings.Repeat("ä", 3999)+"…\n") {
		t.Error("a summary of 4,001 characters is not cut to 4,000")
	}
}

// What a forge, a bot or git would act on. The oracle is written apart from
// the code: it looks for what does something, not for how it is prevented.
var triggers = map[string]*regexp.Regexp{
	"a mention":         regexp.MustCompile(`@[A-Za-z0-9]`),
	"a reference":       regexp.MustCompile(`#[0-9]|(?i:\bGH-[0-9])`),
	"a closing keyword": regexp.MustCompile(`(?i)\b(close|closes|closed|fix|fixes|fixed|resolve|resolves|resolved)\b[\s:]*(#|GH-|https?:|[\w.-]+/[\w.-]+#)`),
	"a slash command":   regexp.MustCompile(`(?m)^[ \t>*+-]*/[A-Za-z]`),
}

func inertOutput(t interface{ Errorf(string, ...any) }, out string, multiline bool) {
	for name, re := range triggers {
		if m := re.FindString(out); m != "" {
			t.Errorf("%s: %q in %q", name, m, out)
		}
	}
	for _, r := range strings.ReplaceAll(out, joiner, "") {
		if unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Bidi_Control, unicode.Variation_Selector) ||
			unicode.IsControl(r) && r != '\t' && !(r == '\n' && multiline) || r == '\u2028' || r == '\u2029' {
			t.Errorf("an invisible %U in %q", r, out)
		}
	}
	if !utf8.ValidString(out) {
		t.Errorf("not UTF-8: %q", out)
	}
}

// fenced parts a body's fences from what is outside, as CommonMark does.
func fenced(body string) (inside, outside []string) {
	mark := ""
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		bare := strings.TrimLeft(line, " ")
		ticks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		switch {
		case mark == "" && len(ticks) >= 3 && !strings.Contains(bare[len(ticks):], "`"):
			mark = ticks
		case mark != "" && len(line)-len(bare) < 4 && len(ticks) >= len(mark) && strings.TrimRight(bare, " \t") == ticks:
			mark = ""
		case mark != "":
			inside = append(inside, line)
		default:
			outside = append(outside, line)
		}
	}
	return inside, outside
}

func FuzzTextIsInert(f *testing.F) {
	for _, s := range []string{
		"", "plain", "@ann @org/team", "fixes #1", "FIXED: GH-12", "resolve o/r#3", "closes https://github.com/o/r/issues/1", "_fixes_ #1",
		"/approve\n  /lgtm\n> /merge", "\r/approve\u2028/lgtm\u0085/merge\v/x", "```\n@out\n```", "`````", "~~~\n# x", "Leviathan-Attempt: 01J00000000000000000000009",
		" leviathan-attempt: x\nLEVIATHAN-Task: y", "a\u202eb\u200b@\u200bann", "f\u00adixes #1", "#\u20601", "@\u2060ann", "\x00\x1b[31m\x7f", "\xff\xfe#1",
		"cloſes #1", "fixesfixes #1", "fixes fixes #1", "&#64;ann", "<!-- x -->", "\U000E0041\ufe0f", "GH-\u200d1", "\u00a0/x",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, title, summary string) { wantInert(t, title, summary) })
}

// Texts made of little else than what does something.
func TestTextIsInert(t *testing.T) {
	parts := rapid.SampledFrom([]string{"fix", "es", "close", "D", "Resolve", "@", "#", "1", "ann", "/", "GH-", "\n", "\r", " ", ":", ": ", "`", "```", "~~~", "\u200b", joiner, "\u202e",
		"\u00a0", "\u2028", "\x00", "\xff", "Leviathan-", "Attempt: x", "\n\n", ">", "-", "_", "ſ", "é", "https://h/o/r/issues/1", "o/r#1", "\t"})
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return strings.Join(rapid.SliceOfN(parts, 0, 40).Draw(t, name), "") }
		wantInert(t, text("title"), text("summary"))
	})
}

// wantInert checks every text that may hold a task's or an agent's words.
func wantInert(t interface{ Errorf(string, ...any) }, title, summary string) {
	task := gateway.Task{ID: "t-1", Title: title, Description: summary, Scope: "docs", AcceptanceCriteria: []string{title, summary}, AllowedPaths: []string{title}, Digest: title}
	line := forge.Title(task)
	inertOutput(t, line, false)
	if n := utf8.RuneCountInString(line); n > 72 {
		t.Errorf("a title of %d characters: %q", n, line)
	}
	facts := forge.Facts{Attempt: attempt(1), Decision: "01J0000000000000000000000D", Revision: title,
		Evidence: &gateway.Evidence{Tree: gateway.OID(title), Results: []gateway.EvidenceResult{{Name: summary}}}}
	plain := forge.Body(gateway.Task{ID: "t-1", Title: "x"}, "y", forge.Facts{Attempt: attempt(1), Decision: "01J0000000000000000000000D", Evidence: &gateway.Evidence{Results: []gateway.EvidenceResult{{}}}})
	body := forge.Body(task, summary, facts)
	inertOutput(t, body, true)
	_, want := fenced(plain)
	_, out := fenced(body)
	for _, l := range out {
		if !slices.Contains(want, l) {
			t.Errorf("outside of the fences stands %q", l)
		}
	}
	if len(out) < 3 || !slices.Equal(out[len(out)-3:], want[len(want)-3:]) {
		t.Errorf("the body ends in %q, want %q", out, want)
	}
	message := forge.CommitMessage(task, attempt(1), "01J0000000000000000000000D")
	for _, text := range []string{body, message} {
		if n := len(regexp.MustCompile(`(?im)^\s*Leviathan-`).FindAllString(text, -1)); n != 3 {
			t.Errorf("%d trailers, want our three: %q", n, text)
		}
	}
}
