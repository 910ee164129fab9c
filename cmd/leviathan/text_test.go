package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"leviathan/gateway"
)

func TestPrintableLeavesNothingThatATerminalObeys(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                   "plain",
		"  two\r\n lines\t and a tab ":            "two lines and a tab",
		"\x1b[1;31mred\x1b[0m":                    "red",
		"\x1b[2J\x1b[3;4Hhome":                    "home",
		"\u009b31mred":                            "red",
		"\x1b]0;title\x07text":                    "]0;titletext", // shown rather than hidden
		"\x1b]8;;http://x\x1b\\link":              "]8;;http://x\\link",
		"\x1bcreset":                              "creset",
		"bell\a, back\b, del\x7f, nul\x00":        "bell, back, del, nul",
		"evil\u202egnp.exe":                       "evilgnp.exe",
		"a\u2066b\u2069\u200e\ufeffc\u00add":      "abcd",
		"line\u2028separator":                     "line separator",
		"\u200dfamily \U0001f469\u200d\U0001f467": "\u200dfamily \U0001f469\u200d\U0001f467",
		"\xff\xfe":                                "\ufffd\ufffd",
		"\x1b[\x1b[31m31m":                        "[31m",
		"":                                        "",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) is %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\x1b[]0;mJ\u009b\u202e\r\n\t\a a")))).Draw(t, "in")
		line := printable(in)
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || visible(r) != r }) {
			t.Fatalf("printable(%q) is %q", in, line)
		}
		if again := printable(line); again != line {
			t.Fatalf("printable twice: %q, then %q", line, again)
		}
		block := printableLines(in)
		if strings.ContainsFunc(block, func(r rune) bool { return r != '\n' && r != '\t' && visible(r) != r }) {
			t.Fatalf("printableLines(%q) is %q", in, block)
		}
	})
}

func TestCopyPrintableKeepsLines(t *testing.T) {
	const in = "one\r\ntwo\rthree\n\x1b[31mred\x1b[0m é\tx\nlast"
	const want = "one\ntwo\nthree\nred é\tx\nlast"
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in))} {
		var out bytes.Buffer
		if err := copyPrintable(&out, r); err != nil || out.String() != want {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
	broken := errors.New("broken")
	var out bytes.Buffer
	if err := copyPrintable(&out, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))); !errors.Is(err, broken) || out.String() != "half" {
		t.Errorf("a broken reader: %q, %v", out.String(), err)
	}
}

func TestJSONSaysTheSameAndIsPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\u009b\u202e\x7f\U000e0041\"\\é<&>")))).Draw(t, "in")
		doc, err := encode(map[string]string{"k": in}, "  ")
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsFunc(doc, func(r rune) bool { return r != '\n' && visible(r) != r }) {
			t.Fatalf("%q is not printable", doc)
		}
		var back map[string]string
		if err := json.Unmarshal(doc, &back); err != nil || back["k"] != strings.ToValidUTF8(in, "\ufffd") {
			t.Fatalf("%q came back as %q, %v", in, back["k"], err)
		}
	})
}

func TestTimesForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 999 * time.Millisecond: "0s", 12 * time.Second: "12s", 200 * time.Second: "3m20s",
		2 * time.Hour: "2h", 2*time.Hour + 5*time.Minute + 3*time.Second: "2h5m", 99 * time.Hour: "4d3h", 720 * time.Hour: "30d",
		24*time.Hour + 5*time.Minute: "1d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) is %q, want %q", d, got, want)
		}
	}
	now := time.Date(2026, 1, 28, 10, 0, 0, 0, time.UTC)
	zone := time.FixedZone("elsewhere", 5*3600)
	at := gateway.Time{Time: now.Add(-200 * time.Second).In(zone)}
	if got := shortTime(at) + " " + relative(at, now) + " " + relative(gateway.At(now.Add(time.Minute)), now); got != "2026-01-28T09:56:40Z 3m20s ago in 1m" {
		t.Error(got)
	}
	if got := shortTime(gateway.Time{}) + " " + relative(gateway.Time{}, now); got != "- never" {
		t.Error(got)
	}
}

func TestLengthsOfTime(t *testing.T) {
	for in, want := range map[string]time.Duration{"30d": 720 * time.Hour, "36h": 36 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, err := lengthOf(in); got != want || err != nil {
			t.Errorf("lengthOf(%q) is %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0d", "-1d", "0s", "-5m", "d", "1.5d", "yesterday", "999999999999d", "36500000d"} {
		if got, err := lengthOf(in); err == nil {
			t.Errorf("lengthOf(%q) is %s", in, got)
		}
	}
}

func TestLineNumbers(t *testing.T) {
	for want, lines := range map[string][]int{"line 7": {7}, "lines 7-8": {7, 8}, "lines 3, 7-9, 12": {3, 7, 8, 9, 12}} {
		if got := lineNumbers(lines); got != want {
			t.Errorf("%v: %q, want %q", lines, got, want)
		}
	}
}

func TestTablesAreAligned(t *testing.T) {
	var out strings.Builder
	g := newGrid(&out, "A", "LONG HEADING", "C")
	g.row("x\ty", "", "\x1b[31mz")
	g.row("a longer cell", "b", "c")
	if err := g.end(); err != nil {
		t.Fatal(err)
	}
	const want = "" +
		"A              LONG HEADING  C\n" +
		"x y            -             z\n" +
		"a longer cell  b             c\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	if got := clip("äöüß", 3); got != "äö…" {
		t.Error(got)
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	plain, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for name, k := range map[string]struct {
		w    io.Writer
		env  map[string]string
		want bool
	}{
		"a device":              {null, nil, true}, // like a terminal, a character device
		"a device, NO_COLOR":    {null, map[string]string{"NO_COLOR": "1"}, false},
		"a device that is dumb": {null, map[string]string{"TERM": "dumb"}, false},
		"a file":                {plain, nil, false},
		"a buffer":              {&bytes.Buffer{}, nil, false},
	} {
		if got := testOperator(k.env).paint(k.w).on; got != k.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	st := gateway.Status{HaltedAll: &gateway.Halt{Reason: "fire\x1b[2J"}, Targets: []gateway.TargetStatus{{Target: "demo", Effective: true}}}
	o := testOperator(nil)
	coloured, bare := o.statusScreen(st, "here", painter{on: true}), o.statusScreen(st, "here", painter{})
	if !strings.Contains(coloured, "\x1b[1;31mHALTED") || strings.Contains(coloured, "\x1b[2J") || sequences.ReplaceAllString(coloured, "") != bare {
		t.Errorf("coloured:\n%q\nbare:\n%q", coloured, bare)
	}
}
