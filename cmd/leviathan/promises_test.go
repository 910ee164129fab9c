package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page of promises has each of them, and every test that it names exists.
func TestEachPromiseIsShownByATestThatExists(t *testing.T) {
	root := filepath.Join("..", "..")
	var tests strings.Builder
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			fmt.Fprintf(&tests, " %s", f[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "07_INVARIANTS_AND_GUARDRAILS.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (S\d\d) \| .* \| (.*) \|$`).FindAllStringSubmatch(string(page), -1)
	if len(rows) != 26 {
		t.Fatalf("the page has %d promises of 26", len(rows))
	}
	for i, row := range rows {
		if want := fmt.Sprintf("S%02d", i+1); row[1] != want {
			t.Errorf("%s stands where %s should", row[1], want)
		}
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(row[2], -1)
		if len(names) == 0 && row[1] != "S25" && !strings.HasPrefix(row[2], "not yet") {
			t.Errorf("%s names no test", row[1])
		}
		for _, name := range names {
			if !strings.HasPrefix(name[1], "Test"+row[1]) || !strings.Contains(tests.String(), " "+name[1]) {
				t.Errorf("%s is to be shown by %s, and there is no such test", row[1], name[1])
			}
		}
	}
}
