package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/engine"
)

// A tried is what a config with other values would mean.
type tried struct {
	Target   gateway.TargetID `json:"target"`
	AsOf     gateway.Time     `json:"as_of"`
	Values   []triedValue     `json:"values"`
	Tasks    []triedTask      `json:"tasks"`  // those whose plan would be another
	Pushes   []triedPush      `json:"pushes"` // those that would be answered otherwise
	Compared int              `json:"pushes_compared"`
	Unknown  int              `json:"pushes_not_comparable"` // their input is not on record
}

type triedTask struct {
	TaskID gateway.TaskID `json:"task_id"`
	Now    string         `json:"now"`
	Then   string         `json:"then"`
}

type triedPush struct {
	DecisionID gateway.DecisionID `json:"decision_id"`
	TaskID     gateway.TaskID     `json:"task_id"`
	Now        string             `json:"now"`
	Then       string             `json:"then"`
}

func (o operator) configTry() *cobra.Command {
	var out format
	var target, policies string
	pushes := 100
	cmd := &cobra.Command{
		Use:   "try KEY=VALUE…",
		Short: "What would be decided otherwise with other values in a target's config",
		Long: `Ask for a plan of the target's next cycle, as a dry run, and decide it again
with other values in its autonomy config; and decide its last pushes again, too.
Shown is what would be another: nothing is changed. KEY is one of the config,
such as max_open_prs, limits.max_files or allowed_path_prefixes; VALUE is YAML.

The policy that governs must be the one that this binary was built with, or the
one that --policies names.`,
		Example: "leviathan config try max_running_attempts=2\n" +
			"leviathan config try --target dev limits.max_files=500 'allowed_path_prefixes=[docs/, src/]'",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return named("KEY=VALUE")(cmd, args)
			}
			return nil
		},
	}
	conn := o.look(cmd, "state")
	out.flag(cmd)
	cmd.Flags().StringVar(&target, "target", "", "the target's `ID`; may be left out when there is only one")
	cmd.Flags().StringVar(&policies, "policies", "", "the policies that govern, in `DIR`; none is what this binary was built with")
	cmd.Flags().IntVar(&pushes, "pushes", pushes, "how many of the last pushes to decide again, up to 1000; 0 for none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		values, err := triedValues(args)
		if err != nil {
			return err
		}
		if pushes < 0 || pushes > 1000 {
			return fmt.Errorf("--pushes %d is not between 0 and 1000", pushes)
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		bundle, err := s.governing(cmd, policies)
		if err != nil {
			return err
		}
		id, err := s.target(cmd.Context(), target)
		if err != nil {
			return err
		}
		t := trial{session: s, bundle: bundle, target: id}
		what, err := t.try(cmd.Context(), values, pushes)
		if err != nil {
			return err
		}
		return out.show(cmd, what, func(w io.Writer) error { return what.write(w) })
	}
	return cmd
}

// governing loads the policies that the gateway decides by, or says that it
// decides by others.
func (s *session) governing(cmd *cobra.Command, dir string) (*engine.Snapshot, error) {
	var args []string
	if dir != "" {
		args = []string{dir}
	}
	bundle, where, err := loadBundle(cmd.Context(), args)
	if err != nil {
		return nil, cannotLoad(cmd, where, err)
	}
	st, err := s.Status(cmd.Context())
	if err != nil {
		return nil, s.explain(cmd.Context(), "asking which policy governs", err)
	}
	if string(st.PolicyDigest) != bundle.Digest() {
		return nil, fmt.Errorf("the gateway decides by the policy %s (%s), and the one in %s is %s: name the folder of the one that governs with --policies",
			orDash(st.PolicyRevision), shortDigest(st.PolicyDigest), where, shortDigest(bundle.Digest()))
	}
	return bundle, nil
}

// A trial decides recorded questions of one target again.
type trial struct {
	*session
	bundle *engine.Snapshot
	target gateway.TargetID
}

func (t trial) try(ctx context.Context, values []triedValue, pushes int) (tried, error) {
	what := tried{Target: t.target, Values: values, Tasks: []triedTask{}, Pushes: []triedPush{}}
	asked, err := t.Evaluate(ctx, gateway.Question{
		Subject: gateway.Entity{Type: "component", ID: "scheduler"}, Action: gateway.Action{Name: gateway.ActionCyclePlan},
		Resource: gateway.Entity{Type: "target", ID: string(t.target)},
	})
	if err != nil {
		return what, t.explain(ctx, "asking for a plan", err)
	}
	plan, err := t.Decision(ctx, asked.Context.ID)
	if err != nil {
		return what, t.explain(ctx, "reading the plan", err)
	}
	what.AsOf = plan.Recorded.At
	now, then, err := t.again(ctx, plan, values)
	if err != nil {
		return what, err
	}
	if what.Tasks, err = plansApart(now, then); err != nil {
		return what, err
	}
	if pushes == 0 {
		return what, nil
	}
	list, err := t.Decisions(ctx, gateway.DecisionQuery{Action: gateway.ActionChangePush, Target: t.target, Limit: pushes})
	if err != nil {
		return what, t.explain(ctx, "listing pushes", err)
	}
	for _, one := range list.Items {
		if one.DryRun {
			continue
		}
		push, err := t.Decision(ctx, one.ID)
		if err != nil {
			return what, t.explain(ctx, "reading a push", err)
		}
		now, then, err := t.again(ctx, push, values)
		if errors.Is(err, errNoInput) {
			what.Unknown++
			continue
		}
		if err != nil {
			return what, err
		}
		what.Compared++
		if before, after := answerOf(now), answerOf(then); before != after {
			what.Pushes = append(what.Pushes, triedPush{DecisionID: one.ID, TaskID: one.TaskID, Now: before, Then: after})
		}
	}
	return what, nil
}

// again decides a recorded question as it is and with other values.
func (t trial) again(ctx context.Context, d gateway.DecisionItem, values []triedValue) (now, then engine.Result, err error) {
	as, with, err := inputsWith(d, values)
	if err != nil {
		return now, then, err
	}
	now, then = t.bundle.Decide(ctx, d.Action, as), t.bundle.Decide(ctx, d.Action, with)
	return now, then, ctx.Err()
}

// plansApart are the tasks for which two plans differ, by id. Where one of them
// was denied as a whole, that is one line without a task.
func plansApart(now, then engine.Result) ([]triedTask, error) {
	before, err := planned(now)
	if err != nil {
		return nil, err
	}
	after, err := planned(then)
	if err != nil {
		return nil, err
	}
	if !now.Allow || !then.Allow {
		if answerOf(now) == answerOf(then) {
			return []triedTask{}, nil
		}
		return []triedTask{{Now: answerOf(now), Then: answerOf(then)}}, nil
	}
	apart := []triedTask{}
	ids := maps.Clone(before)
	maps.Copy(ids, after)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if before[id] != after[id] {
			apart = append(apart, triedTask{TaskID: id, Now: cmp.Or(before[id], "not planned"), Then: cmp.Or(after[id], "not planned")})
		}
	}
	return apart, nil
}
