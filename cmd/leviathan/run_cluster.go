package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/autonomy"
	"leviathan/gateway/cluster"
	"leviathan/gateway/journal"
	"leviathan/gateway/server"
)

// clusterGateway are the flags of a gateway in a Kubernetes cluster.
type clusterGateway struct {
	on                                     bool
	kubeconfig, lease, configMap, audience string
	accounts                               []string
	given                                  func(string) bool
}

func (o *clusterGateway) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "cluster", false, "be the gateway of the Kubernetes cluster that this process runs in")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "`FILE` that names a Kubernetes API other than that of the cluster this runs in (with --cluster)")
	f.StringVar(&o.lease, "cluster-lease", "leviathan-control-plane", "`NAME` of the Lease whose holder alone writes; it must exist (with --cluster)")
	f.StringVar(&o.configMap, "cluster-config-map", "leviathan-autonomy-config", "`NAME` of the ConfigMap that is mounted at --config, seen at once; empty for none (with --cluster)")
	f.StringVar(&o.audience, "cluster-audience", "leviathan", "for whom the tokens of service accounts must be made (with --service-account)")
	f.StringArrayVar(&o.accounts, "service-account", nil, "a service account and its role, `NAMESPACE/NAME=ROLE[@TARGET]`; may be repeated (with --cluster)")
	o.given = f.Changed
}

// check finds what is wrong before anything is opened.
func (o *clusterGateway) check() error {
	if !o.on {
		for _, name := range []string{"kubeconfig", "cluster-lease", "cluster-config-map", "cluster-audience", "service-account"} {
			if o.given != nil && o.given(name) {
				return fmt.Errorf("--%s needs --cluster", name)
			}
		}
		return nil
	}
	if o.lease == "" {
		return errors.New("--cluster-lease is empty; without a Lease two gateways could write one journal")
	}
	if o.audience == "" && len(o.accounts) > 0 {
		return errors.New("--cluster-audience is empty; a token that is made for anybody is not good here")
	}
	_, err := o.named()
	return err
}

// named are the service accounts of the flags.
func (o *clusterGateway) named() ([]cluster.Account, error) {
	accounts := make([]cluster.Account, 0, len(o.accounts))
	for _, text := range o.accounts {
		account, err := cluster.ParseAccount(text)
		if err != nil {
			return nil, fmt.Errorf("--service-account: %w", err)
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

// A clusterMember is what a gateway has of its cluster. Its methods do nothing
// on a nil one, which is a gateway outside.
type clusterMember struct {
	lease    *cluster.Lease
	reviewer *cluster.Reviewer
	waiting  *waitingRoom
	failed   chan error // of Keep: the Lease is lost

	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

// join waits for the Lease, and follows the ConfigMap from then on. While it
// waits, liveness is answered and readiness refused.
func (o *clusterGateway) join(ctx context.Context, g gatewayOptions, targets *autonomy.Set, logger *slog.Logger) (_ *clusterMember, err error) {
	if !o.on {
		return nil, nil
	}
	api, err := cluster.Connect(o.kubeconfig, logger)
	if err != nil {
		return nil, err
	}
	m := &clusterMember{failed: make(chan error, 1)}
	if accounts, err := o.named(); err != nil {
		return nil, err
	} else if len(accounts) > 0 {
		if m.reviewer, err = api.Reviewer(cluster.ReviewerConfig{Audience: o.audience, Accounts: accounts}); err != nil {
			return nil, err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("finding the name to hold the Lease by: %w", err)
	}
	m.lease, err = api.Lease(cluster.LeaseConfig{Name: o.lease, Holder: host + "/" + ulid.Make().String(),
		Floor: func(ctx context.Context) (int64, error) { return journal.LastEpoch(ctx, g.state) }})
	if err != nil {
		return nil, err
	}
	if m.waiting, err = openWaitingRoom(g); err != nil {
		return nil, err
	}
	if err := m.lease.Acquire(ctx); err != nil {
		return nil, errors.Join(err, m.waiting.close())
	}
	// It outlives the signal that ends its owner: the Lease is held until the
	// journal is closed.
	var alive context.Context
	alive, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.wg.Go(func() {
		if err := m.lease.Keep(alive); err != nil {
			m.failed <- err
		}
	})
	if o.configMap != "" {
		m.follow(alive, api, o.configMap, targets, logger)
	}
	return m, nil
}

// follow sees the ConfigMap once, so that nothing is decided before, and then
// each change. A ConfigMap that cannot be seen is a problem in the status.
func (m *clusterMember) follow(ctx context.Context, api *cluster.API, name string, targets *autonomy.Set, logger *slog.Logger) {
	var second *cluster.ConfigMap
	second = api.ConfigMap(name, time.Now, func(v cluster.View) {
		targets.Observe(autonomy.Second{Source: second.Source(), Known: v.Known, Files: v.Files, ObservedAt: v.At, Problem: v.Problem})
	})
	if err := second.Look(ctx); err != nil {
		logger.Warn("the ConfigMap cannot be seen: a switch acts only when the mounted file shows it", "error", err)
	}
	m.wg.Go(func() {
		if err := second.Follow(ctx); err != nil {
			logger.Error("following the ConfigMap", "error", err)
		}
	})
}

// fence is what the journal asks before every COMMIT.
func (m *clusterMember) fence() journal.Fence {
	if m == nil {
		return journal.Fence{}
	}
	return journal.Fence{Epoch: m.lease.Epoch(), Held: m.lease.Held}
}

// tell completes how the server is made.
func (m *clusterMember) tell(c *server.Config) {
	if m == nil {
		return
	}
	c.Writer = m.lease
	if m.reviewer != nil {
		c.Reviewer = m.reviewer
	}
}

// listen opens the address, on which the waiting room may have been.
func (m *clusterMember) listen(address string) (net.Listener, error) {
	if m == nil {
		return net.Listen("tcp", address)
	}
	if err := m.waiting.close(); err != nil {
		return nil, err
	}
	return net.Listen("tcp", m.waiting.address)
}

// lost waits for the loss of the Lease, which it returns, or for ctx.
func (m *clusterMember) lost(ctx context.Context) error {
	select {
	case err := <-m.failed:
		return &lostLease{err}
	case <-ctx.Done():
		return nil
	}
}

// lostLease says that this process may not write any more.
type lostLease struct{ error }

func (e *lostLease) Unwrap() error { return e.error }

// leave gives the Lease back. Nothing may be written any more.
func (m *clusterMember) leave() error {
	if m == nil {
		return nil
	}
	m.once.Do(func() {
		m.cancel()
		m.wg.Wait()
		m.err = errors.Join(m.waiting.close(), m.lease.Release(context.Background()))
	})
	return m.err
}

// cut ends everything under way at once when the Lease is lost: another may be
// the writer already, and nobody is waited for.
func (g *runningGateway) cut(err error) {
	var lost *lostLease
	if errors.As(err, &lost) {
		g.log.Error("the Lease is lost: this gateway ends", "error", err)
		g.cancel()
	}
}

// A waitingRoom answers for a gateway that waits for its Lease.
type waitingRoom struct {
	address string
	http    *http.Server
	served  chan error
	once    sync.Once
	err     error
}

func openWaitingRoom(o gatewayOptions) (*waitingRoom, error) {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.listen, err)
	}
	w := &waitingRoom{address: listener.Addr().String(), http: &http.Server{Handler: http.HandlerFunc(wait), ReadHeaderTimeout: 10 * time.Second}, served: make(chan error, 1)}
	w.http.SetKeepAlivesEnabled(false)
	go func() {
		if o.tlsCert != "" {
			w.served <- w.http.ServeTLS(listener, o.tlsCert, o.tlsKey)
			return
		}
		w.served <- w.http.Serve(listener)
	}()
	return w, nil
}

// wait answers what a gateway answers that lives and is not ready.
func wait(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/health":
		fmt.Fprintf(w, `{"status":"healthy","service":"control-plane","version":%q}`+"\n", gateway.Version)
	case "/healthz":
		fmt.Fprintln(w, `{"status":"ok"}`)
	default:
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, `{"status":"lease"}`)
	}
}

// close ends it, so that the gateway can listen on its address.
func (w *waitingRoom) close() error {
	w.once.Do(func() {
		w.err = w.http.Close()
		if err := <-w.served; !errors.Is(err, http.ErrServerClosed) {
			w.err = errors.Join(w.err, err)
		}
	})
	return w.err
}
