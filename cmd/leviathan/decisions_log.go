package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// logFlags are the flags of the commands that stream the decision log.
func logFlags(cmd *cobra.Command, q *gateway.DecisionLogQuery, target *string) {
	cmd.Flags().Int64Var(&q.After, "after", 0, "begin after the record `N`")
	cmd.Flags().StringVar(&q.Action, "action", "", "only decisions about the `ACTION`, such as change.push")
	cmd.Flags().StringVar(target, "target", "", "only those about the target `ID`")
}

func (o operator) decisionsExport() *cobra.Command {
	var q gateway.DecisionLogQuery
	var target, since, file string
	var zip bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Decisions in the form of OPA's decision log, a line of JSON each",
		Args:  cobra.NoArgs,
	}
	conn := o.look(cmd, "state")
	logFlags(cmd, &q, &target)
	cmd.Flags().StringVar(&since, "since", "", "only those from a `TIME` on (RFC 3339, or how long ago: 36h, 7d)")
	cmd.Flags().StringVarP(&file, "out", "o", "", "write to a new `FILE`")
	cmd.Flags().BoolVar(&zip, "gzip", false, "compress")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if q.Since, err = o.sinceNow("since", since); err != nil {
			return err
		}
		q.Target = gateway.TargetID(target)
		return streamed(cmd, conn, file, zip, "exporting decisions",
			func(ctx context.Context, s *session) (io.ReadCloser, error) { return s.DecisionLog(ctx, q) })
	}
	return cmd
}

// compressed reads from as gzip.
func compressed(from io.Reader) io.Reader {
	r, w := io.Pipe()
	go func() {
		zip := gzip.NewWriter(w)
		_, err := io.Copy(zip, from)
		w.CloseWithError(errors.Join(err, zip.Close()))
	}()
	return r
}

func (o operator) decisionsTail() *cobra.Command {
	var q gateway.DecisionLogQuery
	var target string
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Decisions as they are made, a line of JSON each, until interrupted",
		Args:  cobra.NoArgs,
	}
	conn := o.connect(cmd)
	logFlags(cmd, &q, &target)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		q.Target, q.Follow = gateway.TargetID(target), true
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		if !cmd.Flags().Changed("after") {
			if q.After, err = lastSeq(cmd, s); err != nil {
				return err
			}
		}
		lines, err := s.DecisionLog(cmd.Context(), q)
		if err != nil {
			return s.explain(cmd.Context(), "following decisions", err)
		}
		defer func() { err = errors.Join(err, lines.Close()) }()
		if _, err := io.Copy(cmd.OutOrStdout(), lines); err != nil && cmd.Context().Err() == nil {
			return s.explain(cmd.Context(), "following decisions", err)
		}
		if cmd.Context().Err() != nil {
			return &exitError{code: exitInterrupted}
		}
		return errors.New("the gateway ended the stream of decisions")
	}
	return cmd
}

// lastSeq is the record of the newest decision, 0 if there is none.
func lastSeq(cmd *cobra.Command, s *session) (int64, error) {
	list, err := s.Decisions(cmd.Context(), gateway.DecisionQuery{Limit: 1})
	if err != nil {
		return 0, s.explain(cmd.Context(), "listing decisions", err)
	}
	if len(list.Items) == 0 {
		return 0, nil
	}
	return list.Items[0].Recorded.Seq, nil
}

func (o operator) decisionsWhy() *cobra.Command {
	var out format
	var all bool
	cmd := &cobra.Command{
		Use:   "why [ID]",
		Short: "One decision, decided again with every step shown",
		Long: "Decide one decision again, from the input and by the policy that are on record, and show for each rule how far it came.\n" +
			"Without ID it is the newest that was denied.",
		Args: named("[ID]"),
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "show every rule, and what its conditions read")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var id gateway.DecisionID
		doing := "explaining the newest denial"
		if len(args) > 0 {
			var err error
			if id, err = decisionID(args[0]); err != nil {
				return err
			}
			doing = fmt.Sprintf("explaining decision %s", id)
		}
		return answered(cmd, conn, out, doing,
			func(ctx context.Context, s *session) (gateway.DecisionWhy, error) { return s.whyOrNewest(ctx, id, all) },
			func(w io.Writer, why gateway.DecisionWhy) error {
				_, err := io.WriteString(w, printableLines(why.Text))
				return err
			})
	}
	return cmd
}

// whyOrNewest explains a decision, or the newest denial if none is named.
func (s *session) whyOrNewest(ctx context.Context, id gateway.DecisionID, all bool) (gateway.DecisionWhy, error) {
	if id == "" {
		list, err := s.Decisions(ctx, gateway.DecisionQuery{Outcome: "deny", Limit: 1})
		if err != nil {
			return gateway.DecisionWhy{}, err
		}
		if len(list.Items) == 0 {
			return gateway.DecisionWhy{}, errors.New("nothing was denied yet")
		}
		id = list.Items[0].ID
	}
	return s.WhyDecision(ctx, id, all)
}
