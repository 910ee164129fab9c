package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/scheduler"
)

func (o operator) resume() *cobra.Command {
	var target, reason string
	var cluster stopCluster
	cmd := &cobra.Command{
		Use: "resume", Args: cobra.NoArgs,
		Short: "Lift a halt, and take up the CronJobs that stop suspended",
		Long: `Lift a halt, and then take up the CronJobs that leviathan stop suspended. One
that somebody else suspended stays so. If the halt cannot be lifted, no CronJob
is touched. The cluster is found as by leviathan stop; where there is none, the
halt is all.

  exit 0  all that stop had done is undone
  exit 4  the halt is lifted, and a CronJob was not seen to be taken up`,
	}
	conn := o.connect(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in a `TEXT` that the journal keeps (required)")
	cmd.Flags().StringVar(&target, "target", "", "the target's `ID`; without it, the halt of everything is lifted (a target's own stays)")
	cluster.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("say why with --reason TEXT: the journal keeps it")
		}
		id, whom, err := scope(target)
		if err != nil {
			return err
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		c := scheduler.EmergencyConfig{Gateway: s.Client, Target: gateway.TargetID(target), Reason: reason}
		cluster.fill(cmd, o, &c)
		emergency, err := scheduler.NewEmergency(c)
		if err != nil {
			return err
		}
		if err := s.Resume(cmd.Context(), gateway.ReasonRequest{Target: id, Reason: reason}); err != nil {
			return s.explain(cmd.Context(), "resuming "+whom, err)
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "the halt of %s is lifted; see `leviathan status` for what else may hold\n", whom); err != nil {
			return err
		}
		if c.Cluster == nil && c.ClusterProblem == nil {
			return nil
		}
		found := emergency.Resume(cmd.Context())
		if err := writeSights(cmd.OutOrStdout(), found); err != nil {
			return err
		}
		return notSeen(cmd.Context(), found)
	}
	return cmd
}
