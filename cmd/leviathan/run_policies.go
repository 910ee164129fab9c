package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

// policyOptions are the flags that say where policies come from, and what they
// must pass.
type policyOptions struct {
	source, keyID, tokenFile string
	keys                     []string
	minCoverage              float64
	poll                     time.Duration
	requireSignature         bool
	signatureAsked           func() bool // whether the flag was given; nil: it was not
}

func (o *policyOptions) flags(cmd *cobra.Command) {
	const require = "policies-require-signature"
	f := cmd.Flags()
	f.StringVar(&o.source, "policies", "", "where policies come from, and are followed: `DIR|FILE.tar.gz|URL`; the built-in bundle if empty")
	f.StringArrayVar(&o.keys, "policies-key", nil, "`FILE` with a public key in PEM, RSA or P-256, that a bundle's signature is verified with; may be given more than once")
	f.StringVar(&o.keyID, "policies-key-id", "", "the `ID` that a bundle's signature must give its key")
	f.StringVar(&o.tokenFile, "policies-token-file", "", "`FILE` with the bearer token for the URL, read for each request")
	f.BoolVar(&o.requireSignature, require, false, "refuse a bundle that is not signed by a --policies-key; for a URL the default is true")
	f.Float64Var(&o.minCoverage, "policies-min-coverage", 0, "the least line coverage, in `PERCENT`, that a bundle's own tests must have; 0 asks for none")
	f.DurationVar(&o.poll, "policies-poll", 0, "how often the source is looked at; 0: every 5s, a URL every 1m")
	o.signatureAsked = func() bool { return f.Changed(require) }
}

// open makes the source that the flags name; nil for the built-in policies.
func (o *policyOptions) open(logger *slog.Logger) (*engine.PolicySource, error) {
	if o.source == "" {
		if len(o.keys) > 0 || o.keyID != "" || o.tokenFile != "" || o.requireSignature {
			return nil, fmt.Errorf("keys, token and signature are of the policies that --policies names, and it is not given")
		}
		return nil, nil
	}
	if o.minCoverage < 0 || o.minCoverage > 100 {
		return nil, fmt.Errorf("--policies-min-coverage %v is not from 0 to 100", o.minCoverage)
	}
	if o.poll < 0 || o.poll > 0 && o.poll < time.Second {
		return nil, fmt.Errorf("--policies-poll %v is less than a second", o.poll)
	}
	opts := engine.PolicySourceOptions{
		Options:   engine.Options{KeyID: o.keyID, RequireSignature: o.requireSignature, Logger: logger},
		Tests:     engine.TestOptions{MinCoverage: o.minCoverage},
		Poll:      o.poll,
		TokenFile: o.tokenFile,
	}
	if o.signatureAsked == nil || !o.signatureAsked() {
		opts.RequireSignature = engine.IsURL(o.source)
	}
	for _, name := range o.keys {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading a --policies-key: %w", err)
		}
		key, err := engine.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("--policies-key %s: %w", name, err)
		}
		opts.Keys = append(opts.Keys, key)
	}
	return engine.OpenSource(o.source, opts)
}

func sourceName(source *engine.PolicySource) string {
	if source == nil {
		return "built in"
	}
	return source.String()
}

// firstPolicy is the policy that a gateway starts on if none ever governed here.
// The built-in one was tested when the binary was built.
func firstPolicy(ctx context.Context, source *engine.PolicySource, logger *slog.Logger) (*engine.Snapshot, error) {
	if source == nil {
		return engine.LoadFS(ctx, policies.FS, engine.Options{Tested: true, Logger: logger})
	}
	s, _, err := source.Load(ctx)
	return s, err
}

// follow keeps what governs equal to what the source has, as far as it passes
// the gate, until Close.
func (g *runningGateway) follow(eng *engine.Engine, source *engine.PolicySource) {
	if source == nil {
		return
	}
	name := source.String()
	g.goRun(func() error {
		return eng.Follow(g.ctx, source, engine.SourceEvents{
			Offer: func(ctx context.Context, candidate *engine.Snapshot, steps []engine.StepResult) error {
				return g.server.OfferPolicy(ctx, name, candidate, policySteps(steps))
			},
			Active: func(*engine.Snapshot) { g.server.PolicyActive() },
			Refused: func(steps []engine.StepResult, err error) {
				g.server.PolicyRefused(g.ctx, name, policySteps(steps), err)
			},
			Problem: func(err error) {
				if err != nil {
					g.log.Warn("the source of policies cannot be read; the policy that governs goes on", "source", name, "error", err)
				} else {
					g.log.Info("the source of policies can be read again", "source", name)
				}
				g.server.SetSourceProblem(err)
			},
		})
	})
}

// policySteps are the steps of the gate as the API has them.
func policySteps(steps []engine.StepResult) []gateway.PolicyStep {
	out := make([]gateway.PolicyStep, 0, len(steps))
	for _, s := range steps {
		outcome := gateway.StepRefused
		switch {
		case s.Held:
			outcome = gateway.StepHeld
		case len(s.Problems) == 0:
			outcome = gateway.StepNotAsked
		}
		out = append(out, gateway.PolicyStep{Step: string(s.Step), Outcome: outcome, Seconds: s.Seconds, Detail: s.Detail, Problems: s.Problems})
	}
	return out
}
