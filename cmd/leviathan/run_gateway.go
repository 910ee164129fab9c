package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/engine"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
	"leviathan/worker"
)

// gatewayOptions are the flags of every command that runs a gateway.
type gatewayOptions struct {
	state, config, listen string
	policies              policyOptions
	consumers             consumerOptions
	tlsCert, tlsKey       string
	forge                 forgeOptions
	openMetrics           bool
	cluster               clusterGateway
	logLevel              string
}

func (o *gatewayOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.state, "state", "", "folder of the journal, mirrors, keys and artifacts; created if it does not exist (required)")
	f.StringVar(&o.config, "config", "", "autonomy config: a file, or a folder with one file for each target (required)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8000", "address to listen on; port 0 takes a free one")
	o.policies.flags(cmd)
	o.forge.flags(cmd)
	o.consumers.flags(f)
	f.StringVar(&o.tlsCert, "tls-cert", "", "file with the certificate chain in PEM; with --tls-key, serves HTTPS")
	f.StringVar(&o.tlsKey, "tls-key", "", "file with the certificate's key in PEM")
	f.BoolVar(&o.openMetrics, "open-metrics", false, "serve /metrics without a token")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
}

func (o *gatewayOptions) check() error {
	if o.state == "" || o.config == "" {
		return errors.New("--state and --config are required")
	}
	if err := o.cluster.check(); err != nil {
		return err
	}
	return o.consumers.check(o.cluster.on)
}

// A runningGateway is a gateway with everything that it owns.
type runningGateway struct {
	url     string
	token   string
	journal *journal.Journal
	targets *autonomy.Set
	server  *server.Server
	log     *slog.Logger

	tracing *tracing
	member  *clusterMember // nil outside of a cluster
	http    *http.Server
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	failed  chan error
}

// openGateway opens state, config and policies, and serves. onChange is told
// of targets that may have something new to plan. Close ends it.
func openGateway(ctx context.Context, o gatewayOptions, stderr io.Writer, onChange func(gateway.TargetID)) (_ *runningGateway, err error) {
	logger, err := newLogger(o.logLevel, stderr)
	if err != nil {
		return nil, err
	}
	tracing, err := openTracing(ctx, "leviathan-gateway", logger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			tracing.Close()
		}
	}()
	if err := worker.Undumpable(); err != nil {
		logger.Warn("this process can be inspected by others of the same user", "error", err)
	}
	if err := os.MkdirAll(o.state, 0o700); err != nil {
		return nil, fmt.Errorf("creating the state folder: %w", err)
	}
	if o.state, err = filepath.Abs(o.state); err != nil {
		return nil, err
	}
	targets, err := autonomy.Open(o.config, logger, time.Now)
	if err != nil {
		return nil, err
	}
	member, err := o.cluster.join(ctx, o, targets, logger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, member.leave())
		}
	}()
	loaded := collectOnce(startMemory) // after the wait for a Lease, which may be long
	defer loaded()
	j, err := journal.Open(ctx, journal.Config{Dir: o.state, Logger: logger, Now: time.Now, Warm: true, Fence: member.fence()})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.Close())
		}
	}()
	source, err := o.policies.open(logger)
	if err != nil {
		return nil, err
	}
	policy, err := server.InitialPolicy(ctx, j, logger, source != nil, func(ctx context.Context) (*engine.Snapshot, error) { return firstPolicy(ctx, source, logger) })
	if err != nil {
		return nil, err
	}
	// The token is made only once the folder is known to be ours.
	token, err := operatorToken(o.state, logger)
	if err != nil {
		return nil, err
	}
	g := &runningGateway{token: token, journal: j, targets: targets, log: logger, tracing: tracing, member: member, failed: make(chan error, 8)}
	eng := engine.New(policy)
	github, webhook, err := o.forge.open()
	if err != nil {
		return nil, err
	}
	config := server.Config{StateDir: o.state, Journal: j, Engine: eng, Targets: targets, OperatorToken: token, Logger: logger,
		OpenMetrics: o.openMetrics, OnChange: onChange, GitHub: github, GitHubWebhook: webhook, Tracer: tracing.provider}
	member.tell(&config)
	g.server, err = server.New(ctx, config)
	if err != nil {
		return nil, err
	}
	listener, err := member.listen(o.listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", o.listen, err), g.server.Close())
	}
	if err := g.server.BeginPolicy(ctx, sourceName(source)); err != nil {
		return nil, errors.Join(fmt.Errorf("journalling the policy that governs: %w", err), listener.Close(), g.server.Close())
	}
	g.serve(ctx, o, listener, onChange)
	g.follow(eng, source)
	g.consume(o.consumers)
	return g, nil
}

// serve starts what runs until Close.
func (g *runningGateway) serve(ctx context.Context, o gatewayOptions, listener net.Listener, onChange func(gateway.TargetID)) {
	scheme := "http"
	if o.tlsCert != "" {
		scheme = "https"
	}
	g.url = (&url.URL{Scheme: scheme, Host: listener.Addr().String()}).String()
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && scheme == "http" {
		g.log.Warn("listening beyond this machine without TLS: tokens and code cross the network in plain text; use --tls-cert and --tls-key, or a proxy that does")
	}
	// The gateway outlives the signal that ends its owner: it is closed last.
	ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	g.ctx = ctx
	g.http = &http.Server{Handler: g.server.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return ctx }}
	g.goRun(func() error {
		if scheme == "https" {
			return g.http.ServeTLS(listener, o.tlsCert, o.tlsKey)
		}
		return g.http.Serve(listener)
	})
	g.goRun(func() error { return g.server.Run(ctx) })
	if g.member != nil {
		g.goRun(func() error { return g.member.lost(ctx) })
	}
	g.goRun(func() error {
		return g.targets.Watch(ctx, func(id gateway.TargetID) {
			if onChange != nil {
				onChange(id)
			}
		})
	})
}

func (g *runningGateway) goRun(f func() error) {
	g.wg.Go(func() {
		if err := f(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
			g.failed <- err
		}
	})
}

// Close lets requests finish for a while, then closes everything.
func (g *runningGateway) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// Followers of the event stream never finish by themselves.
	stop := time.AfterFunc(time.Second, g.cancel)
	defer stop.Stop()
	err := g.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, g.http.Close())
	}
	g.cancel()
	g.wg.Wait()
	// The Lease is given back last: until the journal is closed, nobody else may
	// write it.
	err = errors.Join(err, g.server.Close(), g.journal.Close(), g.member.leave())
	g.tracing.Close()
	return err
}

// operatorToken is the operator's credential: from the environment, or from
// the state folder, where the first start makes one.
func operatorToken(state string, logger *slog.Logger) (string, error) {
	if token := os.Getenv("LEVIATHAN_CONTROL_PLANE_TOKEN"); token != "" {
		return token, nil
	}
	name := filepath.Join(state, "operator.token")
	data, err := os.ReadFile(name)
	if err == nil {
		if token := strings.TrimSpace(string(data)); token != "" {
			return token, nil
		}
		return "", fmt.Errorf("%s is empty; remove it to have a new token made", name)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the operator's token: %w", err)
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", fmt.Errorf("making the operator's token: %w", err)
	}
	token := "lev_operator_" + base64.RawURLEncoding.EncodeToString(secret[:])
	if err := os.WriteFile(name, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing the operator's token: %w", err)
	}
	logger.Info("made the operator's token", "file", name)
	return token, nil
}

func newLogger(level string, w io.Writer) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q is not debug, info, warn or error", level)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

func gatewayCommand() *cobra.Command {
	var o gatewayOptions
	cmd := &cobra.Command{
		Use: "gateway", GroupID: "run", Args: cobra.NoArgs,
		Short: "Run the gateway: every decision, every effect",
		Long: `Run the gateway. It prints one line, "listening on URL", when it is ready.

The operator's token is LEVIATHAN_CONTROL_PLANE_TOKEN. Without one, the first
start makes a token in the state folder's operator.token, readable by its owner
alone.

A target whose repository is on GitHub needs a credential: a GitHub App
(--github-app-id, --github-installation-id, --github-key-file), or a personal
token in GITHUB_TOKEN, which the status warns of. It goes to the host of
--github-url and to nobody else.

With --cluster it is the gateway of a Kubernetes cluster: it waits for the Lease
that lets one process write, serves /health meanwhile, and ends with an error
when it loses it. It sees the ConfigMap of the autonomy configs at once, beside
the mounted files: what either switches off is off. The tokens of the service
accounts that --service-account names are checked with the cluster's API.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			g, err := openGateway(cmd.Context(), o, cmd.ErrOrStderr(), nil)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "listening on "+g.url)
			select {
			case <-cmd.Context().Done():
				return g.Close()
			case err := <-g.failed:
				g.cut(err)
				return errors.Join(err, g.Close())
			}
		},
	}
	o.flags(cmd)
	o.cluster.flags(cmd)
	return cmd
}
