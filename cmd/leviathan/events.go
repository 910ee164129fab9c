package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) events() *cobra.Command {
	cmd := o.eventsList("events")
	cmd.Aliases = []string{"event"}
	cmd.Short = "What happened, in the journal's order"
	cmd.AddCommand(o.eventsList("list"), o.eventsTail(), o.eventsExport(), o.eventsVerify(), o.eventsImport())
	return cmd
}

func (o operator) eventsList(use string) *cobra.Command {
	var out format
	var after int64
	var limit int
	cmd := &cobra.Command{
		Use:   use,
		Short: "List events in order: the newest, or those after a record",
		Args:  cobra.NoArgs,
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().Int64Var(&after, "after", 0, "begin after the record `N`; 0 is the journal's beginning (without it: only the newest)")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most `N` of them, up to 1000")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := (&pages{limit: limit}).check(); err != nil {
			return err
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		events := []gateway.Event{}
		if !cmd.Flags().Changed("after") {
			events, err = s.newest(cmd, limit)
		} else {
			for event, broken := range s.Events(cmd.Context(), gateway.EventQuery{After: after, Limit: limit}) {
				if err = broken; err == nil {
					events = append(events, event)
				}
			}
		}
		if err != nil {
			return s.explain(cmd.Context(), "listing events", err)
		}
		list := struct {
			Items []gateway.Event `json:"items"`
		}{events}
		return out.show(cmd, list, func(w io.Writer) error {
			if len(events) == 0 {
				_, err := fmt.Fprintln(w, "no event")
				return err
			}
			return eventGrid(w, events)
		})
	}
	return cmd
}

// newest are the newest events, oldest of them first.
func (s *session) newest(cmd *cobra.Command, n int) ([]gateway.Event, error) {
	recent, err := s.RecentEvents(cmd.Context(), n)
	if err != nil {
		return nil, err
	}
	events := make([]gateway.Event, 0, len(recent))
	for _, e := range slices.Backward(recent) {
		events = append(events, e.Event)
	}
	return events, nil
}

func eventGrid(w io.Writer, events []gateway.Event) error {
	g := newGrid(w, "SEQ", "AT", "EVENT", "TARGET", "TASK", "ATTEMPT", "BY")
	for _, e := range events {
		g.row(seqOf(e), shortTime(e.Timestamp), e.EventType, string(e.Target), string(e.TaskID), string(e.AttemptID), e.ActorID)
	}
	return g.end()
}

func seqOf(e gateway.Event) string {
	if e.Seq == 0 {
		return ""
	}
	return strconv.FormatInt(e.Seq, 10)
}

func (o operator) eventsTail() *cobra.Command {
	var out format
	var after int64
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the last events and go on with what happens, until interrupted",
		Args:  cobra.NoArgs,
	}
	conn := o.connect(cmd)
	out.flag(cmd)
	cmd.Flags().Int64Var(&after, "after", 0, "begin after the record `N` (without it: with the last 10 events)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if !cmd.Flags().Changed("after") {
			last, err := s.newest(cmd, 10)
			if err != nil {
				return s.explain(cmd.Context(), "listing events", err)
			}
			for _, e := range last {
				after = max(after, e.Seq)
				if err := writeEvent(w, e, out); err != nil {
					return err
				}
			}
		}
		for event, err := range s.Events(cmd.Context(), gateway.EventQuery{After: after, Follow: true}) {
			if err != nil {
				return s.explain(cmd.Context(), "following events", err)
			}
			if err := writeEvent(w, event, out); err != nil {
				return err
			}
		}
		if cmd.Context().Err() != nil {
			return &exitError{code: exitInterrupted}
		}
		return errors.New("the gateway ended the stream of events")
	}
	return cmd
}

// writeEvent writes one event as one line.
func writeEvent(w io.Writer, e gateway.Event, out format) error {
	if out == asJSON {
		doc, err := encode(e, "")
		if err != nil {
			return err
		}
		_, err = w.Write(doc)
		return err
	}
	_, err := fmt.Fprintf(w, "%s  %-20s  %s  %s  %s\n", shortTime(e.Timestamp), orDash(e.EventType), orDash(e.Target), orDash(e.TaskID), orDash(e.AttemptID))
	return err
}
