package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// completeWithin is how long a shell waits for a gateway when Tab is pressed;
// without an answer there is nothing to complete with, and nothing is said.
const completeWithin = 1500 * time.Millisecond

// A completer finds what may stand in a place of a command line.
type completer func(context.Context, *session, *cobra.Command) ([]cobra.Completion, error)

// completions lets the commands of root complete what a gateway knows, where
// one answers, and the values that are closed.
func (o operator) completions(root *cobra.Command) {
	closed := map[string][]string{
		"output": {string(asTable), string(asJSON)}, "outcome": {"allow", "deny"}, "action": gateway.Actions(),
		"role": {string(gateway.RoleScheduler), string(gateway.RoleReader), string(gateway.RoleIngest)}, "log-level": {"debug", "info", "warn", "error"},
	}
	live := map[string]completer{"target": targetsKnown, "attempt": attemptsKnown, "code": codesSeen, "task": tasksKnown}
	arguments := map[string]completer{
		"attempts show": attemptsKnown, "attempts log": attemptsKnown, "attempts cancel": attemptsKnown, "attempts invalidate": attemptsKnown,
		"attempts-show": attemptsKnown, "invalidate": attemptsKnown, "tasks why": tasksKnown, "tasks retry": tasksKnown,
		"decisions show": decisionsKnown, "decisions why": decisionsKnown, "decisions bundle": decisionsKnown,
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.LocalFlags() // joins what the command inherits
		of := func(name string, find cobra.CompletionFunc) {
			// A flag is completed once; one that is not there is no flag of this command.
			if _, done := cmd.GetFlagCompletionFunc(name); !done && cmd.Flags().Lookup(name) != nil {
				cobra.CheckErr(cmd.RegisterFlagCompletionFunc(name, find))
			}
		}
		for name, values := range closed {
			if f := cmd.Flags().Lookup(name); f != nil && (name != "output" || f.Value.Type() == new(format).Type()) {
				of(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
			}
		}
		if cmd.Name() != "worker" { // its attempt is the scheduler's to name
			for name, find := range live {
				of(name, func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
					return o.complete(cmd, find)
				})
			}
		}
		if f := cmd.Flags().Lookup("state"); f != nil && !isShared(f) && cmd.HasParent() && (cmd.Name() == "attempts" || cmd.Parent().Name() == "attempts") {
			of("state", cobra.FixedCompletions(append([]string{"live"}, strings.Split(stateNames(), ", ")...), cobra.ShellCompDirectiveNoFileComp))
		}
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		if find := arguments[path]; find != nil {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return o.complete(cmd, find)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// complete asks the gateway that the command line so far names. Whatever keeps
// it from an answer is nothing to complete with: a shell has no place for it.
func (o operator) complete(cmd *cobra.Command, find completer) ([]cobra.Completion, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	c := connection{operator: o, stateFlag: "state"}
	for name, into := range map[string]*string{"gateway": &c.url, "token-file": &c.tokenFile, "state": &c.state, "state-dir": &c.state} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Annotations[connectionMark] != nil {
			*into = f.Value.String()
		}
	}
	if c.tokenFile == "-" { // what a shell's stdin is, is no token
		return nil, none
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	s, err := c.openWith(cmd, gateway.ClientOptions{HTTPClient: &http.Client{Timeout: completeWithin}, MaxTries: 1})
	if err != nil {
		return nil, none
	}
	found, err := find(ctx, s, cmd)
	if err != nil {
		return nil, none
	}
	return found, none | cobra.ShellCompDirectiveKeepOrder
}

// choice is a completion with what to know of it; an id that a terminal would
// not show as it is cannot be typed either, and is left out.
func choice(all []cobra.Completion, id string, about ...string) []cobra.Completion {
	if id == "" || printable(id) != id || strings.ContainsAny(id, " \t") {
		return all
	}
	return append(all, cobra.CompletionWithDesc(id, printable(strings.Join(about, " "))))
}

func targetsKnown(ctx context.Context, s *session, _ *cobra.Command) (all []cobra.Completion, err error) {
	st, err := s.Status(ctx)
	for _, t := range st.Targets {
		all = choice(all, string(t.Target), t.ConfigFile)
	}
	return all, err
}

func attemptsKnown(ctx context.Context, s *session, _ *cobra.Command) (all []cobra.Completion, err error) {
	list, err := s.Attempts(ctx, gateway.AttemptQuery{Limit: 50})
	for _, a := range list.Attempts {
		all = choice(all, string(a.AttemptID), string(a.State), string(a.TaskID), "of", string(a.Target))
	}
	return all, err
}

func tasksKnown(ctx context.Context, s *session, cmd *cobra.Command) (all []cobra.Completion, err error) {
	given := ""
	if f := cmd.Flags().Lookup("target"); f != nil {
		given = f.Value.String()
	}
	target, err := s.target(ctx, given)
	if err != nil {
		return nil, err
	}
	list, err := s.Tasks(ctx, target, "")
	for _, t := range list.Items {
		all = choice(all, string(t.TaskID), t.Status+":", t.Title)
	}
	return all, err
}

func decisionsKnown(ctx context.Context, s *session, _ *cobra.Command) (all []cobra.Completion, err error) {
	list, err := s.Decisions(ctx, gateway.DecisionQuery{Limit: 50})
	for _, d := range list.Items {
		answer := "denied"
		if d.Decision {
			answer = "allowed"
		}
		all = choice(all, string(d.ID), answer, d.Action, codes(d.Reasons))
	}
	return all, err
}

// codesSeen are the codes of the newest denials.
func codesSeen(ctx context.Context, s *session, _ *cobra.Command) (all []cobra.Completion, err error) {
	list, err := s.Decisions(ctx, gateway.DecisionQuery{Outcome: "deny", Limit: 200})
	seen := map[string]bool{}
	for _, d := range list.Items {
		for _, r := range d.Reasons {
			if !seen[r.Code] {
				seen[r.Code] = true
				all = choice(all, r.Code, r.Message)
			}
		}
	}
	slices.Sort(all)
	return all, err
}
