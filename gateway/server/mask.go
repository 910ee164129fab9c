package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
)

// A masked decision is what is recorded of it in place of its input and its
// answer. The answer that the asker gets, and what follows from it, stay.
type masked struct {
	input   []journal.NamedPart
	result  []byte
	reasons []gateway.Reason
	erased  []string
}

// applyMask takes out of a decision what the policy's own mask says, before
// anything is stored. nil: nothing is hidden, and the decision can be made
// again. A mask that fails hides everything but what identifies the decision.
func (s *Server) applyMask(ctx context.Context, policy *engine.Snapshot, q *question, d *decided) (*masked, error) {
	if !policy.Masks() {
		return nil, nil
	}
	input, err := decodeParts(d.input)
	if err != nil {
		return nil, err
	}
	var result any
	if err := json.Unmarshal(d.result.JSON, &result); err != nil {
		return nil, fmt.Errorf("reading an answer for the mask: %w", err)
	}
	path := "leviathan/main/decision"
	if d.category != "" {
		path = "leviathan/invariants/" + d.category
	}
	event := map[string]any{"labels": map[string]any{"app": "leviathan", "version": gateway.Version}, "decision_id": string(d.ID), "path": path,
		"input": input, "result": result, "requested_by": q.by.id, "timestamp": d.now.String()}
	rules, err := policy.Mask(ctx, event)
	if err == nil && len(rules) == 0 {
		return nil, nil
	}
	if err != nil {
		s.log.Error("the policy's mask fails: everything but identifiers is left out of the record", "decision", d.ID, "action", q.action, "error", err)
		return s.recordable(identifiers(input), map[string]any{"allow": d.Allow, "obligations": map[string]any{}, "reasons": []any{}}, []string{"/input", "/result"})
	}
	document := map[string]any{"input": input, "result": result}
	erased := []string{}
	for _, rule := range rules {
		if hide(document, rule) {
			erased = append(erased, rule.Pointer())
		}
	}
	if len(erased) == 0 {
		return nil, nil
	}
	left, _ := document["input"].(map[string]any)
	slices.Sort(erased)
	return s.recordable(left, document["result"], slices.Compact(erased))
}

// identifiers are what a decision is known by: who asked for what.
func identifiers(input map[string]any) map[string]any {
	left := map[string]any{"action": input["action"]}
	for _, name := range []string{"subject", "resource"} {
		if entity, ok := input[name].(map[string]any); ok {
			left[name] = map[string]any{"type": entity["type"], "id": entity["id"]}
		}
	}
	return left
}

func decodeParts(in engine.Input) (map[string]any, error) {
	input := make(map[string]any, len(in))
	for _, part := range in {
		var v any
		if err := json.Unmarshal(part.JSON, &v); err != nil {
			return nil, fmt.Errorf("reading %s for the mask: %w", part.Name, err)
		}
		input[part.Name] = v
	}
	return input, nil
}

// recordable writes what is left in the form of a record.
func (s *Server) recordable(input map[string]any, result any, erased []string) (*masked, error) {
	m := &masked{erased: erased}
	for name, v := range input {
		part, err := journal.NewPart(v)
		if err != nil {
			return nil, fmt.Errorf("writing %s after the mask: %w", name, err)
		}
		m.input = append(m.input, journal.NamedPart{Name: name, Part: part})
	}
	text, err := journal.Canonical(result)
	if err != nil {
		return nil, fmt.Errorf("writing an answer after the mask: %w", err)
	}
	m.result = text
	var said struct {
		Reasons []gateway.Reason `json:"reasons"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		said.Reasons = nil // the mask left something else in their place
	}
	m.reasons = said.Reasons
	return m, nil
}

// hide removes or replaces what the rule's path names, and reports whether
// there was anything.
func hide(v any, rule engine.MaskRule) bool {
	last := rule.Path[len(rule.Path)-1]
	for _, name := range rule.Path[:len(rule.Path)-1] {
		v = member(v, name)
	}
	var value any
	if rule.Value != nil && json.Unmarshal(rule.Value, &value) != nil {
		value = nil // canonical JSON of the engine: it always reads
	}
	switch at := v.(type) {
	case map[string]any:
		if _, ok := at[last]; !ok && rule.Value == nil {
			return false
		}
		if delete(at, last); rule.Value != nil {
			at[last] = value
		}
		return true
	case []any:
		i, err := strconv.Atoi(last)
		if err != nil || i < 0 || i >= len(at) {
			return false
		}
		at[i] = value // an element that is taken out leaves null: the others keep their places
		return true
	}
	return false
}

func member(v any, name string) any {
	switch at := v.(type) {
	case map[string]any:
		return at[name]
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(at) {
			return at[i]
		}
	}
	return nil
}
