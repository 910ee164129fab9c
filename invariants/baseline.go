package invariants

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"leviathan/gateway"
	"leviathan/invariants/report"
)

// A baseline is the violations that an old repository begins with: they are
// known, and only new ones count. Entries are counted, so that a second like
// one is new.
type baseline struct {
	Version    int             `json:"version"`
	Violations []baselineEntry `json:"violations"`
}

type baselineEntry struct {
	Fingerprint string `json:"fingerprint"`
	Code        string `json:"code"`
	File        string `json:"file"`
	Subject     string `json:"subject"`
}

// writeBaseline writes what the report counts as a baseline.
func writeBaseline(file string, r *report.Report) error {
	b := baseline{Version: 1, Violations: []baselineEntry{}}
	for _, v := range r.Violations() {
		if baselinable(v) {
			b.Violations = append(b.Violations, baselineEntry{report.Fingerprint(v), v.Code, v.File, v.Subject})
		}
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the baseline: %w", err)
	}
	return nil
}

// baselinable: what is wrong with a waiver is never accepted for good.
func baselinable(v gateway.Violation) bool { return v.Rule != "leviathan.invariants."+waiversCategory }

// applyBaseline moves the violations that the baseline has out of the count.
func applyBaseline(file string, r *report.Report) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the baseline (write one with --write-baseline): %w", err)
	}
	var b baseline
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		return fmt.Errorf("read the baseline %s: %w", file, err)
	}
	if b.Version != 1 {
		return fmt.Errorf("read the baseline %s: version %d is not 1", file, b.Version)
	}
	left := map[string]int{}
	for _, e := range b.Violations {
		left[e.Fingerprint]++
	}
	for i := range r.Categories {
		c := &r.Categories[i]
		kept := []gateway.Violation{}
		for _, v := range c.Violations {
			if key := report.Fingerprint(v); left[key] > 0 && baselinable(v) {
				left[key]--
				r.Baselined = append(r.Baselined, v)
				continue
			}
			kept = append(kept, v)
		}
		c.Violations = kept
	}
	for _, n := range left {
		r.Fixed += n
	}
	return nil
}
