package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) attempts() *cobra.Command {
	cmd := o.attemptsList("attempts")
	cmd.Aliases = []string{"attempt"}
	cmd.Short = "The runs at tasks, with what they left"
	cmd.AddCommand(o.attemptsList("list"), o.attemptsShow(), o.attemptsLog(), o.attemptsCancel(), o.attemptsInvalidate())
	return cmd
}

// pages are the flags of a list that has pages.
type pages struct {
	limit int
	token string
}

func (p *pages) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&p.limit, "limit", 50, "at most `N` of them, up to 1000")
	cmd.Flags().StringVar(&p.token, "page-token", "", "go on after an earlier page, by the `TOKEN` that it ended with")
}

func (p *pages) check() error {
	if p.limit < 1 || p.limit > 1000 {
		return fmt.Errorf("--limit %d is not a number from 1 to 1000", p.limit)
	}
	return nil
}

func (o operator) attemptsList(use string) *cobra.Command {
	var out format
	var page pages
	var target, state string
	cmd := &cobra.Command{Use: use, Short: "List attempts, newest first", Args: cobra.NoArgs}
	conn := o.look(cmd, "state-dir")
	out.flag(cmd)
	page.flags(cmd)
	cmd.Flags().StringVar(&target, "target", "", "only those of the target `ID`")
	cmd.Flags().StringVar(&state, "state", "", "only those in a `STATE`: live, "+stateNames())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if state != "" && state != "live" && !slices.Contains(gateway.AttemptStates(), gateway.AttemptState(state)) {
			return fmt.Errorf("--state %q is not a state of attempts: live, %s (the state folder is --state-dir here)", state, stateNames())
		}
		if err := page.check(); err != nil {
			return err
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		list, err := s.Attempts(cmd.Context(), gateway.AttemptQuery{Target: gateway.TargetID(target), State: state, Limit: page.limit, PageToken: page.token})
		if err != nil {
			return s.explain(cmd.Context(), "listing attempts", err)
		}
		return out.show(cmd, list, func(w io.Writer) error {
			if len(list.Attempts) == 0 {
				_, err := fmt.Fprintln(w, "no attempt")
				return err
			}
			defer more(cmd, list.NextPageToken)
			return o.attemptGrid(w, list.Attempts)
		})
	}
	return cmd
}

func stateNames() string {
	var names []string
	for _, s := range gateway.AttemptStates() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func (o operator) attemptGrid(w io.Writer, attempts []gateway.AttemptItem) error {
	g := newGrid(w, "ATTEMPT", "TARGET", "TASK", "N", "STATE", "BEGAN", "TOOK", "PR", "WHY")
	for _, a := range attempts {
		state := string(a.State)
		if a.Invalidated {
			state += " (invalidated)"
		}
		pr := ""
		if a.PRNumber != nil {
			pr = strings.TrimSuffix("#"+strconv.Itoa(*a.PRNumber)+" "+printable(pullSeen(a.PRReview, a.PRConflicts, a.PREdited)), " ")
		}
		why := string(a.FailureType)
		if a.ErrorSummary != "" {
			why = strings.TrimPrefix(why+": "+a.ErrorSummary, ": ")
		}
		g.row(string(a.AttemptID), string(a.Target), string(a.TaskID), strconv.Itoa(a.AttemptNumber), state,
			shortTime(a.Timestamp), o.took(a), pr, clip(printable(why), 60))
	}
	return g.end()
}

// took is how long an attempt ran, or has run so far.
func (o operator) took(a gateway.AttemptItem) string {
	switch {
	case a.StartedAt.IsZero():
		return ""
	case a.EndedAt.IsZero():
		return span(o.now().Sub(a.StartedAt.Time)) + "…"
	}
	return span(a.EndedAt.Sub(a.StartedAt.Time))
}

func (o operator) attemptsShow() *cobra.Command {
	var out format
	cmd := &cobra.Command{Use: "show ID", Short: "One attempt with its events and artifacts", Args: named("ID")}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := attemptID(args[0])
		if err != nil {
			return err
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		detail, err := s.Attempt(cmd.Context(), id)
		if err != nil {
			return s.explain(cmd.Context(), fmt.Sprintf("showing attempt %s", id), err)
		}
		if detail.Node == nil {
			return noAttempt(id)
		}
		return out.show(cmd, detail, func(w io.Writer) error { return writeAttempt(w, id, detail) })
	}
	return cmd
}

func noAttempt(id gateway.AttemptID) error {
	return &exitError{code: exitNo, err: fmt.Errorf("the journal has no attempt %s", id)}
}

func writeAttempt(w io.Writer, id gateway.AttemptID, d gateway.AttemptDetail) error {
	g := newGrid(w)
	g.row("attempt", string(id))
	for _, key := range slices.Sorted(maps.Keys(d.Node.Properties)) {
		text, err := plainValue(d.Node.Properties[key])
		if err != nil {
			return err
		}
		if key != "attempt_id" && text != "" {
			g.row(key, clip(printable(text), 400))
		}
	}
	err := g.end()
	if len(d.Events) > 0 {
		_, e := fmt.Fprintln(w, "\nevents")
		err = errors.Join(err, e, eventGrid(w, d.Events))
	}
	if len(d.Artifacts) > 0 {
		_, e := fmt.Fprintf(w, "\nartifacts (read one with: leviathan attempts log %s NAME)\n", id)
		err = errors.Join(err, e, artifactGrid(w, d.Artifacts))
	}
	return err
}

// plainValue is a value for people: text as it is, anything else as JSON.
func plainValue(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	doc, err := encode(v, "")
	return strings.TrimSpace(string(doc)), err
}

func artifactGrid(w io.Writer, artifacts []gateway.Artifact) error {
	g := newGrid(w, "NAME", "BYTES", "SHA-256")
	for _, a := range artifacts {
		g.row(a.Name, strconv.FormatInt(a.SizeBytes, 10), a.SHA256)
	}
	return g.end()
}

func (o operator) attemptsLog() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "log ID [NAME]",
		Short: "Read an artifact of an attempt, such as the agent's output",
		Long: "Read an artifact of an attempt. NAME may be left out when there is only one.\n" +
			"What an agent wrote may hold anything: on stdout its control characters are left out.\n" +
			"With --out the file gets exactly the bytes that the attempt left.",
		Args: named("ID", "[NAME]"),
	}
	conn := o.look(cmd, "state")
	cmd.Flags().StringVarP(&file, "out", "o", "", "write the exact bytes to a new `FILE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := attemptID(args[0])
		if err != nil {
			return err
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		name := ""
		if len(args) == 2 {
			name = args[1]
		} else if name, err = s.onlyArtifact(cmd, id); err != nil {
			return err
		}
		body, err := s.GetArtifact(cmd.Context(), id, name)
		if err != nil {
			return s.explain(cmd.Context(), fmt.Sprintf("reading artifact %s of attempt %s", printable(name), id), err)
		}
		defer body.Close()
		if file != "" {
			_, err := saveNew(cmd, file, body)
			return err
		}
		if err := copyPrintable(cmd.OutOrStdout(), body); err != nil {
			return fmt.Errorf("reading artifact %s of attempt %s: %w", printable(name), id, err)
		}
		return nil
	}
	return cmd
}

// onlyArtifact is the name of an attempt's one artifact; with several, the
// error lists them.
func (s *session) onlyArtifact(cmd *cobra.Command, id gateway.AttemptID) (string, error) {
	detail, err := s.Attempt(cmd.Context(), id)
	if err != nil {
		return "", s.explain(cmd.Context(), fmt.Sprintf("listing the artifacts of attempt %s", id), err)
	}
	switch {
	case detail.Node == nil:
		return "", noAttempt(id)
	case len(detail.Artifacts) == 0:
		return "", &exitError{code: exitNo, err: fmt.Errorf("attempt %s left no artifact", id)}
	case len(detail.Artifacts) == 1:
		return detail.Artifacts[0].Name, nil
	}
	if err := artifactGrid(cmd.ErrOrStderr(), detail.Artifacts); err != nil {
		return "", err
	}
	return "", fmt.Errorf("attempt %s left several artifacts; name one of them", id)
}
