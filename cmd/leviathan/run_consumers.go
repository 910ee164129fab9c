package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"leviathan/gateway/replay"
	"leviathan/gateway/server"
)

// consumerOptions say who else gets what the gateway records. Consumers read
// the journal: one that is away delays nobody.
type consumerOptions struct {
	decisionLog, decisionLogToken, spider string
}

func (o *consumerOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.decisionLog, "decision-log-url", "", "`URL` of a receiver of OPA decision logs, which gets every decision at least once")
	f.StringVar(&o.decisionLogToken, "decision-log-token-file", "", "`FILE` with the token for that receiver")
	f.StringVar(&o.spider, "spider-url", "", "`URL` of a spider that gets every event, as far as it keeps up")
}

// check refuses what can never work. In a cluster, a spider that is one of its
// Services is reached as everything there is.
func (o *consumerOptions) check(inCluster bool) error {
	if o.decisionLogToken != "" && o.decisionLog == "" {
		return errors.New("--decision-log-token-file is for --decision-log-url")
	}
	if o.decisionLogToken != "" {
		if _, err := readTokenFile(o.decisionLogToken); err != nil {
			return err
		}
	}
	for flag, url := range map[string]string{"--decision-log-url": o.decisionLog, "--spider-url": o.spider} {
		if url == "" || flag == "--spider-url" && inCluster && service(url) {
			continue
		}
		if err := outside(flag, url); err != nil {
			return err
		}
	}
	return nil
}

// consume starts the consumers; they end with the gateway.
func (g *runningGateway) consume(o consumerOptions) {
	if o.decisionLog != "" {
		f := &replay.Forwarder{Journal: g.journal, URL: o.decisionLog, Client: stayingClient(), Logger: g.log}
		if o.decisionLogToken != "" {
			f.Token = func() (string, error) { return readTokenFile(o.decisionLogToken) }
		}
		g.goRun(func() error { return f.Run(g.ctx) })
	}
	if o.spider != "" {
		g.goRun(func() error {
			f, err := server.NewForwarder(server.ForwardConfig{Journal: g.journal, URL: o.spider, Logger: g.log}, g.server.Registry())
			if err != nil {
				return fmt.Errorf("forwarding events to --spider-url: %w", err)
			}
			return f.Run(g.ctx)
		})
	}
}

// outside checks a URL that secrets and code go to: https, or http that does
// not leave this machine; and nothing secret in it.
func outside(flag, raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%s %q is no URL", flag, raw)
	case u.User != nil:
		return fmt.Errorf("%s holds a password; put it into a file", flag)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s %s: what the gateway records leaves this machine by https alone", flag, raw)
}

// service reports whether a URL names a Service of the cluster that a process
// runs in, which no name outside of it looks like: one label, or *.svc.
func service(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.User != nil {
		return false
	}
	host := strings.TrimSuffix(u.Hostname(), ".cluster.local")
	return host != "" && !strings.ContainsAny(host, ".:") || strings.HasSuffix(host, ".svc")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// stayingClient follows no redirect: what is sent was meant for one host.
func stayingClient() *http.Client {
	return &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("the receiver redirects; name its own URL")
	}}
}
