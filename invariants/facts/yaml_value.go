package facts

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unique"

	"go.yaml.in/yaml/v3"
)

// A nodeConverter makes JSON of one document.
type nodeConverter struct {
	source  *source
	move    placing
	at      map[string][2]int
	nodes   int
	stopped bool
	// doubtful documents have aliases, merge keys or nulls.
	doubtful bool
}

func (c *nodeConverter) stop(at [2]int, code, message string) any {
	if !c.stopped {
		c.stopped = true
		c.source.problemAt(at, code, message)
	}
	return nil
}

// note remembers the first place of a pointer: a member's is that of its key.
// Without a map nobody wants to know.
func (c *nodeConverter) note(pointer string, at [2]int) {
	if c.at == nil {
		return
	}
	if _, ok := c.at[pointer]; !ok {
		c.at[pointer] = at
	}
}

// value converts a node. Everything below an alias is at the alias's place.
func (c *nodeConverter) value(n *yaml.Node, pointer string, alias *[2]int, depth int) any {
	at := c.move.at(n.Line, n.Column)
	if alias != nil {
		at = *alias
	}
	c.nodes++
	switch {
	case c.stopped:
		return nil
	case c.nodes > maxNodes:
		return c.stop(at, "yaml_aliases", fmt.Sprintf("the document has more than %d nodes when its aliases are resolved", maxNodes))
	case depth > maxYAMLDepth && alias != nil:
		return c.stop(at, "yaml_aliases", "an alias leads into itself, or too deep")
	case depth > maxYAMLDepth:
		return c.stop(at, "yaml_depth", fmt.Sprintf("nested deeper than %d levels", maxYAMLDepth))
	}
	c.note(pointer, at)
	switch n.Kind {
	case yaml.AliasNode:
		c.doubtful = true
		return c.value(n.Alias, pointer, &at, depth+1)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = c.value(item, pointer+"/"+strconv.Itoa(i), alias, depth+1)
		}
		return list
	case yaml.MappingNode:
		return c.mapping(n, pointer, alias, depth)
	default:
		value := scalar(n)
		c.doubtful = c.doubtful || value == nil
		return value
	}
}

func (c *nodeConverter) mapping(n *yaml.Node, pointer string, alias *[2]int, depth int) any {
	out := make(map[string]any, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			c.doubtful = true
			merges = append(merges, value)
			continue
		}
		at := c.move.at(key.Line, key.Column)
		if alias != nil {
			at = *alias
		}
		name := unique.Make(key.Value).Value()
		if key.Kind != yaml.ScalarNode {
			c.source.problemAt(at, "yaml_syntax", "a key that is a mapping, a list or an alias has no JSON form; it is left out")
			continue
		}
		if _, ok := out[name]; ok {
			c.source.problemAt(at, "yaml_duplicate_key", fmt.Sprintf("the key %q stands twice in one mapping; what counts depends on who reads it", name))
			continue
		}
		below := unique.Make(pointer + "/" + escape(name)).Value()
		c.note(below, at)
		out[name] = c.value(value, below, alias, depth+1)
	}
	for _, m := range merges {
		c.merge(out, m, pointer, alias, depth)
	}
	return out
}

// merge adds the members of merged mappings that the mapping lacks.
func (c *nodeConverter) merge(out map[string]any, n *yaml.Node, pointer string, alias *[2]int, depth int) {
	at := c.move.at(n.Line, n.Column)
	if alias == nil {
		alias = &at
	}
	if depth > maxYAMLDepth {
		c.stop(at, "yaml_aliases", "a merge key leads into itself, or too deep")
		return
	}
	switch {
	case c.stopped:
	case n.Kind == yaml.AliasNode:
		c.merge(out, n.Alias, pointer, alias, depth+1)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			c.merge(out, item, pointer, alias, depth+1)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.ShortTag() == "!!merge" {
				c.merge(out, n.Content[i+1], pointer, alias, depth+1)
				continue
			}
			if _, ok := out[key.Value]; !ok && key.Kind == yaml.ScalarNode {
				out[key.Value] = c.value(n.Content[i+1], pointer+"/"+escape(key.Value), alias, depth+1)
			}
		}
	}
}

// scalar is a scalar's value by YAML 1.2's core schema.
func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		text := strings.ReplaceAll(n.Value, "_", "")
		if i, err := strconv.ParseInt(text, 0, 64); err == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
	case "!!float":
		if f, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		}
	}
	return n.Value
}
