package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) status() *cobra.Command {
	var out format
	var watch bool
	interval := o.interval
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What governs each target now: switch, halts, breaker, limits and facts",
		Args:  cobra.NoArgs,
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again and again until interrupted")
	cmd.Flags().DurationVar(&interval, "interval", interval, "pause between two looks of --watch")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		if interval < 100*time.Millisecond {
			return fmt.Errorf("--interval %s is too short; the least is 100ms", interval)
		}
		if watch {
			return o.watchStatus(cmd, s, &out, interval)
		}
		return o.showStatus(cmd, s, &out, "")
	}
	return cmd
}

// showStatus asks once; before comes before a table, once there is one.
func (o operator) showStatus(cmd *cobra.Command, s *session, out *format, before string) error {
	st, err := s.Status(cmd.Context())
	if err != nil {
		return s.explain(cmd.Context(), "asking for the status", err)
	}
	return out.show(cmd, st, func(w io.Writer) error {
		_, err := io.WriteString(w, before+o.statusScreen(st, s.where, o.paint(w)))
		return err
	})
}

// watchStatus goes on when the gateway is away for a while: that is when
// somebody watches.
func (o operator) watchStatus(cmd *cobra.Command, s *session, out *format, interval time.Duration) error {
	ctx := cmd.Context()
	before, between := "", "\n"
	if o.paint(cmd.OutOrStdout()).on {
		before, between = clearScreen, clearScreen
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ; ; before = between {
		err := o.showStatus(cmd, s, out, before)
		switch {
		case ctx.Err() != nil:
			return &exitError{code: exitInterrupted}
		case errors.Is(err, gateway.ErrUnknown):
			fmt.Fprintln(cmd.ErrOrStderr(), "leviathan: "+err.Error())
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return &exitError{code: exitInterrupted}
		case <-tick.C:
		}
	}
}

// clearScreen empties a terminal and goes to its first line.
const clearScreen = "\x1b[H\x1b[2J"

// statusScreen is the whole of a status as one screen.
func (o operator) statusScreen(st gateway.Status, where string, paint painter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Leviathan %s at %s\n", orDash(st.Version), printable(where))
	fmt.Fprintf(&b, "policy %s (%s), clock %s, kill switch %s\n", orDash(st.PolicyRevision), shortDigest(st.PolicyDigest), orDash(st.Clock), killSwitch(st.KillSwitch))
	if st.PolicyProblem != "" {
		fmt.Fprintf(&b, "%s the newest policy is not active: %s\n", paint.bad("POLICY REFUSED"), printable(st.PolicyProblem))
	}
	if h := st.HaltedAll; h != nil {
		fmt.Fprintf(&b, "%s %s\n", paint.bad("HALTED, every target:"), o.haltLine(h))
		b.WriteString("  lift it with: leviathan resume --reason TEXT\n")
	}
	if len(st.Targets) == 0 {
		fmt.Fprintf(&b, "\nno target: %s\n", printable(st.Source))
	}
	targets := slices.Clone(st.Targets)
	slices.SortStableFunc(targets, func(a, b gateway.TargetStatus) int { return cmp.Compare(a.Target, b.Target) })
	for _, t := range targets {
		b.WriteByte('\n')
		o.targetScreen(&b, t, paint)
	}
	if len(st.Warnings) > 0 {
		b.WriteString("\nwarnings\n")
		for _, warning := range st.Warnings {
			fmt.Fprintf(&b, "  %s\n", printable(warning))
		}
	}
	return b.String()
}

func (o operator) targetScreen(b *strings.Builder, t gateway.TargetStatus, paint painter) {
	word := paint.dim("OFF: nothing runs")
	switch {
	case t.Effective:
		word = paint.good("ON: the next cycle may reserve attempts")
	case t.AutonomyEnabled:
		word = paint.bad("HELD: the switch is on, the policy lets no cycle pass")
	}
	name := orDash(t.Target)
	if t.Target == "" {
		name = "(no target_id) " + orDash(t.ConfigFile)
	}
	fmt.Fprintf(b, "%s  %s\n", name, word)
	line := func(label, format string, args ...any) {
		fmt.Fprintf(b, "  %-14s%s\n", label, fmt.Sprintf(format, args...))
	}
	config := orDash(t.ConfigState) + ", " + orDash(t.ConfigFile)
	if t.ConfigReason != "" {
		config += ": " + printable(t.ConfigReason)
	}
	line("config", "%s", config)
	if t.Halt != nil {
		line("halt", "%s %s", paint.bad("HALTED:"), o.haltLine(t.Halt))
	}
	line("breaker", "%s", o.breakerLine(t))
	line("pull requests", "%s", ofLimit(t.OpenPRs, t.Limits, "max_open_prs", "open"))
	for _, pr := range t.PullRequests {
		if seen := pullSeen(pr.Review, pr.Conflicts, pr.Edited); seen != "" {
			line("", "#%d of %s: %s", pr.Number, orDash(string(pr.TaskID)), printable(seen))
		}
	}
	line("attempts", "%s", ofLimit(t.RunningAttempts, t.Limits, "max_running_attempts", "live"))
	if p := t.LaunchProblem; p != nil {
		line("launch", "%s %s: the worker of attempt %s (task %s): %s", paint.bad("NOT STARTED"), relative(p.At, o.now()), orDash(string(p.AttemptID)), orDash(string(p.TaskID)), printable(p.Message))
	}
	if !t.NextCycleAt.IsZero() {
		line("next cycle", "%s, %s", shortTime(t.NextCycleAt), relative(t.NextCycleAt, o.now()))
	}
	for i, f := range t.Facts {
		label := ""
		if i == 0 {
			label = "facts"
		}
		line(label, "%s", factLine(f, paint))
	}
	if len(t.Warnings) > 0 {
		b.WriteString("  what the policy warns of\n")
		writeReasons(b, "    ", t.Warnings)
	}
	if len(t.Reasons) > 0 {
		b.WriteString("  why no cycle passes now\n")
		writeReasons(b, "    ", t.Reasons)
	}
}

// pullSeen is what the forge showed last of a pull request, in words; empty
// for nothing.
func pullSeen(review string, conflicts, edited bool) string {
	var words []string
	if review != "" && review != "none" {
		words = append(words, strings.ReplaceAll(review, "_", " "))
	}
	if conflicts {
		words = append(words, "conflicts")
	}
	if edited {
		words = append(words, "edited by a human: left alone")
	}
	return strings.Join(words, ", ")
}

func (o operator) haltLine(h *gateway.Halt) string {
	return fmt.Sprintf("%s (by %s, %s)", orDash(h.Reason), orDash(h.By), relative(h.At, o.now()))
}

func (o operator) breakerLine(t gateway.TargetStatus) string {
	c := t.Circuit
	text := orDash(string(c.State))
	if c.Cause != "" {
		text += " for " + printable(c.Cause)
	}
	text += ", " + ofLimit(c.ConsecutiveFailures, t.Limits, "circuit_breaker_failures", "failures in a row")
	if !c.OpenedAt.IsZero() && c.State != gateway.CircuitClosed {
		text += ", opened " + relative(c.OpenedAt, o.now())
	}
	if !c.Until.IsZero() && c.State == gateway.CircuitOpen {
		text += ", one probe " + relative(c.Until, o.now())
	}
	return text
}

// ofLimit is "1 of 3 open"; without a limit that is known, "1 open".
func ofLimit(n int, limits map[string]int, key, what string) string {
	if limit, ok := limits[key]; ok {
		return fmt.Sprintf("%d of %d %s", n, limit, what)
	}
	return fmt.Sprintf("%d %s", n, what)
}

func factLine(f gateway.FactStatus, paint painter) string {
	age := "never observed"
	if !f.ObservedAt.IsZero() {
		age = span(time.Duration(f.AgeSeconds)*time.Second) + " old"
	}
	text := fmt.Sprintf("%s: %s", orDash(f.Name), age)
	if !f.Known {
		text = fmt.Sprintf("%s: %s, %s", orDash(f.Name), paint.bad("unknown"), age)
	}
	if f.Problem != "" {
		text += ", " + printable(f.Problem)
	}
	return text
}

// shortDigest is enough of a digest to tell two apart.
func shortDigest(digest string) string {
	algorithm, hex, ok := strings.Cut(printable(digest), ":")
	if !ok || len(hex) <= 12 {
		return orDash(digest)
	}
	return algorithm + ":" + hex[:12]
}

// A painter colours words where a terminal shows them.
type painter struct{ on bool }

// paint decides for a writer: a terminal that is not dumb, and no NO_COLOR.
func (o operator) paint(w io.Writer) painter {
	return painter{on: o.getenv("NO_COLOR") == "" && o.terminal(w)}
}

// terminal reports whether a person watches a writer, on a terminal that can
// go back in a line.
func (o operator) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || o.getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (p painter) as(code, s string) string {
	if !p.on {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) good(s string) string { return p.as("32", s) }
func (p painter) bad(s string) string  { return p.as("1;31", s) }
func (p painter) dim(s string) string  { return p.as("2", s) }

// sinceNow reads a time: RFC 3339, or how long ago, as in 36h or 7d.
func (o operator) sinceNow(flag, text string) (gateway.Time, error) {
	if text == "" {
		return gateway.Time{}, nil
	}
	if t, err := gateway.ParseTime(text); err == nil {
		return t, nil
	}
	d, err := lengthOf(text)
	if err != nil {
		return gateway.Time{}, fmt.Errorf("--%s %q is neither a time such as 2026-01-28T10:00:00Z nor how long ago, such as 36h", flag, text)
	}
	return gateway.At(o.now().Add(-d)), nil
}

// killSwitch says in some words whether off is known to mean off.
func killSwitch(k gateway.KillSwitchStatus) string {
	switch {
	case k.Problem != "":
		return "NOT PROVED: " + printable(k.Problem)
	case k.ProvedAt.IsZero():
		return "not proved yet"
	default:
		return "proved at " + shortTime(k.ProvedAt)
	}
}
