package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/scheduler"
)

func upCommand() *cobra.Command {
	var o gatewayOptions
	var untilIdle bool
	cmd := &cobra.Command{
		Use: "up", GroupID: "run", Args: cobra.NoArgs,
		Short: "Run gateway, scheduler and workers on this machine",
		Long: `Run everything on this machine: the gateway, a scheduler for each target of the
config, and workers as child processes. A cycle is run at start, on the config's
cron, when an attempt ends and when the config changes.

Ctrl-C drains: nothing new is started, running workers stop or finish within a
grace period, and the gateway ends last.

With --until-idle it ends by itself when nothing is reserved or live and every
remaining task waits for a human; a backoff or an open breaker that ends within
120 s is waited for.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			u, err := openUp(cmd.Context(), o, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "listening on "+u.gateway.url)
			err = u.run(cmd.Context(), cmd.OutOrStdout(), untilIdle)
			if err == nil && untilIdle {
				_, err = u.report(cmd.Context(), cmd.OutOrStdout())
			}
			return finished(cmd.Context(), err, u.Close())
		},
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&untilIdle, "until-idle", false, "end when every remaining task waits for a human")
	return cmd
}

// up is a gateway with a scheduler for each of its targets.
type up struct {
	gateway *runningGateway
	client  *gateway.Client // the operator's
	token   gateway.TokenResult
	state   string

	mu    sync.Mutex
	wakes map[gateway.TargetID]chan struct{}
	fresh chan struct{} // says that the set of targets may have grown
}

// openUp starts the gateway and gives its schedulers a token of their own.
func openUp(ctx context.Context, o gatewayOptions, stderr io.Writer) (*up, error) {
	u := &up{wakes: map[gateway.TargetID]chan struct{}{}, fresh: make(chan struct{}, 1), state: o.state}
	var err error
	if u.gateway, err = openGateway(ctx, o, stderr, u.wake); err != nil {
		return nil, err
	}
	u.client, err = gateway.NewClient(u.gateway.url, u.gateway.token, gateway.ClientOptions{})
	if err == nil {
		u.token, err = u.client.CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleScheduler, ExpiresIn: "87600h"})
	}
	if err != nil {
		return nil, errors.Join(err, u.gateway.Close())
	}
	return u, nil
}

// wake asks the scheduler of a target for a cycle; "" asks all.
func (u *up) wake(id gateway.TargetID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	poke(u.fresh)
	for target, wake := range u.wakes {
		if id == "" || id == target {
			poke(wake)
		}
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been asked already
	}
}

// run runs a scheduler for each target until ctx ends or all are idle. On its
// way out it drains: every worker has ended when it returns.
func (u *up) run(ctx context.Context, out io.Writer, untilIdle bool) error {
	quit, stop := context.WithCancel(ctx)
	defer stop()
	var progress sync.WaitGroup
	follow, unfollow := context.WithCancel(context.WithoutCancel(ctx))
	progress.Go(func() { u.progress(follow, out) })
	defer progress.Wait()
	defer unfollow()

	ended := make(chan error)
	running := 0
	for {
		for _, target := range u.newTargets() {
			running++
			go func() { ended <- u.schedule(quit, target, untilIdle) }()
		}
		if running == 0 && untilIdle {
			return ctx.Err()
		}
		select {
		case <-u.fresh:
		case err := <-ended:
			running--
			if err != nil && !errors.Is(err, context.Canceled) {
				u.gateway.log.Error("a scheduler ended", "error", err)
			}
		case err := <-u.gateway.failed:
			stop()
			drain(ended, running)
			return err
		case <-ctx.Done():
			fmt.Fprintln(out, "draining: nothing new is started, workers are asked to stop")
			drain(ended, running)
			return ctx.Err()
		}
	}
}

func drain(ended <-chan error, running int) {
	for range running {
		<-ended
	}
}

// newTargets are those of the config that have no scheduler yet.
func (u *up) newTargets() []gateway.TargetID {
	u.mu.Lock()
	defer u.mu.Unlock()
	var ids []gateway.TargetID
	for _, t := range u.gateway.targets.Targets() {
		if t.ID == "" {
			continue
		}
		if _, ok := u.wakes[t.ID]; !ok {
			u.wakes[t.ID] = make(chan struct{}, 1)
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// schedule runs one target's scheduler with a launcher of its own, and ends
// when the last of its workers has ended.
func (u *up) schedule(ctx context.Context, target gateway.TargetID, untilIdle bool) error {
	client, err := gateway.NewClient(u.gateway.url, u.token.Token, gateway.ClientOptions{})
	if err != nil {
		return err
	}
	local, err := newLocal(u.gateway.url, filepath.Join(u.state, "workspaces", string(target)), u.gateway.log)
	if err != nil {
		return err
	}
	u.mu.Lock()
	wake := u.wakes[target]
	u.mu.Unlock()
	s := scheduler.New(scheduler.Config{Client: client, Target: target, Launcher: local, Logger: u.gateway.log, Wake: wake, UntilIdle: untilIdle})
	defer drainWorkers(s, local, u.gateway.log)
	return s.Run(ctx)
}

// Close ends the gateway, which ends last.
func (u *up) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(u.client.RevokeToken(ctx, u.token.ID), u.gateway.Close())
}
