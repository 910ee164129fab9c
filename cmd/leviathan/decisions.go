package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) decisions() *cobra.Command {
	cmd := o.decisionsList("decisions")
	cmd.Aliases = []string{"decision"}
	cmd.Short = "What was decided, why, and from what"
	cmd.AddCommand(o.decisionsList("list"), o.decisionsShow(), o.decisionsWhy(), o.decisionsExport(), o.decisionsTail(), o.decisionsBundle())
	return cmd
}

func (o operator) decisionsList(use string) *cobra.Command {
	var out format
	var page pages
	var action, outcome, code, target, task, attempt, revision, since, until string
	cmd := &cobra.Command{Use: use, Short: "List decisions, newest first", Args: cobra.NoArgs}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	page.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&action, "action", "", "only decisions about the `ACTION`, such as change.push")
	flags.StringVar(&outcome, "outcome", "", "only those with the `ANSWER` allow, or deny")
	flags.StringVar(&code, "code", "", "only those with a reason of the `CODE`, such as scope.outside_prefix")
	flags.StringVar(&target, "target", "", "only those about the target `ID`")
	flags.StringVar(&task, "task", "", "only those about the task `ID`")
	flags.StringVar(&attempt, "attempt", "", "only those about the attempt `ID`")
	flags.StringVar(&revision, "revision", "", "only those of the policy `REVISION`")
	flags.StringVar(&since, "since", "", "only those from a `TIME` on (RFC 3339, or how long ago: 36h, 7d)")
	flags.StringVar(&until, "until", "", "only those before a `TIME`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if outcome != "" && outcome != "allow" && outcome != "deny" {
			return fmt.Errorf("--outcome %q is neither allow nor deny", outcome)
		}
		q := gateway.DecisionQuery{Action: action, Outcome: outcome, Code: code, Target: gateway.TargetID(target), Task: gateway.TaskID(task),
			Revision: revision, Limit: page.limit, PageToken: page.token}
		var wrong [3]error
		if attempt != "" {
			q.Attempt, wrong[0] = attemptID(attempt)
		}
		q.Since, wrong[1] = o.sinceNow("since", since)
		q.Until, wrong[2] = o.sinceNow("until", until)
		if err := errors.Join(append(wrong[:], page.check())...); err != nil {
			return err
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		list, err := s.Decisions(cmd.Context(), q)
		if err != nil {
			return s.explain(cmd.Context(), "listing decisions", err)
		}
		return out.show(cmd, list, func(w io.Writer) error {
			if len(list.Items) == 0 {
				_, err := fmt.Fprintln(w, "no decision")
				return err
			}
			defer more(cmd, list.NextPageToken)
			return decisionGrid(w, list.Items)
		})
	}
	return cmd
}

func decisionGrid(w io.Writer, items []gateway.DecisionItem) error {
	g := newGrid(w, "DECISION", "AT", "ACTION", "ANSWER", "TARGET", "TASK", "ATTEMPT", "CODES")
	for _, d := range items {
		g.row(string(d.ID), shortTime(d.Recorded.At), d.Action, answer(d), string(d.Target), string(d.TaskID), string(d.AttemptID), codes(d.Reasons))
	}
	return g.end()
}

func answer(d gateway.DecisionItem) string {
	word := "deny"
	if d.Decision {
		word = "allow"
	}
	if d.DryRun {
		word += " (dry run)"
	}
	return word
}

// decisionID reads a decision's id from the command line, in either case.
func decisionID(text string) (gateway.DecisionID, error) {
	id := gateway.DecisionID(strings.ToUpper(text))
	if !id.Valid() {
		return "", fmt.Errorf("%q is not the id of a decision: 26 letters and digits, as `leviathan decisions` lists them", text)
	}
	return id, nil
}

func (o operator) decisionsShow() *cobra.Command {
	var out format
	cmd := &cobra.Command{Use: "show ID", Short: "One decision with its reasons and the input it was made from", Args: named("ID")}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := decisionID(args[0])
		if err != nil {
			return err
		}
		return answered(cmd, conn, out, fmt.Sprintf("showing decision %s", id),
			func(ctx context.Context, s *session) (gateway.DecisionItem, error) { return s.Decision(ctx, id) }, writeDecision)
	}
	return cmd
}

func writeDecision(w io.Writer, d gateway.DecisionItem) error {
	g := newGrid(w)
	g.row("decision", string(d.ID))
	g.row("answer", answer(d))
	g.row("action", d.Action)
	for _, part := range []struct {
		name string
		doc  json.RawMessage
	}{{"subject", d.Subject}, {"resource", d.Resource}} {
		g.row(part.name, string(part.doc))
	}
	for _, field := range [][2]string{{"target", string(d.Target)}, {"task", string(d.TaskID)}, {"attempt", string(d.AttemptID)}} {
		if field[1] != "" {
			g.row(field[0], field[1])
		}
	}
	g.row("policy", d.Revision+" "+d.PolicyDigest)
	g.row("input", d.InputDigest)
	g.row("recorded", fmt.Sprintf("%s, record %d, leaf %s", shortTime(d.Recorded.At), d.Recorded.Seq, d.Recorded.Leaf))
	if err := g.end(); err != nil {
		return err
	}
	var b strings.Builder
	if len(d.Reasons) > 0 {
		b.WriteString("\nreasons\n")
		writeReasons(&b, "  ", d.Reasons)
	}
	for _, part := range []struct {
		name string
		doc  json.RawMessage
	}{{"result", d.Result}, {"input", d.Input}} {
		if len(part.doc) == 0 {
			continue
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, part.doc, "", "  "); err != nil {
			return fmt.Errorf("reading the decision's %s: %w", part.name, err)
		}
		fmt.Fprintf(&b, "\n%s\n%s\n", part.name, printableJSON(indented.Bytes()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o operator) decisionsBundle() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "bundle ID",
		Short: "Save what a refused push carried, as a git bundle",
		Args:  named("ID"),
	}
	conn := o.look(cmd, "state")
	cmd.Flags().StringVarP(&file, "out", "o", "", "write to a new `FILE`, or to stdout with - (default ID.bundle)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := decisionID(args[0])
		if err != nil {
			return err
		}
		if file == "" {
			file = string(id) + ".bundle"
		}
		if file == "-" && o.paint(cmd.OutOrStdout()).on {
			return errors.New("a bundle is not text: name a file with --out, or send stdout to one")
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		body, err := s.DecisionBundle(cmd.Context(), id)
		if err != nil {
			return s.explain(cmd.Context(), fmt.Sprintf("fetching the bundle of decision %s", id), err)
		}
		defer body.Close()
		if file == "-" {
			_, err := io.Copy(cmd.OutOrStdout(), body)
			return err
		}
		size, err := saveNew(cmd, file, body)
		if err != nil || size < 0 {
			return err
		}
		_, err = fmt.Fprintf(cmd.ErrOrStderr(), "look at it with: git bundle list-heads %s\n", file)
		return err
	}
	return cmd
}

// saveNew writes r to a file that must not exist; nothing is left of one that
// fails. It says on stderr what it wrote.
func saveNew(cmd *cobra.Command, name string, r io.Reader) (int64, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return -1, fmt.Errorf("%s exists already; name another file, or remove it", name)
	}
	if err != nil {
		return -1, fmt.Errorf("writing the file: %w", err)
	}
	size, err := io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return -1, errors.Join(fmt.Errorf("writing %s: %w", name, err), os.Remove(name))
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s, %s bytes\n", name, strconv.FormatInt(size, 10))
	return size, err
}
