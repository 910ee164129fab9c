package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
)

// A triedValue is a value of a config that is tried in place of the one that
// governs.
type triedValue struct {
	Key  string          `json:"key"`
	Now  json.RawMessage `json:"now"` // known once a config was seen
	Then json.RawMessage `json:"then"`
}

// triedValues reads KEY=VALUE arguments.
func triedValues(args []string) ([]triedValue, error) {
	var values []triedValue
	for _, arg := range args {
		key, text, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not KEY=VALUE, such as max_open_prs=2", arg)
		}
		if key == "agents" || strings.HasPrefix(key, "agents.") || key == "default_agent" || key == "target_id" {
			return nil, fmt.Errorf("%s cannot be tried: it is about what runs, and not about what may", key)
		}
		value, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("the value of %s is no YAML: %w", key, err)
		}
		if slices.ContainsFunc(values, func(v triedValue) bool { return v.Key == key }) {
			return nil, fmt.Errorf("%s is given twice", key)
		}
		values = append(values, triedValue{Key: key, Then: value})
	}
	return values, nil
}

// errNoInput says that a decision cannot be decided again.
var errNoInput = errors.New("its input is not on record: it was masked or pruned")

// inputsWith are the input of a recorded decision, and the same with other
// values in the target's config. The values' Now is set to what is there.
func inputsWith(d gateway.DecisionItem, values []triedValue) (as, with engine.Input, err error) {
	var parts map[string]json.RawMessage
	if len(d.Input) == 0 || d.Masked || json.Unmarshal(d.Input, &parts) != nil || len(parts["config"]) == 0 {
		return nil, nil, fmt.Errorf("decision %s: %w", d.ID, errNoInput)
	}
	var config map[string]any
	if err := decodeExact(parts["config"], &config); err != nil {
		return nil, nil, fmt.Errorf("decision %s: its config: %w", d.ID, err)
	}
	inForce, ok := config["values"].(map[string]any)
	if !ok {
		return nil, nil, errors.New("the target's config is not valid, so that no value can be tried: see leviathan config lint")
	}
	for i := range values {
		if err := put(inForce, &values[i]); err != nil {
			return nil, nil, err
		}
	}
	if err := loads(inForce); err != nil {
		return nil, nil, err
	}
	for name, raw := range parts {
		part, err := engine.NewPart(name, raw)
		if err != nil {
			return nil, nil, fmt.Errorf("decision %s: %w", d.ID, err)
		}
		as = append(as, part)
		if name == "config" {
			if part, err = engine.NewPart(name, config); err != nil {
				return nil, nil, fmt.Errorf("the config to try: %w", err)
			}
		}
		with = append(with, part)
	}
	return as, with, nil
}

// decodeExact reads JSON and keeps its numbers as they are.
func decodeExact(raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// put sets a value in a config's values; the key must be there.
func put(values map[string]any, v *triedValue) error {
	folder, path := values, strings.Split(v.Key, ".")
	for _, name := range path[:len(path)-1] {
		below, ok := folder[name].(map[string]any)
		if !ok {
			return fmt.Errorf("the config has no key %s; docs/configuration.md lists them", v.Key)
		}
		folder = below
	}
	last := path[len(path)-1]
	old, ok := folder[last]
	if !ok {
		return fmt.Errorf("the config has no key %s; docs/configuration.md lists them", v.Key)
	}
	now, err := json.Marshal(old)
	if err != nil {
		return fmt.Errorf("reading %s: %w", v.Key, err)
	}
	var then any
	if err := decodeExact(v.Then, &then); err != nil {
		return fmt.Errorf("reading the value of %s: %w", v.Key, err)
	}
	v.Now, folder[last] = now, then
	return nil
}

// loads holds values to the loader of the gateway. Agents are left out: they
// cannot be tried, and their defaults are no config.
func loads(values map[string]any) error {
	config := maps.Clone(values)
	delete(config, "agents")
	delete(config, "default_agent")
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("writing the config to try: %w", err)
	}
	if _, problems := autonomy.Parse("config", text); len(problems) > 0 {
		for _, p := range problems {
			if !p.Warning {
				return fmt.Errorf("no config would load with this: %s", p.Message)
			}
		}
	}
	return nil
}

// planned is what a plan says of each task: reserved, or why not.
func planned(r engine.Result) (map[gateway.TaskID]string, error) {
	var plan struct {
		Reserve []struct {
			TaskID gateway.TaskID `json:"task_id"`
		} `json:"reserve"`
		Skip map[gateway.TaskID]struct {
			Reasons []gateway.Reason `json:"reasons"`
		} `json:"skip"`
	}
	if err := json.Unmarshal(r.Obligations, &plan); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	said := map[gateway.TaskID]string{}
	for _, a := range plan.Reserve {
		said[a.TaskID] = "reserved"
	}
	for id, skip := range plan.Skip {
		said[id] = codesOfReasons(skip.Reasons)
	}
	return said, nil
}

// answerOf is an answer in a few words: allow, or deny with its codes.
func answerOf(r engine.Result) string {
	if r.Allow {
		return "allow"
	}
	return "deny: " + codesOfReasons(r.Reasons)
}

func codesOfReasons(reasons []gateway.Reason) string {
	var codes []string
	for _, r := range reasons {
		codes = append(codes, printable(r.Code))
	}
	slices.Sort(codes)
	return strings.Join(slices.Compact(codes), ", ")
}

// write shows what would be another, a line each.
func (t tried) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s as of %s, with\n", printable(string(t.Target)), shortTime(t.AsOf))
	for _, v := range t.Values {
		fmt.Fprintf(&b, "  %s %s in place of %s\n", printable(v.Key), printable(string(v.Then)), printable(string(v.Now)))
	}
	b.WriteString("the next cycle\n")
	for _, task := range t.Tasks {
		fmt.Fprintf(&b, "  %-20s %s, in place of %s\n", cmp.Or(printable(string(task.TaskID)), "as a whole"), task.Then, task.Now)
	}
	if len(t.Tasks) == 0 {
		b.WriteString("  plans the same\n")
	}
	fmt.Fprintf(&b, "pushes that were decided (%d)\n", t.Compared)
	for _, p := range t.Pushes {
		fmt.Fprintf(&b, "  %s of %s: %s, in place of %s\n", p.DecisionID, orDash(p.TaskID), p.Then, p.Now)
	}
	if len(t.Pushes) == 0 {
		b.WriteString("  would be answered the same\n")
	}
	if t.Unknown > 0 {
		fmt.Fprintf(&b, "  %d more cannot be decided again: their input is not on record\n", t.Unknown)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
