package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/replay"
)

// The commands about the policy that governs a gateway.

func (o operator) policyStatus() *cobra.Command {
	var out format
	cmd := &cobra.Command{Use: "status", Short: "Which policy governs, and why the newest candidate does not", Args: cobra.NoArgs}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return answered(cmd, conn, out, "asking for the policy",
			func(ctx context.Context, s *session) (gateway.PolicyStatus, error) { return s.Policy(ctx) }, writePolicy)
	}
	return cmd
}

func writePolicy(w io.Writer, st gateway.PolicyStatus) error {
	g := newGrid(w)
	g.row("active", versionText(st.Active))
	if st.Previous != nil {
		g.row("previous", versionText(*st.Previous))
	}
	g.row("source", st.Source)
	if st.SourceProblem != "" {
		g.row("source problem", printable(st.SourceProblem))
	}
	if st.MaskedDecisions > 0 {
		g.row("masked", fmt.Sprintf("%d decisions, which cannot be replayed", st.MaskedDecisions))
	}
	if err := g.end(); err != nil {
		return err
	}
	if st.Candidate == nil {
		return nil
	}
	return writeCandidate(w, *st.Candidate)
}

func versionText(v gateway.PolicyVersion) string {
	text := fmt.Sprintf("%s (%s)", orDash(v.Revision), shortDigest(v.PolicyDigest))
	if !v.Since.IsZero() {
		text += fmt.Sprintf(" since %s, by %s of %s", shortTime(v.Since), cmp.Or(v.Cause, "start"), orDash(v.By))
	}
	return text
}

// problemsShown is how many problems of a step are written to a terminal.
const problemsShown = 10

func writeCandidate(w io.Writer, c gateway.PolicyCandidate) error {
	var b strings.Builder
	told := false
	fmt.Fprintf(&b, "\ncandidate %s (%s) of %s does not govern\n", orDash(c.Revision), shortDigest(c.PolicyDigest), shortTime(c.SeenAt))
	for _, step := range c.Steps {
		fmt.Fprintf(&b, "  %-10s  %-9s  %s\n", step.Step, strings.ReplaceAll(step.Outcome, "_", " "), printable(step.Detail))
		for _, p := range step.Problems[:min(len(step.Problems), problemsShown)] {
			fmt.Fprintf(&b, "      %s\n", printable(p.String()))
		}
		if more := len(step.Problems) - problemsShown; more > 0 {
			fmt.Fprintf(&b, "      and %d more\n", more)
		}
		told = told || len(step.Problems) > 0
	}
	if !told && len(c.Reasons) == 0 {
		fmt.Fprintf(&b, "  %s\n", printable(c.Problem))
	}
	for _, r := range c.Reasons {
		fmt.Fprintf(&b, "  %s: %s\n      %s\n", printable(r.Code), printable(r.Message), printable(r.Remedy))
	}
	if c.Shadow != nil {
		fmt.Fprintf(&b, "  beside live questions: %d compared, %d dropped, flips: %s\n", c.Shadow.Compared, c.Shadow.Dropped, replay.Describe(c.Shadow.Counts))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o operator) policyHistory() *cobra.Command {
	var out format
	var limit int
	cmd := &cobra.Command{Use: "history", Short: "The policies that governed, newest first", Args: cobra.NoArgs}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().IntVar(&limit, "limit", 20, "at most `N` of them, up to 1000")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return answered(cmd, conn, out, "listing policies",
			func(ctx context.Context, s *session) (gateway.PolicyHistory, error) {
				return s.PolicyHistory(ctx, limit)
			},
			func(w io.Writer, list gateway.PolicyHistory) error {
				g := newGrid(w, "SINCE", "REVISION", "DIGEST", "CAUSE", "BY", "SOURCE")
				for _, v := range list.Items {
					g.row(shortTime(v.Since), v.Revision, shortDigest(v.PolicyDigest), cmp.Or(v.Cause, "start"), v.By, v.Source)
				}
				return g.end()
			})
	}
	return cmd
}

func (o operator) policyReplay() *cobra.Command {
	var out format
	var candidate, since, target string
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Decide the journal again by another policy, and show what flips",
		Long: "Decide every retained decision again by a candidate, a folder or a .tar.gz, or by the one that waits at the\n" +
			"gateway if none is named, and show what would be decided differently. Nothing is changed.",
		Args: cobra.NoArgs,
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().StringVar(&candidate, "candidate", "", "the policies at `PATH`")
	cmd.Flags().StringVar(&since, "since", "", "only what was decided from a `TIME` on (RFC 3339, or how long ago: 36h, 7d)")
	cmd.Flags().StringVar(&target, "target", "", "only what was decided about the target `ID`")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 if something flips")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, err := o.sinceNow("since", since)
		if err != nil {
			return err
		}
		bundle, err := packed(cmd, candidate)
		if err != nil {
			return err
		}
		flips := 0
		err = answered(cmd, conn, out, "replaying the journal", func(ctx context.Context, s *session) (gateway.ReplayReport, error) {
			done := o.bar(cmd.ErrOrStderr(), "replaying").pulse()
			report, err := s.ReplayPolicy(ctx, bundle, from, gateway.TargetID(target))
			done()
			flips = report.Compared - report.Unchanged
			return report, err
		}, writeReplay)
		if err != nil {
			return err
		}
		if exitCode && flips > 0 {
			return &exitError{code: exitNo}
		}
		return nil
	}
	return cmd
}

// packed is the bundle at a path as a tar.gz; nil for no path. It is loaded
// here first, so that what is wrong is shown with file and line.
func packed(cmd *cobra.Command, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	s, err := loadAt(cmd.Context(), path)
	if err != nil {
		return nil, cannotLoad(cmd, path, err)
	}
	return s.Bytes()
}

// loadAt loads the bundle in a folder or a .tar.gz.
func loadAt(ctx context.Context, path string) (*engine.Snapshot, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the policies: %w", err)
	}
	if info.IsDir() {
		return engine.LoadDir(ctx, path, engine.Options{})
	}
	data, err := readLimited(path, 16<<20)
	if err != nil {
		return nil, fmt.Errorf("reading the policies: %w", err)
	}
	return engine.LoadBytes(ctx, data, engine.Options{})
}

func writeReplay(w io.Writer, r gateway.ReplayReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "candidate %s (%s): %d decisions decided again in %.1f s, %d unchanged, flips: %s\n", orDash(r.Revision), shortDigest(r.PolicyDigest),
		r.Compared, r.Seconds, r.Unchanged, replay.Describe(r.Counts))
	for _, why := range slices.Sorted(maps.Keys(r.NotReplayable)) {
		fmt.Fprintf(&b, "  %d could not be decided again: %s\n", r.NotReplayable[why], strings.ReplaceAll(why, "_", " "))
	}
	for _, group := range []struct {
		title string
		items []gateway.FlipGroup
	}{{"by rule", r.ByRule}, {"by action", r.ByAction}, {"by task", r.ByTask}, {"by target", r.ByTarget}} {
		if len(group.items) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", group.title)
		for _, g := range group.items {
			fmt.Fprintf(&b, "  %-32s  %s\n", printable(g.Name), replay.Describe(g.Counts))
		}
	}
	for _, a := range r.Slow {
		fmt.Fprintf(&b, "\n%s is slow: one in ten takes %.0f ms or longer, of %.0f ms\n", printable(a.Action), 1000*a.Seconds, 1000*a.DeadlineSeconds)
	}
	if len(r.PullRequests) > 0 {
		b.WriteString("\npull requests that would not exist\n")
		for _, pr := range r.PullRequests {
			fmt.Fprintf(&b, "  %s #%d  %s  %s\n", printable(string(pr.Task)), pr.Number, printable(pr.URL), pr.DecisionID)
		}
	}
	if len(r.Flips) > 0 {
		b.WriteString("\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil || len(r.Flips) == 0 {
		return err
	}
	g := newGrid(w, "DECISION", "FLIP", "ACTION", "TARGET", "TASK", "GONE", "NEW")
	for _, f := range r.Flips {
		g.row(string(f.Decision), string(f.Class), f.Action, string(f.Target), string(f.Task), strings.Join(f.Gone, " "), strings.Join(f.New, " "))
	}
	return g.end()
}

// change adds the flags of a command that changes the policy.
func change(cmd *cobra.Command, req *gateway.PolicyChangeRequest) {
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why, for the journal (required)")
	cmd.Flags().StringVar(&req.PolicyDigest, "digest", "", "the policy's `DIGEST`, to be sure which one is meant")
}

func (o operator) policyActivate() *cobra.Command {
	var out format
	var req gateway.PolicyChangeRequest
	var accept []string
	cmd := &cobra.Command{
		Use:   "activate",
		Short: "Take the candidate that waits, knowing what it changes",
		Long: "Make the candidate that waits the policy that governs. What it would allow that was denied must be accepted by\n" +
			"class, and is journalled with the reason and who accepted it: --accept deny_to_allow. See `leviathan policy replay`.",
		Args: cobra.NoArgs,
	}
	conn := o.connect(cmd)
	out.flag(cmd)
	change(cmd, &req)
	cmd.Flags().StringSliceVar(&accept, "accept", nil, "a `CLASS` of flips that is wanted: "+flipClassNames())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, class := range accept {
			req.Accept = append(req.Accept, gateway.FlipClass(class))
		}
		return o.changePolicy(cmd, conn, out, "activating the candidate", req, (*gateway.Client).ActivatePolicy)
	}
	return cmd
}

func flipClassNames() string {
	var names []string
	for _, class := range gateway.FlipClasses() {
		names = append(names, string(class))
	}
	return strings.Join(names, ", ")
}

func (o operator) policyRollback() *cobra.Command {
	var out format
	var req gateway.PolicyChangeRequest
	cmd := &cobra.Command{
		Use:   "rollback [REVISION]",
		Short: "Make an earlier policy govern again, from the journal",
		Long: "Make the policy that governed before, or the named revision, govern again. It comes from the journal, and stays\n" +
			"until the source has something new.",
		Args: cobra.MaximumNArgs(1),
	}
	conn := o.connect(cmd)
	out.flag(cmd)
	change(cmd, &req)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			req.Revision = args[0]
		}
		return o.changePolicy(cmd, conn, out, "rolling back", req, (*gateway.Client).RollBackPolicy)
	}
	return cmd
}

func (o operator) changePolicy(cmd *cobra.Command, conn *connection, out format, what string, req gateway.PolicyChangeRequest,
	ask func(*gateway.Client, context.Context, gateway.PolicyChangeRequest) (gateway.PolicyStatus, error)) error {
	if strings.TrimSpace(req.Reason) == "" {
		return errors.New("say why with --reason TEXT: it is journalled")
	}
	return answered(cmd, conn, out, what,
		func(ctx context.Context, s *session) (gateway.PolicyStatus, error) { return ask(s.Client, ctx, req) }, writePolicy)
}

func (o operator) policyCoverage() *cobra.Command {
	var out format
	var since string
	var silent bool
	cmd := &cobra.Command{Use: "coverage", Short: "Which rules denied something, which never did, and which a test fires", Args: cobra.NoArgs}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().StringVar(&since, "since", "", "what was decided from a `TIME` on (RFC 3339, or how long ago: 36h, 7d)")
	cmd.Flags().BoolVar(&silent, "silent", false, "only the rules that never fired, or that no test fires")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, err := o.sinceNow("since", since)
		if err != nil {
			return err
		}
		return answered(cmd, conn, out, "asking for the coverage", func(ctx context.Context, s *session) (gateway.PolicyCoverage, error) {
			report, err := s.PolicyCoverage(ctx, from)
			if silent {
				report.Items = slices.DeleteFunc(report.Items, func(r gateway.RuleCoverage) bool { return r.Fired > 0 && r.Tested })
			}
			return report, err
		}, writeCoverage)
	}
	return cmd
}

func writeCoverage(w io.Writer, report gateway.PolicyCoverage) error {
	if report.TestProblem != "" {
		if _, err := fmt.Fprintf(w, "the policy's own tests fail: %s\n", printable(report.TestProblem)); err != nil {
			return err
		}
	}
	g := newGrid(w, "CODE", "FIRED", "TESTED", "AT", "TITLE")
	for _, r := range report.Items {
		tested := "no"
		if r.Tested {
			tested = "yes"
		}
		g.row(r.Code, strconv.FormatInt(r.Fired, 10), tested, r.File+":"+strconv.Itoa(r.Line), r.Title)
	}
	return g.end()
}
