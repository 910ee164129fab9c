package spider_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"leviathan/spider"
)

// The page lists every metric, and none that is not there.
func TestThePageListsTheMetrics(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "20_SPIDER_NODE.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(leviathan_[a-z_]+)` \\|").FindAllSubmatch(page, -1) {
		listed = append(listed, string(m[1]))
	}
	descs := make(chan *prometheus.Desc, 200)
	watcher, err := spider.New(spider.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	watcher.Describe(descs)
	close(descs)
	var served []string
	for d := range descs {
		served = append(served, regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(d.String())[1])
	}
	slices.Sort(listed)
	slices.Sort(served)
	if !slices.Equal(listed, served) {
		t.Errorf("the page lists\n%v\nand the spider serves\n%v", listed, served)
	}
}
