package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// A stopped is what stop prints as JSON.
type stopped struct {
	Target   gateway.TargetID    `json:"target,omitempty"` // none: every target
	Reason   string              `json:"reason"`
	Seen     bool                `json:"all_seen"`
	Findings []scheduler.Finding `json:"findings"`
}

// stopOptions are the flags of stop.
type stopOptions struct {
	target, reason string
	all            bool
	emergency      scheduler.EmergencyConfig
	cluster        stopCluster
}

func (o operator) stop() *cobra.Command {
	var out format
	var given stopOptions
	cmd := &cobra.Command{
		Use: "stop", Args: cobra.NoArgs,
		Short: "Emergency stop of everything that runs: halt, suspend, cancel, and look whether it has stopped",
		Long: `Stop a target, or all: record a halt, suspend the scheduler's CronJobs, end the
attempts that run, and with --delete-jobs delete their Jobs; then look until
everything was seen to stop or --wait is over, and print one line for each thing.
Every part is tried, whatever becomes of the others. Nothing is called stopped
that was not seen to stop.

A halt tells workers to stop at their next heartbeat. What they report then is
the best proof, so an attempt that runs is cancelled only when --grace is over.
Without a cluster it is the only proof: nobody else sees a worker end.

The cluster is that of --kubeconfig, of KUBECONFIG, or the one that this runs in.
It takes the rights get, list and patch on CronJobs, list on Jobs, and delete on
Jobs for --delete-jobs. Where there is none, the gateway's part is all.

  exit 0  everything was seen to stop
  exit 4  something was not; its lines say NOT SEEN
  exit 2  used wrongly; nothing was done

It may be repeated. leviathan resume undoes the halt and the suspension.`,
		Example: `leviathan stop --all --reason "the agent deletes tests"
leviathan stop --target dev --reason "wrong repository" --kubeconfig ~/.kube/config --delete-jobs`,
	}
	conn := o.connect(cmd)
	out.flag(cmd)
	given.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		emergency, err := given.open(cmd, conn)
		if err != nil {
			return err
		}
		found := emergency.Stop(cmd.Context())
		answer := stopped{Target: gateway.TargetID(given.target), Reason: given.reason, Seen: scheduler.AllSeen(found), Findings: found}
		if err := out.show(cmd, answer, func(w io.Writer) error { return writeStopped(w, answer) }); err != nil {
			return err
		}
		return notSeen(cmd.Context(), found)
	}
	return cmd
}

func (s *stopOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.target, "target", "", "stop the target of this `ID`")
	f.BoolVar(&s.all, "all", false, "stop every target")
	f.StringVar(&s.reason, "reason", "", "why, in a `TEXT` that the journal keeps (required)")
	f.BoolVar(&s.emergency.Cancel, "cancel", true, "cancel the attempts that have not ended by themselves")
	f.DurationVar(&s.emergency.Grace, "grace", 30*time.Second, "how long a worker may take to report its own end before its attempt is cancelled")
	f.BoolVar(&s.emergency.DeleteJobs, "delete-jobs", false, "delete the Jobs of workers and of scheduler runs, their Pods first")
	f.DurationVar(&s.emergency.Wait, "wait", 2*time.Minute, "how long to look for what has not stopped")
	s.cluster.flags(cmd)
}

// open checks the flags and makes the stop that they ask for. What cannot be
// reached is no error here: the other parts are tried.
func (s *stopOptions) open(cmd *cobra.Command, conn *connection) (*scheduler.Emergency, error) {
	switch {
	case s.all == (s.target != ""):
		return nil, errors.New("say what to stop: --target ID, or --all")
	case strings.TrimSpace(s.reason) == "":
		return nil, errors.New("say why with --reason TEXT: the journal keeps it")
	case s.emergency.Grace < 0 || s.emergency.Wait < 0:
		return nil, errors.New("--grace and --wait are no less than 0")
	}
	if _, _, err := scope(s.target); err != nil {
		return nil, err
	}
	c := s.emergency
	c.Target, c.Reason, c.Poll = gateway.TargetID(s.target), s.reason, min(conn.interval, time.Second)
	session, err := conn.open(cmd)
	if err == nil {
		c.Gateway = session.Client
	}
	c.GatewayProblem = err
	s.cluster.fill(cmd, conn.operator, &c)
	return scheduler.NewEmergency(c)
}

// writeStopped writes one line for each finding, and what they come to.
func writeStopped(w io.Writer, s stopped) error {
	if err := writeSights(w, s.Findings); err != nil {
		return err
	}
	end := "everything was seen to stop"
	if !s.Seen {
		end = "NOT everything was seen to stop: see the lines above, mend what they name, and repeat the command"
	}
	undo := "leviathan resume --reason TEXT"
	if s.Target != "" {
		undo += " --target " + string(s.Target)
	}
	_, err := fmt.Fprintf(w, "%s\nundo it with: %s\n", end, undo)
	return err
}

// outcomes are the words for what was seen.
var outcomes = map[scheduler.Outcome]string{scheduler.Stopped: "stopped", scheduler.Resumed: "resumed", scheduler.NotSeen: "NOT SEEN", scheduler.Nothing: "none"}

func writeSights(w io.Writer, found []scheduler.Finding) error {
	g := newGrid(w)
	for _, f := range found {
		g.row(outcomes[f.Outcome], f.What, f.Detail)
	}
	return g.end()
}

// notSeen is the exit code of findings.
func notSeen(ctx context.Context, found []scheduler.Finding) error {
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted}
	case !scheduler.AllSeen(found):
		return &exitError{code: exitNotSeen}
	}
	return nil
}
