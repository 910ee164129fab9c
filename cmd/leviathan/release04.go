package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// ctlName is the operator's command of release 0.4. The binary answers to it:
// started under this name it has the calls of that release and no others.
const ctlName = "leviathanctl"

// newCtl is the command line of leviathanctl.
func newCtl(o operator) *cobra.Command {
	root := &cobra.Command{
		Use:   ctlName,
		Short: "The calls of release 0.4, each with the answer that it had",
		Long: "The calls of leviathanctl 0.4, for scripts that have them: each prints one JSON document in the shape of that release, to which fields\n" +
			"may have been added. The binary leviathan has the same calls under its own name, where help does not list them; its other commands say more.",
		Example:       "  ln -s leviathan " + ctlName + " && ./" + ctlName + " attempts-list --target demo",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       gateway.Version,
	}
	root.SetVersionTemplate(ctlName + " {{.Version}}\n")
	root.AddCommand(o.calls04()...)
	o.completions(root)
	return root
}

// calls04 are the calls of leviathanctl.
func (o operator) calls04() []*cobra.Command {
	return []*cobra.Command{o.graphSummary04(), o.attemptsList04(), o.attemptsShow04(), o.failuresRecent04(), o.invalidate04()}
}

// hidden are the calls as commands of leviathan, which help does not list.
func hidden(cmds []*cobra.Command) []*cobra.Command {
	for _, cmd := range cmds {
		cmd.Hidden, cmd.Example = true, strings.ReplaceAll(cmd.Example, ctlName, "leviathan")
	}
	return cmds
}

// call04 makes cmd a call that prints what ask answers, as JSON.
func (o operator) call04(cmd *cobra.Command, conn *connection, doing string, ask func(context.Context, *session, []string) (any, error)) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return answered(cmd, conn, asJSON, doing, func(ctx context.Context, s *session) (any, error) { return ask(ctx, s, args) }, nil)
	}
	return cmd
}

// A summary04 is the answer to graph-summary.
type summary04 struct {
	NodesByType  map[string]int `json:"nodes_by_type"`
	EdgesByType  map[string]int `json:"edges_by_type"`
	RecentEvents []event04      `json:"recent_events"`
}

// An event04 is an event of a summary: every field is there, empty or not.
type event04 struct {
	EventID   string            `json:"event_id"`
	Timestamp gateway.Time      `json:"timestamp"`
	EventType string            `json:"event_type"`
	ActorID   string            `json:"actor_id"`
	Target    gateway.TargetID  `json:"target"`
	AttemptID gateway.AttemptID `json:"attempt_id"`
	Origin    string            `json:"origin"`
}

func (o operator) graphSummary04() *cobra.Command {
	cmd := &cobra.Command{Use: "graph-summary", Short: "Nodes and edges by type, with the newest events", Args: cobra.NoArgs,
		Long:    "Print {nodes_by_type, edges_by_type, recent_events}: the newest 20 events without their payloads, newest first.",
		Example: "  " + ctlName + " graph-summary"}
	return o.call04(cmd, o.look(cmd, "state"), "counting the graph", func(ctx context.Context, s *session, _ []string) (any, error) {
		sum, err := s.GraphSummary(ctx)
		out := summary04{sum.NodesByType, sum.EdgesByType, []event04{}}
		for _, e := range sum.RecentEvents {
			out.RecentEvents = append(out.RecentEvents, event04{e.EventID, e.Timestamp, e.EventType, e.ActorID, e.Target, e.AttemptID, e.Origin})
		}
		return out, err
	})
}

func (o operator) attemptsList04() *cobra.Command {
	var target string
	var page pages
	cmd := &cobra.Command{Use: "attempts-list", Short: "Attempts, newest first", Args: cobra.NoArgs,
		Long: "Print {attempts, count}: the newest attempts of every target, or of one. count is how many are in the answer;\n" +
			"where there are more, next_page_token is there too.",
		Example: "  " + ctlName + " attempts-list --target demo --limit 20"}
	conn := o.look(cmd, "state")
	page.flags(cmd)
	cmd.Flags().StringVar(&target, "target", "", "only those of the target `ID`")
	cmd.PreRunE = func(*cobra.Command, []string) error { return page.check() }
	return o.call04(cmd, conn, "listing attempts", func(ctx context.Context, s *session, _ []string) (any, error) {
		return s.Attempts(ctx, gateway.AttemptQuery{Target: gateway.TargetID(target), Limit: page.limit, PageToken: page.token})
	})
}

func (o operator) attemptsShow04() *cobra.Command {
	cmd := &cobra.Command{Use: "attempts-show ID", Short: "One attempt with its events and artifacts", Args: named("ID"),
		Long: "Print {attempt_node, events, artifacts} of an attempt, also of one that was taken over from release 0.4.\n" +
			"An id that the journal does not have is null with empty lists, and no error.",
		Example: "  " + ctlName + " attempts-show 01JQ0000000000000000000001"}
	return o.call04(cmd, o.look(cmd, "state"), "showing the attempt", func(ctx context.Context, s *session, args []string) (any, error) {
		d, err := s.Attempt(ctx, id04(args[0]))
		d.Events, d.Artifacts = list04(d.Events), list04(d.Artifacts)
		return d, err
	})
}

// id04 reads an attempt's id: ours in either case, and whatever release 0.4
// called one.
func id04(text string) gateway.AttemptID {
	if id, err := attemptID(text); err == nil {
		return id
	}
	return gateway.AttemptID(text)
}

// list04 is a list that is never null.
func list04[T any](items []T) []T { return append([]T{}, items...) }

func (o operator) failuresRecent04() *cobra.Command {
	var target string
	var limit int
	cmd := &cobra.Command{Use: "failures-recent", Short: "Failed attempts, newest first", Args: cobra.NoArgs,
		Long:    "Print {failures, count}: the newest failed attempts of every target, or of one, each with its error.",
		Example: "  " + ctlName + " failures-recent --target demo --limit 5"}
	conn := o.look(cmd, "state")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most `N` of them, up to 1000")
	cmd.Flags().StringVar(&target, "target", "", "only those of the target `ID`")
	cmd.PreRunE = func(*cobra.Command, []string) error { return (&pages{limit: limit}).check() }
	return o.call04(cmd, conn, "listing failures", func(ctx context.Context, s *session, _ []string) (any, error) {
		return s.Failures(ctx, gateway.TargetID(target), limit)
	})
}

func (o operator) invalidate04() *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "invalidate ID", Short: "Take an attempt out of the counts", Args: named("ID"),
		Long: "Take an attempt out of its task's count and the breaker's, and print {status, attempt_id}. A live attempt is cancelled first.\n" +
			"The reason is required, and an id that the journal does not have is an error.",
		Example: "  " + ctlName + " invalidate 01JQ0000000000000000000001 --reason 'the machine was ill'"}
	conn := o.connect(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in a `TEXT` that the journal keeps (required)")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("say why with --reason TEXT: the journal keeps it")
		}
		return nil
	}
	return o.call04(cmd, conn, "invalidating the attempt", func(ctx context.Context, s *session, args []string) (any, error) {
		id := id04(args[0])
		if err := s.Invalidate(ctx, id, reason); err != nil {
			return nil, err
		}
		return map[string]string{"status": "invalidated", "attempt_id": string(id)}, nil
	})
}

// rootAs is the command line of the binary when it is started under a name.
func rootAs(name string) *cobra.Command {
	if name == ctlName {
		return newCtl(operatorHere())
	}
	return newRoot()
}
