package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// look adds the flags of a connection to a command that only reads. With
// --config it can do so where no gateway runs.
func (o operator) look(cmd *cobra.Command, stateFlag string) *connection {
	c := o.connectAs(cmd, stateFlag)
	cmd.Flags().StringVar(&c.config, "config", "", "when no gateway runs: open the state folder with the autonomy config at `PATH`, for this command alone")
	return c
}

// openHere runs a gateway in this process, without a scheduler, until the
// session ends. It starts like any other: the journal says so, and whatever
// its last owner left unsettled is settled.
func (c *connection) openHere(cmd *cobra.Command) (*session, error) {
	switch {
	case c.state == "":
		return nil, fmt.Errorf("--config needs the state folder: name it with --%s", c.stateFlag)
	case c.url != "", c.tokenFile != "":
		return nil, errors.New("--config opens the state folder itself: leave out --gateway and --token-file, or --config")
	}
	if _, err := os.Stat(filepath.Join(c.state, journal.DatabaseFile)); err != nil {
		return nil, fmt.Errorf("%s is no state folder: %w", c.state, err)
	}
	ctx := cmd.Context()
	g, err := openGateway(ctx, gatewayOptions{state: c.state, config: c.config, listen: "127.0.0.1:0", logLevel: "error"}, cmd.ErrOrStderr(), nil)
	if err != nil {
		return nil, fmt.Errorf("opening the state folder for this command (leave out --config to ask a gateway that runs): %w", err)
	}
	client, err := gateway.NewClient(g.url, g.token, gateway.ClientOptions{})
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	s := &session{Client: client, source: "the state folder", where: c.state + ", where no gateway runs", close: g.Close}
	return s, s.observe(ctx, g)
}

// observe has every target looked at once, so that the status shows facts and
// not that nobody has looked yet. What cannot be had is shown there as well.
func (s *session) observe(ctx context.Context, g *runningGateway) error {
	for _, t := range g.targets.Targets() {
		if t.ID == "" {
			continue
		}
		if _, err := s.Tasks(ctx, t.ID, ""); err != nil && ctx.Err() != nil {
			return errors.Join(&exitError{code: exitInterrupted}, g.Close())
		}
	}
	return nil
}
