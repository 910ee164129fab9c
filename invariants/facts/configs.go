package facts

import (
	"encoding/json"
	"fmt"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
)

// openAPIMethods are the operations of a path, in the order in which they are
// listed.
var openAPIMethods = []string{"get", "head", "post", "put", "patch", "delete", "options", "trace"}

// readOpenAPI lists the operations of an OpenAPI document.
func readOpenAPI(d *Document) (out []Endpoint) {
	if textAt(d.Value, "openapi") == "" || find(d.Value, "paths") == nil {
		return nil
	}
	for _, way := range sortedKeys(object(d.Value, "paths")) {
		for _, method := range openAPIMethods {
			operation := object(d.Value, "paths", way, method)
			if operation == nil {
				continue
			}
			security := list(d.Value, "security")
			if own, ok := operation["security"].([]any); ok {
				security = own
			}
			secured := len(security) > 0
			for _, one := range security {
				secured = secured && len(object(one)) > 0 // {} means: or none at all
			}
			out = append(out, Endpoint{Place: d.place("/paths/" + escape(way) + "/" + method), Document: d.ID,
				Method: strings.ToUpper(method), Path: way, ID: textAt(operation, "operationId"), Action: textAt(operation, "x-leviathan-action"), Secured: secured})
		}
	}
	return out
}

// readAutonomy finds every copy of an autonomy config and has the gateway's
// loader read it.
func readAutonomy(sources map[string]*source, pages map[string]*Markdown) []AutonomyConfig {
	out := []AutonomyConfig{}
	for _, file := range sortedKeys(sources) {
		s := sources[file]
		for _, d := range s.documents {
			if !isAutonomy(d.Value) {
				continue
			}
			c := AutonomyConfig{Place: Place{d.File, d.Line, d.Column}, Source: "file", Document: d.ID}
			text, move := strings.Join(s.lines, "\n"), placing{}
			if d.Within != nil {
				c.Source = "configmap"
				outer, ok := findDocument(s, d.Within.Document)
				if !ok {
					continue
				}
				text = textAt(outer.Value, "data", d.Within.Key)
				move = s.inside(member(member(s.nodes[outer.ID], "data"), d.Within.Key), outer.At[d.Within.Pointer])
			}
			c.load(text, move)
			out = append(out, c)
		}
	}
	for _, file := range sortedKeys(pages) {
		for _, block := range pages[file].Code {
			if block.Language != "yaml" && block.Language != "yml" {
				continue
			}
			s := parseYAML(file, []byte(block.Text)) // an example that is no YAML is none of a config
			if len(s.documents) != 1 || !isAutonomy(s.documents[0].Value) {
				continue
			}
			c := AutonomyConfig{Place: block.Place, Source: "markdown"}
			c.load(block.Text, placing{line: block.Line, column: block.Column - 1})
			out = append(out, c)
		}
	}
	return out
}

func findDocument(s *source, id string) (*Document, bool) {
	for _, d := range s.documents {
		if d.ID == id {
			return d, true
		}
	}
	return nil, false
}

// isAutonomy reports whether the document is meant as an autonomy config.
func isAutonomy(value any) bool {
	m := object(value)
	_, enabled := m["autonomy_enabled"]
	_, target := m["target_id"]
	_, prefixes := m["allowed_path_prefixes"]
	return enabled && (target || prefixes) || target && prefixes
}

// load has the gateway's loader read the text.
func (c *AutonomyConfig) load(text string, move placing) {
	config, diagnostics := autonomy.Parse("/"+c.File, []byte(text))
	c.Messages = []Problem{}
	for _, d := range diagnostics {
		c.Messages = append(c.Messages, c.message(d, move))
	}
	if c.Valid = config != nil; !c.Valid {
		return
	}
	c.Digest = config.Digest
	raw, err := json.Marshal(config)
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		decoder.UseNumber()
		err = decoder.Decode(&c.Values)
	}
	if err != nil { // its own JSON is what policies read
		c.Valid, c.Values = false, nil
		c.Messages = append(c.Messages, Problem{c.Place, "error", fmt.Sprintf("the config has no JSON form: %v", err)})
	}
}

func (c *AutonomyConfig) message(d gateway.Diagnostic, move placing) Problem {
	code := "error"
	if d.Warning {
		code = "warning"
	}
	at := move.at(max(1, d.Line), max(1, d.Col))
	return Problem{Place{c.File, at[0], at[1]}, code, d.Message}
}
