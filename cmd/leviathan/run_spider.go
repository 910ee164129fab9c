package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/spider"
)

// spiderOptions are the flags of a spider.
type spiderOptions struct {
	listen, follow, tokenFile, state string
	maxTargets                       int
	legacy                           bool
}

func spiderCommand() *cobra.Command {
	var o spiderOptions
	var logLevel string
	cmd := &cobra.Command{
		Use: "spider", GroupID: "run", Args: cobra.NoArgs,
		Short: "Count events and serve them as metrics",
		Long: `Count events and serve metrics for Prometheus at /metrics. It prints one line,
"listening on URL", when it is ready. Nothing waits for a spider, and it changes
nothing: where it is away, metrics are missing and work goes on.

With --follow it reads the gateway's events with a reader's token, each exactly
once with --state, whatever restarts, and shows limits and the switch from the
gateway's status. Without, it counts what is sent to /v1/events/ingest.

Its port asks for no token: keep it inside.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := newLogger(logLevel, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			client, err := o.client(cmd)
			if err != nil {
				return err
			}
			s, err := openSpider(cmd.Context(), o, client, logger)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "listening on "+s.url)
			select {
			case <-cmd.Context().Done():
				return s.Close()
			case err := <-s.failed:
				return errors.Join(err, s.Close())
			}
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", ":8001", "address to listen on; port 0 takes a free one")
	f.StringVar(&o.follow, "follow", "", "`URL` of the gateway whose events are followed; nothing is followed if empty")
	f.StringVar(&o.tokenFile, "token-file", "", "`PATH` of a file with a reader's token for --follow, or - for stdin (default $"+tokenVariable+")")
	f.StringVar(&o.state, "state", "", "`FILE` of cursor and counts, which outlives a restart; in memory alone if empty")
	f.IntVar(&o.maxTargets, "max-targets", spider.DefaultMaxTargets, "how many targets have a label of their own; the others are \"other\"")
	f.BoolVar(&o.legacy, "legacy-metrics", false, "serve a counter named after each event type as well, as release 0.4 did")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

// client is who is followed; nil for nobody.
func (o *spiderOptions) client(cmd *cobra.Command) (*gateway.Client, error) {
	if o.maxTargets < 1 {
		return nil, fmt.Errorf("--max-targets %d: it is at least 1", o.maxTargets)
	}
	if o.follow == "" {
		if o.tokenFile != "" {
			return nil, errors.New("--token-file is for --follow: name the gateway's URL, or leave both out")
		}
		return nil, nil
	}
	token := strings.TrimSpace(os.Getenv(tokenVariable))
	var options gateway.ClientOptions
	if o.tokenFile != "" {
		var err error
		if token, err = readToken(o.tokenFile, cmd.InOrStdin()); err != nil {
			return nil, err
		}
		if o.tokenFile != "-" {
			options.HTTPClient = &http.Client{Transport: tokenOfFile{o.tokenFile, http.DefaultTransport}}
		}
	}
	if token == "" {
		return nil, fmt.Errorf("--follow needs a reader's token: name its file with --token-file (leviathan token create --role reader), or set %s", tokenVariable)
	}
	client, err := gateway.NewClient(o.follow, token, options)
	if err != nil {
		return nil, fmt.Errorf("--follow: %w", err)
	}
	return client, nil
}

// tokenOfFile sends with each request the token that the file has then: in a
// cluster it is replaced every hour or sooner, and a spider runs for months.
type tokenOfFile struct {
	file string
	next http.RoundTripper
}

func (t tokenOfFile) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := readToken(t.file, nil)
	if err != nil {
		if req.Body != nil {
			err = errors.Join(err, req.Body.Close())
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

// A runningSpider is a spider that serves. Close ends it.
type runningSpider struct {
	url    string
	failed chan error
	ended  chan struct{} // closed by Close

	spider *spider.Spider
	http   *http.Server
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// openSpider starts a spider that follows client, or nobody if that is nil. It
// outlives ctx: whoever started it closes it.
func openSpider(ctx context.Context, o spiderOptions, client *gateway.Client, logger *slog.Logger) (*runningSpider, error) {
	s, err := spider.New(spider.Config{Client: client, StateFile: o.state, MaxTargets: o.maxTargets, LegacyMetrics: o.legacy, Logger: logger})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on %s: %w", o.listen, err), s.Close())
	}
	r := &runningSpider{url: "http://" + listener.Addr().String(), failed: make(chan error, 2), ended: make(chan struct{}), spider: s}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.http = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug)}
	r.wg.Go(func() {
		if err := r.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			r.failed <- err
		}
	})
	r.wg.Go(func() {
		if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
			r.failed <- err
		}
	})
	return r, nil
}

// complain logs what made the spider end, until Close: where it runs beside
// others, they go on without it.
func (r *runningSpider) complain(logger *slog.Logger) {
	for {
		select {
		case err := <-r.failed:
			logger.Error("the spider ended: no metrics are served", "error", err)
		case <-r.ended:
			return
		}
	}
}

// Close lets requests finish for a while, then ends everything.
func (r *runningSpider) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := r.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, r.http.Close())
	}
	r.cancel()
	r.wg.Wait()
	close(r.ended)
	return errors.Join(err, r.spider.Close())
}
