package invariants_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// No YAML, however odd, makes a category fail to answer: the nodes of each YAML
// file of the good repositories are removed, doubled, and replaced by values of
// other types, one at a time; one kind of change for each node in turn, or all
// with LEVIATHAN_ODD=full (some minutes). What is found is not looked at; that
// there is an answer is.
func TestOddYAMLIsAnswered(t *testing.T) {
	g := newGate(t)
	for _, f := range readFixtures(t) {
		if !strings.HasPrefix(f.name, "good") || f.category == "waivers" {
			continue
		}
		t.Run(f.category+"/"+f.name, func(t *testing.T) {
			dir := f.unpack(t)
			here := *g
			here.settings = settingsOf(t, dir, "")
			full, turn := os.Getenv("LEVIATHAN_ODD") == "full", 0
			for _, file := range f.archive.Files {
				if ext := filepath.Ext(file.Name); ext != ".yaml" && ext != ".yml" {
					continue
				}
				documents := strings.Split(string(file.Data), "\n---\n")
				for i, text := range documents {
					var value any
					if err := yaml.Unmarshal([]byte(text), &value); err != nil {
						continue // one that is broken on purpose
					}
					for _, odd := range oddities(value) {
						if turn++; !full && turn%oddEach != 0 {
							continue
						}
						data, err := json.Marshal(odd.value)
						if err != nil {
							t.Fatal(err)
						}
						changed := slices.Clone(documents)
						changed[i] = string(data)
						name := filepath.Join(dir, filepath.FromSlash(file.Name))
						if err := os.WriteFile(name, []byte(strings.Join(changed, "\n---\n")), 0o644); err != nil {
							t.Fatal(err)
						}
						if _, err := here.ask(t.Context(), dir, f.category); err != nil && !strings.Contains(err.Error(), "unknown.no_facts") {
							t.Errorf("%s, document %d, %s: %v", file.Name, i, odd.what, err)
						}
						if err := os.WriteFile(name, file.Data, 0o644); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		})
	}
}

// oddEach is how many oddities there are for one that is tried; it shares no
// factor with the number of others, so that each of them has its turn.
const oddEach = 11

// An oddity is a document with one node changed.
type oddity struct {
	what  string
	value any
}

// others are what a node is replaced by.
var others = []any{nil, true, 7, "odd", []any{}, []any{"odd"}, map[string]any{}, map[string]any{"odd": []any{7}}}

// oddities are the documents with one node changed.
func oddities(value any) (out []oddity) {
	for _, other := range others {
		out = append(out, oddity{fmt.Sprintf("%v", other), other})
	}
	add := func(at string, inner []oddity, wrap func(any) any) {
		for _, o := range inner {
			out = append(out, oddity{at + "/" + o.what, wrap(o.value)})
		}
	}
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			without := maps.Clone(value)
			delete(without, key)
			out = append(out, oddity{key + " removed", without})
			add(key, oddities(value[key]), func(v any) any {
				with := maps.Clone(value)
				with[key] = v
				return with
			})
		}
	case []any:
		for i := range value {
			out = append(out,
				oddity{fmt.Sprintf("%d removed", i), slices.Delete(slices.Clone(value), i, i+1)},
				oddity{fmt.Sprintf("%d doubled", i), slices.Insert(slices.Clone(value), i, value[i])})
			add(fmt.Sprint(i), oddities(value[i]), func(v any) any {
				with := slices.Clone(value)
				with[i] = v
				return with
			})
		}
	}
	return out
}
