package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"leviathan/gateway"
)

// A credential is what the gateway shows to GitHub.
type credential interface {
	// token is for the API and for git.
	token(ctx context.Context) (string, error)
	// identify is the token by which an App asks for one.
	identify() (string, error)
	// forget gives up a token that GitHub refused; it reports whether there
	// may be another.
	forget(token string) bool
	// remedy says what to do when GitHub accepts no token.
	remedy() string
}

// personal is a personal access token.
type personal struct{ secret Secret }

func (p personal) token(context.Context) (string, error) { return p.secret.text(), nil }
func (p personal) forget(string) bool                    { return false }
func (p personal) remedy() string {
	return "the personal token is wrong, revoked or at its end; make a new one and start the gateway with it"
}

func (p personal) identify() (string, error) {
	return "", gateway.Errorf(gateway.InternalError, "a personal token is no App")
}

// A GitHubApp is an installation of a GitHub App, the credential to prefer: its
// tokens are for one repository, have three permissions and end in an hour.
type GitHubApp struct {
	// ID is the App's number, InstallationID that of its installation on the
	// repository's owner.
	ID, InstallationID int64
	// KeyFile has the App's private key (PEM, RSA, at least 2048 bits). It is
	// read again for each new token, so that it can be replaced.
	KeyFile string
}

// granted are the permissions that are asked for, never more.
var granted = map[string]string{"contents": "write", "pull_requests": "write", "checks": "write"}

const (
	early    = 5 * time.Minute // before its end a token is replaced
	identity = 9 * time.Minute // how long an App's own token holds; GitHub allows 10
	skew     = time.Minute     // by which clocks may differ
)

// installation makes and keeps the tokens of a GitHubApp, in memory only.
type installation struct {
	app  GitHubApp
	repo string
	now  func() time.Time
	ask  func(ctx context.Context, in, out any) error

	mu      sync.Mutex
	current Secret
	ends    time.Time
	extra   []string      // permissions beyond those asked for
	flight  chan struct{} // closed when the request under way has ended
}

func (i *installation) remedy() string {
	return "the App's key, its id or the installation's id is wrong, or the installation was removed; or this machine's clock is off"
}

func (i *installation) forget(token string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current.text() == token {
		i.current, i.ends = Secret{}, time.Time{}
	}
	return true
}

// token is the current one, or a new one when that is near its end. However
// many ask at once, GitHub is asked once.
func (i *installation) token(ctx context.Context) (string, error) {
	for {
		i.mu.Lock()
		left := i.ends.Sub(i.now())
		if left > early {
			defer i.mu.Unlock()
			return i.current.text(), nil
		}
		if i.flight == nil {
			i.flight = make(chan struct{})
			i.mu.Unlock()
			return i.renew(ctx, left > skew)
		}
		under := i.flight
		i.mu.Unlock()
		select {
		case <-under: // by another, perhaps in vain
		case <-ctx.Done():
			return "", &gateway.Error{Kind: gateway.Unknown, Code: CodeUnreachable, Detail: "waiting for a token of the GitHub App: " + ctx.Err().Error(), Err: ctx.Err()}
		}
	}
}

// renew asks for a token. As long as the old one holds, a failure is none.
func (i *installation) renew(ctx context.Context, holds bool) (string, error) {
	token, ends, extra, err := i.request(ctx)
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.flight)
	i.flight = nil
	switch {
	case err == nil:
		i.current, i.ends, i.extra = NewSecret(token), ends, extra
		return token, nil
	case holds && !i.current.Empty():
		return i.current.text(), nil
	}
	return "", err
}

func (i *installation) request(ctx context.Context) (token string, ends time.Time, extra []string, err error) {
	in := map[string]any{"repositories": []string{i.repo}, "permissions": granted}
	var out struct {
		Token       string            `json:"token"`
		ExpiresAt   time.Time         `json:"expires_at"`
		Permissions map[string]string `json:"permissions"`
	}
	if err := i.ask(ctx, in, &out); err != nil {
		switch status(err) {
		case http.StatusNotFound, http.StatusUnprocessableEntity:
			return "", ends, nil, &gateway.Error{Kind: gateway.Unknown, Code: CodeCredential, Err: err, Detail: fmt.Sprintf(
				"installation %d of App %d gives no token for %s (%v): check the ids, install the App on the repository, and grant it contents, pull requests and checks: write", i.app.InstallationID, i.app.ID, i.repo, err)}
		}
		return "", ends, nil, err
	}
	if out.Token == "" || !oneLine(out.Token) || !out.ExpiresAt.After(i.now()) {
		return "", ends, nil, gateway.Errorf(gateway.Unknown, "GitHub gave a token of the App that has no text or is at its end; is this machine's clock right?")
	}
	for name, level := range out.Permissions {
		if granted[name] == "" && !(name == "metadata" && level == "read") {
			extra = append(extra, name+": "+level)
		}
	}
	slices.Sort(extra)
	return out.Token, out.ExpiresAt, extra, nil
}

// identify is a JSON Web Token (RFC 7519), signed by the App's key.
func (i *installation) identify() (string, error) {
	key, err := readKey(i.app.KeyFile)
	if err != nil {
		return "", err
	}
	now := i.now()
	claims, err := jwt.NewBuilder().Issuer(strconv.FormatInt(i.app.ID, 10)).IssuedAt(now.Add(-skew)).Expiration(now.Add(identity)).Build()
	if err != nil {
		return "", fmt.Errorf("building the App's token: %w", err)
	}
	signed, err := jwt.Sign(claims, jwt.WithKey(jwa.RS256(), key))
	if err != nil {
		return "", fmt.Errorf("signing the App's token: %w", err)
	}
	return string(signed), nil
}

// readKey reads an App's key. No error has anything of it.
func readKey(name string) (jwk.Key, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, &gateway.Error{Kind: gateway.Invalid, Code: CodeCredential, Detail: "reading the GitHub App's key: " + err.Error(), Err: err}
	}
	key, err := jwk.ParseKey(pem, jwk.WithPEM(true))
	if err == nil {
		if rsa, ok := key.(jwk.RSAPrivateKey); !ok {
			err = errors.New("no RSA key")
		} else if n, ok := rsa.N(); !ok || len(n) < 2048/8 {
			err = errors.New("too short")
		}
	}
	if err != nil {
		return nil, &gateway.Error{Kind: gateway.Invalid, Code: CodeCredential, Detail: name + " is not the private key (PEM, RSA, at least 2048 bits) that GitHub made for the App"}
	}
	return key, nil
}
