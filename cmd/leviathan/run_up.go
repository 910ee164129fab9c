package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/scheduler"
	"leviathan/spider"
)

func upCommand() *cobra.Command {
	var o gatewayOptions
	var untilIdle bool
	var spiderListen string
	cmd := &cobra.Command{
		Use: "up", GroupID: "run", Args: cobra.NoArgs,
		Short: "Run gateway, scheduler, spider and workers on this machine",
		Long: `Run everything on this machine: the gateway, a scheduler for each target of the
config, a spider that shows what happens as metrics, and workers as child
processes. A cycle is run at start, on the config's cron, when an attempt ends and
when the config changes. The spider asks for no token; nothing waits for it, and
where its usual address is taken, work goes on without it.

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
			if err := u.watch(cmd.Context(), spiderListen, cmd.Flags().Changed("spider-listen")); err != nil {
				return errors.Join(err, u.Close())
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
	cmd.Flags().StringVar(&spiderListen, "spider-listen", "127.0.0.1:8001", "address at which the spider serves metrics; port 0 takes a free one, off serves none")
	cmd.Flags().BoolVar(&untilIdle, "until-idle", false, "end when every remaining task waits for a human")
	return cmd
}

// up is a gateway with a scheduler for each of its targets.
type up struct {
	gateway *runningGateway
	client  *gateway.Client // the operator's
	token   gateway.TokenResult
	state   string

	spider   *runningSpider // nil if there is none
	watching sync.WaitGroup
	reading  gateway.TokenResult

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
	client, err := gateway.NewClient(u.gateway.url, u.token.Token, gateway.ClientOptions{HTTPClient: u.gateway.tracing.client()})
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
	s := scheduler.New(scheduler.Config{Client: client, Target: target, Launcher: local, Logger: u.gateway.log, Wake: wake, UntilIdle: untilIdle,
		Tracer: u.gateway.tracing.provider})
	defer drainWorkers(s, local, u.gateway.log)
	return s.Run(ctx)
}

// watch starts a spider that follows the gateway, with a token of its own. An
// address that nobody chose may be taken: then there is no spider.
func (u *up) watch(ctx context.Context, listen string, chosen bool) error {
	if listen == "off" {
		return nil
	}
	reading, err := u.client.CreateToken(ctx, gateway.TokenRequest{Role: gateway.RoleReader, ExpiresIn: "87600h"})
	if err != nil {
		return err
	}
	u.reading = reading
	client, err := gateway.NewClient(u.gateway.url, reading.Token, gateway.ClientOptions{})
	if err != nil {
		return err
	}
	o := spiderOptions{listen: listen, state: filepath.Join(u.state, "spider.json"), maxTargets: spider.DefaultMaxTargets}
	switch u.spider, err = openSpider(ctx, o, client, u.gateway.log); {
	case err == nil:
		u.gateway.log.Info("metrics are served", "url", u.spider.url+"/metrics")
		u.watching.Go(func() { u.spider.complain(u.gateway.log) })
	case !chosen && errors.Is(err, syscall.EADDRINUSE):
		u.gateway.log.Warn("no metrics are served: name another address with --spider-listen, or off", "error", err)
		return nil
	}
	return err
}

// Close ends the spider, and the gateway, which ends last.
func (u *up) Close() error {
	var errs []error
	if u.spider != nil {
		errs = append(errs, u.spider.Close())
		u.watching.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, token := range []gateway.TokenResult{u.reading, u.token} {
		if token.ID != "" {
			errs = append(errs, u.client.RevokeToken(ctx, token.ID))
		}
	}
	return errors.Join(append(errs, u.gateway.Close())...)
}
