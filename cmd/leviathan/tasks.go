package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

func (o operator) tasks() *cobra.Command {
	cmd := o.tasksList("tasks")
	cmd.Aliases = []string{"task"}
	cmd.Short = "The backlog, and why each task is not running"
	cmd.AddCommand(o.tasksList("list"), o.tasksWhy(), o.tasksRetry())
	return cmd
}

// targetFlag adds --target, for commands about exactly one.
func targetFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "target", "", "the target's `ID`; may be left out when there is only one")
}

func (o operator) tasksList(use string) *cobra.Command {
	var out format
	var target string
	cmd := &cobra.Command{Use: use, Short: "List the backlog", Args: cobra.NoArgs}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	targetFlag(cmd, &target)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		_, tasks, err := s.backlog(cmd.Context(), target)
		if err != nil {
			return err
		}
		return out.show(cmd, gateway.TaskList{Items: tasks}, func(w io.Writer) error {
			if len(tasks) == 0 {
				_, err := fmt.Fprintln(w, "the backlog has no task")
				return err
			}
			g := newGrid(w, "TASK", "STATUS", "ELIGIBLE", "ATTEMPTS", "NOT BEFORE", "TITLE", "WHY NOT")
			for _, t := range tasks {
				g.row(string(t.TaskID), t.Status, yesNo(t.Eligible), strconv.Itoa(t.Attempts), shortTime(t.NextEligibleAt),
					clip(printable(t.Title), 48), codes(t.Reasons))
			}
			return g.end()
		})
	}
	return cmd
}

// backlog reads every page of a target's tasks.
func (s *session) backlog(ctx context.Context, given string) (gateway.TargetID, []gateway.TaskItem, error) {
	target, err := s.target(ctx, given)
	if err != nil {
		return "", nil, err
	}
	tasks := []gateway.TaskItem{}
	for page := ""; ; {
		list, err := s.Tasks(ctx, target, page)
		if err != nil {
			return "", nil, s.explain(ctx, fmt.Sprintf("listing the tasks of %s", target), err)
		}
		tasks = append(tasks, list.Items...)
		if list.NextPageToken == "" || list.NextPageToken == page {
			return target, tasks, nil
		}
		page = list.NextPageToken
	}
}

func (o operator) tasksWhy() *cobra.Command {
	var out format
	var target string
	cmd := &cobra.Command{
		Use:   "why ID",
		Short: "Every reason why a task does not run, and what to do about it",
		Args:  named("ID"),
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	targetFlag(cmd, &target)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		target, tasks, err := s.backlog(cmd.Context(), target)
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if string(t.TaskID) != args[0] {
				continue
			}
			runs, err := s.attemptsAt(cmd.Context(), target, t.TaskID)
			if err != nil {
				return err
			}
			found := struct {
				gateway.TaskItem
				Runs []gateway.AttemptItem `json:"attempt_list"`
			}{t, runs}
			return out.show(cmd, found, func(w io.Writer) error { return o.writeWhy(w, target, t, runs) })
		}
		return &exitError{code: exitNo, err: fmt.Errorf("target %s has no task %q in its backlog; see: leviathan tasks --target %s", target, args[0], target)}
	}
	return cmd
}

// attemptsAt finds the attempts at one task among the target's newest.
func (s *session) attemptsAt(ctx context.Context, target gateway.TargetID, task gateway.TaskID) ([]gateway.AttemptItem, error) {
	list, err := s.Attempts(ctx, gateway.AttemptQuery{Target: target, Limit: 1000})
	if err != nil {
		return nil, s.explain(ctx, "listing the attempts at the task", err)
	}
	found := []gateway.AttemptItem{}
	for _, a := range list.Attempts {
		if a.TaskID == task {
			found = append(found, a)
		}
	}
	return found, nil
}

func (o operator) writeWhy(w io.Writer, target gateway.TargetID, t gateway.TaskItem, runs []gateway.AttemptItem) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s: %s\n", orDash(t.TaskID), target, orDash(t.Title))
	verdict := "not eligible"
	if t.Eligible {
		verdict = "eligible: a cycle may reserve it when there is room"
	}
	fmt.Fprintf(&b, "  status      %s, %s\n", orDash(t.Status), verdict)
	if !t.NextEligibleAt.IsZero() {
		fmt.Fprintf(&b, "  not before  %s, %s\n", shortTime(t.NextEligibleAt), relative(t.NextEligibleAt, o.now()))
	}
	fmt.Fprintf(&b, "  attempts    %d\n", t.Attempts)
	if t.Line > 0 {
		fmt.Fprintf(&b, "  place       .leviathan/backlog.yaml:%d\n", t.Line)
	}
	fmt.Fprintf(&b, "  digest      %s\n", orDash(t.Digest))
	if len(t.Reasons) > 0 {
		b.WriteString("why it does not run\n")
		writeReasons(&b, "  ", t.Reasons)
	}
	if _, err := io.WriteString(w, b.String()); err != nil || len(runs) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(w, "attempts, newest first"); err != nil {
		return err
	}
	return o.attemptGrid(w, runs)
}

func (o operator) tasksRetry() *cobra.Command {
	var target string
	return o.act("retry ID", "Let a task be tried again that is blocked or was closed by a human", named("ID"),
		func(cmd *cobra.Command) { targetFlag(cmd, &target) },
		func(ctx context.Context, s *session, args []string, reason string) (string, error) {
			id, err := s.target(ctx, target)
			if err != nil {
				return "", err
			}
			err = s.Retry(ctx, id, gateway.TaskID(args[0]), reason)
			return fmt.Sprintf("task %s of %s may be tried again; the next cycle decides", printable(args[0]), id),
				s.explain(ctx, fmt.Sprintf("retrying task %s of %s", printable(args[0]), id), err)
		})
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
