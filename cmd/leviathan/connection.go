package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// Where the commands look when no flag says.
const (
	gatewayVariable = "LEVIATHAN_GATEWAY"
	tokenVariable   = "LEVIATHAN_CONTROL_PLANE_TOKEN"
	defaultGateway  = "http://127.0.0.1:8000"
	tokenFileName   = "operator.token"
	maxToken        = 16 << 10
)

// A connection is how a command reaches the gateway: the flags, and what they
// leave to the environment.
type connection struct {
	operator
	url, tokenFile, state string
	stateFlag             string // the name of the flag that fills state
	config                string // only of commands that look
}

// connectionMark is the annotation of a connection's flags: it tells them from
// flags of the same name that mean another thing.
const connectionMark = "leviathan_connection"

// connect adds the flags of a connection to a command.
func (o operator) connect(cmd *cobra.Command) *connection { return o.connectAs(cmd, "state") }

// connectAs is connect for a command where --state means another thing.
func (o operator) connectAs(cmd *cobra.Command, stateFlag string) *connection {
	c := &connection{operator: o, stateFlag: stateFlag}
	cmd.Flags().StringVar(&c.url, "gateway", "", "the gateway's `URL` (default $"+gatewayVariable+", or "+defaultGateway+")")
	cmd.Flags().StringVar(&c.tokenFile, "token-file", "", "`PATH` of a file that holds the token, or - for stdin (default $"+tokenVariable+")")
	cmd.Flags().StringVar(&c.state, stateFlag, "", "the gateway's state `DIR`, whose "+tokenFileName+" is used when there is no other token")
	for _, name := range []string{"gateway", "token-file", stateFlag} {
		cmd.Flags().Lookup(name).Annotations = map[string][]string{connectionMark: {"true"}}
	}
	return c
}

// address is the gateway's URL, and where it came from. The URL may hold what
// it must not, so no message shows it before a client has taken it.
func (c *connection) address() (url, from string) {
	if c.url != "" {
		return c.url, "--gateway"
	}
	if url := c.getenv(gatewayVariable); url != "" {
		return url, "$" + gatewayVariable
	}
	return defaultGateway, "the default"
}

// errNoToken says that there is no token; noToken adds what to do.
var errNoToken = errors.New("no token")

func (c *connection) noToken() error {
	return fmt.Errorf("%w: name a file with --token-file, set %s, or name the gateway's state folder with --%s (its %s is the operator's)",
		errNoToken, tokenVariable, c.stateFlag, tokenFileName)
}

// findToken finds the token, and says where, for the message when the gateway
// refuses it.
func (c *connection) findToken(stdin io.Reader) (token, from string, err error) {
	switch {
	case c.tokenFile == "-":
		token, err = tokenFrom(stdin, "stdin")
		return token, "stdin", err
	case c.tokenFile != "":
		token, err = readTokenFile(c.tokenFile)
		return token, c.tokenFile, err
	case c.getenv(tokenVariable) != "":
		return strings.TrimSpace(c.getenv(tokenVariable)), "$" + tokenVariable, nil
	case c.state != "":
		name := filepath.Join(c.state, tokenFileName)
		token, err = readTokenFile(name)
		return token, name, err
	}
	return "", "", c.noToken()
}

func readTokenFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	defer f.Close()
	return tokenFrom(f, name)
}

func tokenFrom(r io.Reader, name string) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("reading the token from %s: %w", name, err)
	}
	token := strings.TrimSpace(string(data))
	switch {
	case token == "":
		return "", fmt.Errorf("reading the token: %s is empty", name)
	case len(data) > maxToken:
		return "", fmt.Errorf("reading the token: %s is longer than any token", name)
	}
	return token, nil
}

// A session is a client with what its errors need to be of help.
type session struct {
	*gateway.Client
	source string // where the token came from
	where  string // what is asked, for people
	close  func() error
}

// end closes what open opened; that it failed is said and changes no answer.
func (s *session) end(cmd *cobra.Command) {
	if s.close == nil {
		return
	}
	if err := s.close(); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "leviathan: closing the state folder: "+err.Error())
	}
}

// open makes the client of an operator's command. Nothing is sent. Commands
// that look must call end.
func (c *connection) open(cmd *cobra.Command) (*session, error) {
	if c.config != "" {
		return c.openHere(cmd)
	}
	// A person waits: a gateway that is away is said to be so within a second.
	return c.openWith(cmd, gateway.ClientOptions{MaxTries: 3})
}

func (c *connection) openWith(cmd *cobra.Command, options gateway.ClientOptions) (*session, error) {
	token, from, err := c.findToken(cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	url, named := c.address()
	client, err := gateway.NewClient(url, token, options)
	if err != nil {
		return nil, fmt.Errorf("gateway from %s, token from %s: %w", named, from, err)
	}
	return &session{Client: client, source: from, where: client.URL()}, nil
}

// clientFlags adds the flags of a connection to a component's command.
func clientFlags(cmd *cobra.Command) { operatorHere().connect(cmd) }

// newClient makes the client that clientFlags ask for, with the patience of a
// component; by its own client of HTTP if that is not nil.
func newClient(cmd *cobra.Command, by *http.Client) (*gateway.Client, error) {
	value := func(name string) string { return cmd.Flags().Lookup(name).Value.String() }
	c := connection{operator: operatorHere(), url: value("gateway"), tokenFile: value("token-file"), state: value("state"), stateFlag: "state"}
	s, err := c.openWith(cmd, gateway.ClientOptions{HTTPClient: by})
	if err != nil {
		return nil, err
	}
	return s.Client, nil
}

// A refusal is an error of the gateway, told to a person: what was asked,
// why it was refused, and what to do. It holds nothing that a terminal obeys.
type refusal struct {
	text string
	err  error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.err }

// explain says what went wrong when the gateway was asked to do something.
func (s *session) explain(ctx context.Context, doing string, err error) error {
	var e *gateway.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted}
	case !errors.As(err, &e):
		return fmt.Errorf("%s: %w", doing, err)
	}
	var b strings.Builder
	detail := e.Detail
	if detail == "" {
		detail = e.Kind.Title()
	}
	fmt.Fprintf(&b, "%s: %s", doing, printable(detail))
	if e.Field != "" {
		fmt.Fprintf(&b, " (field %s)", printable(e.Field))
	}
	if len(e.Reasons) > 0 {
		b.WriteByte('\n')
		writeReasons(&b, "  ", e.Reasons)
	}
	if e.DecisionID != "" {
		id := printable(string(e.DecisionID))
		fmt.Fprintf(&b, "\n  decision %s; see: leviathan decisions show %s", id, id)
	}
	switch {
	case e.Kind == gateway.Unauthenticated:
		fmt.Fprintf(&b, "\n  the token came from %s; the gateway is %s", s.source, s.URL())
	case e.Kind == gateway.Unknown && e.Err != nil:
		fmt.Fprintf(&b, "\n  the gateway was looked for at %s; start one with `leviathan up` or `leviathan gateway`, or name another with --gateway or $%s",
			s.URL(), gatewayVariable)
	case e.RetryAfter > 0:
		fmt.Fprintf(&b, "\n  try again in %s", span(e.RetryAfter))
	}
	return &refusal{text: strings.ReplaceAll(b.String(), "\n\n", "\n"), err: err}
}

// target is the target that a command is about: the one that was named, or
// the only one that the gateway has.
func (s *session) target(ctx context.Context, given string) (gateway.TargetID, error) {
	if given != "" {
		id := gateway.TargetID(given)
		if !id.Valid() {
			return "", fmt.Errorf("--target %q is not the id of a target", given)
		}
		return id, nil
	}
	st, err := s.Status(ctx)
	if err != nil {
		return "", s.explain(ctx, "finding the target", err)
	}
	var ids []string
	for _, t := range st.Targets {
		if t.Target != "" {
			ids = append(ids, printable(string(t.Target)))
		}
	}
	switch len(ids) {
	case 0:
		return "", errors.New("the gateway has no target; give it a config, and check that with `leviathan config lint`")
	case 1:
		return gateway.TargetID(ids[0]), nil
	}
	return "", fmt.Errorf("the gateway has several targets; choose one with --target: %s", strings.Join(ids, ", "))
}
