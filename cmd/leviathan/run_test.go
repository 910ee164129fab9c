package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway"
)

func TestACycleIsALineAndAnExitCode(t *testing.T) {
	for _, c := range []struct {
		outcome string
		codes   []string
		code    int
		off     bool
	}{
		{gateway.CycleWorked, nil, exitDone, false},
		{gateway.CycleIdle, nil, exitDone, false},
		{gateway.CycleDenied, []string{"guard.switched_off"}, exitDone, true},
		{gateway.CycleDenied, []string{"guard.halted"}, exitDone, true},
		{gateway.CycleDenied, []string{"guard.halted_all"}, exitDone, true},
		{gateway.CycleDenied, []string{"limits.circuit_open"}, exitDone, true},
		{gateway.CycleDenied, []string{"limits.tasks", "guard.halted"}, exitDone, true},
		{gateway.CycleDenied, []string{"guard.config_invalid"}, exitNo, false},
		{gateway.CycleUnknown, []string{"unknown.forge"}, exitUnreachable, false},
		{gateway.CycleUnknown, []string{"unknown.forge", "guard.switched_off"}, exitUnreachable, true},
	} {
		result := gateway.CycleResult{Target: "demo", CycleID: "C", DecisionID: "D", Outcome: c.outcome, Skipped: make([]gateway.Skipped, 2)}
		for _, code := range c.codes {
			result.Reasons = append(result.Reasons, gateway.Reason{Code: code})
		}
		var out bytes.Buffer
		got := exitDone
		if err := sayCycle(&out, result); err != nil {
			got = exitCode(t.Context(), err)
		}
		if got != c.code {
			t.Errorf("%s %v: exit code %d, want %d", c.outcome, c.codes, got, c.code)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 {
			t.Errorf("%s %v: %d lines", c.outcome, c.codes, n)
		}
		var said struct {
			Target, Outcome   string
			CycleID           string `json:"cycle_id"`
			DecisionID        string `json:"decision_id"`
			Reserved, Skipped int
			Reasons           []string
			Off               bool
		}
		if err := json.Unmarshal(out.Bytes(), &said); err != nil {
			t.Fatalf("%s: %v", out.String(), err)
		}
		want := said
		want.Target, want.Outcome, want.CycleID, want.DecisionID, want.Reserved, want.Skipped, want.Off = "demo", c.outcome, "C", "D", 0, 2, c.off
		want.Reasons = append([]string{}, c.codes...)
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("%s (-want +got):\n%s", out.String(), diff)
		}
	}
}

func TestAnInterruptIsNoErrorButWhatClosingSays(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	full := errors.New("the disk is full")
	for _, c := range []struct {
		ctx          context.Context
		err, closing error
		code         int
		says         string // nothing: no message is printed
	}{
		{t.Context(), nil, nil, exitDone, ""},
		{interrupted, nil, nil, exitDone, ""}, // it had ended by itself
		{interrupted, context.Canceled, nil, exitInterrupted, ""},
		{interrupted, context.Canceled, full, exitInterrupted, "the disk is full"},
		{interrupted, full, nil, exitUsage, "the disk is full"},
		{t.Context(), nil, full, exitUsage, "the disk is full"},
	} {
		err := finished(c.ctx, c.err, c.closing)
		code, says := exitDone, ""
		if err != nil {
			code = exitCode(c.ctx, err)
			if coded := new(exitError); !errors.As(err, &coded) || coded.err != nil {
				says = err.Error()
			}
		}
		if code != c.code || says != c.says {
			t.Errorf("finished(%v, %v) is exit code %d, %q; want %d, %q", c.err, c.closing, code, says, c.code, c.says)
		}
	}
}
