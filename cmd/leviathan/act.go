package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// act is a command that changes something and says why in the journal: do
// returns what was done, in a sentence, or an error that is explained already.
func (o operator) act(use, short string, args cobra.PositionalArgs, flags func(*cobra.Command),
	do func(ctx context.Context, s *session, args []string, reason string) (string, error)) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: use, Short: short, Args: args}
	conn := o.connect(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in a `TEXT` that the journal keeps (required)")
	if flags != nil {
		flags(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("say why with --reason TEXT: the journal keeps it")
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		done, err := do(cmd.Context(), s, args, reason)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), done)
		return err
	}
	return cmd
}

// answered asks the gateway and shows what it says.
func answered[T any](cmd *cobra.Command, conn *connection, out format, what string,
	ask func(context.Context, *session) (T, error), write func(io.Writer, T) error) error {
	s, err := conn.open(cmd)
	if err != nil {
		return err
	}
	defer s.end(cmd)
	v, err := ask(cmd.Context(), s)
	if err != nil {
		return s.explain(cmd.Context(), what, err)
	}
	return out.show(cmd, v, func(w io.Writer) error { return write(w, v) })
}

// streamed asks the gateway for a stream and copies it to the output or to a
// new file, compressed or not.
func streamed(cmd *cobra.Command, conn *connection, file string, zip bool, what string,
	ask func(context.Context, *session) (io.ReadCloser, error)) (err error) {
	s, err := conn.open(cmd)
	if err != nil {
		return err
	}
	defer s.end(cmd)
	body, err := ask(cmd.Context(), s)
	if err != nil {
		return s.explain(cmd.Context(), what, err)
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	from := io.Reader(body)
	if zip {
		from = compressed(body)
	}
	if file != "" {
		_, err = saveNew(cmd, file, from)
		return err
	}
	_, err = io.Copy(cmd.OutOrStdout(), from)
	return err
}

// scope is whom a halt is about: one target, or nil for everything.
func scope(given string) (*gateway.TargetID, string, error) {
	if given == "" {
		return nil, "every target", nil
	}
	id := gateway.TargetID(given)
	if !id.Valid() {
		return nil, "", fmt.Errorf("--target %q is not the id of a target", given)
	}
	return &id, "target " + given, nil
}

func (o operator) halt() *cobra.Command {
	var target string
	return o.act("halt", "Emergency stop: nothing is started, pushed or proposed until resume", cobra.NoArgs,
		func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&target, "target", "", "the target's `ID`; without it, everything stops")
		},
		func(ctx context.Context, s *session, _ []string, reason string) (string, error) {
			id, whom, err := scope(target)
			if err != nil {
				return "", err
			}
			lift := "leviathan resume --reason TEXT"
			if id != nil {
				lift += " --target " + target
			}
			err = s.Halt(ctx, gateway.ReasonRequest{Target: id, Reason: reason})
			return fmt.Sprintf("%s is halted: nothing more is allowed. Workers that run are told to stop at their next heartbeat;\n"+
					"see which still live with `leviathan attempts --state live`, and lift the halt with `%s`.", whom, lift),
				s.explain(ctx, "halting "+whom, err)
		})
}

func (o operator) circuit() *cobra.Command {
	var target string
	reset := o.act("reset", "Close a target's circuit breaker", cobra.NoArgs,
		func(cmd *cobra.Command) { targetFlag(cmd, &target) },
		func(ctx context.Context, s *session, _ []string, reason string) (string, error) {
			id, err := s.target(ctx, target)
			if err != nil {
				return "", err
			}
			err = s.ResetCircuit(ctx, id, reason)
			return fmt.Sprintf("the breaker of %s is closed", id), s.explain(ctx, fmt.Sprintf("resetting the breaker of %s", id), err)
		})
	return family("circuit", "The circuit breaker of a target", reset)
}

func (o operator) clock() *cobra.Command {
	accept := o.act("accept", "Go on with a clock that went backwards", cobra.NoArgs, nil,
		func(ctx context.Context, s *session, _ []string, reason string) (string, error) {
			err := s.AcceptClock(ctx, reason)
			return "the gateway's clock is accepted as it is", s.explain(ctx, "accepting the clock", err)
		})
	return family("clock", "The gateway's clock", accept)
}

// attemptID reads an attempt's id from the command line, in either case.
func attemptID(text string) (gateway.AttemptID, error) {
	id := gateway.AttemptID(strings.ToUpper(text))
	if !id.Valid() {
		return "", fmt.Errorf("%q is not the id of an attempt: 26 letters and digits, as `leviathan attempts` lists them", text)
	}
	return id, nil
}

func (o operator) attemptsCancel() *cobra.Command {
	return o.act("cancel ID", "Stop an attempt; it counts for nothing", named("ID"), nil,
		func(ctx context.Context, s *session, args []string, reason string) (string, error) {
			id, err := attemptID(args[0])
			if err != nil {
				return "", err
			}
			err = s.Cancel(ctx, id, reason)
			return fmt.Sprintf("attempt %s is cancelled: it can push and propose nothing more, and its worker is told to stop at its next heartbeat", id),
				s.explain(ctx, fmt.Sprintf("cancelling attempt %s", id), err)
		})
}

func (o operator) attemptsInvalidate() *cobra.Command {
	return o.act("invalidate ID", "Take an attempt out of the task's count and the breaker's; a live one is cancelled first", named("ID"), nil,
		func(ctx context.Context, s *session, args []string, reason string) (string, error) {
			id, err := attemptID(args[0])
			if err != nil {
				return "", err
			}
			err = s.Invalidate(ctx, id, reason)
			return fmt.Sprintf("attempt %s no longer counts", id), s.explain(ctx, fmt.Sprintf("invalidating attempt %s", id), err)
		})
}
