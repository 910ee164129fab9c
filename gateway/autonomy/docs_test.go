package autonomy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"leviathan/gateway/autonomy"
)

// Every block of YAML of the pages about configs and agents is a part of a config that loads.
func TestTheConfigsOfTheDocumentsLoad(t *testing.T) {
	for page, least := range map[string]int{"31_AGENTS.md": 5, "configuration.md": 2} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
		if len(blocks) < least {
			t.Fatalf("%s has %d blocks: they are not found", page, len(blocks))
		}
		for i, block := range blocks {
			config := "autonomy_enabled: true\ntarget_id: demo\ntarget_repo_url: /srv/git/demo.git\nallowed_path_prefixes: [docs/]\n" + string(block[1])
			if page == "configuration.md" && i == 0 {
				config += "default_agent: writer\n"
			}
			_, diags := autonomy.Parse(page, []byte(config))
			for _, d := range diags {
				t.Errorf("%s, block %d: %s", page, i+1, d)
			}
		}
	}
}
