package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"leviathan/gateway"
)

const (
	issuer = "leviathan"
	// rotateAfter is the age at which a start of the gateway makes a new
	// attempt key; retireAfter is when an old one stops verifying. The longest
	// attempt token lives two days, so the overlap is ample.
	rotateAfter = 30 * 24 * time.Hour
	retireAfter = 37 * 24 * time.Hour
)

// A keyring signs and verifies the tokens of attempts. The newest key signs;
// all that are younger than retireAfter verify. It is read-only after open.
type keyring struct {
	signing jwk.Key
	public  jwk.Set
	now     func() time.Time
}

// openKeyring reads DIR/attempt-*.pem (PKCS #8, mode 0600), drops what is
// retired and makes a new key when there is none or the newest is old.
func openKeyring(dir string, now func() time.Time) (*keyring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the key folder: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "attempt-*.pem"))
	if err != nil {
		return nil, fmt.Errorf("listing attempt keys: %w", err)
	}
	slices.Sort(names) // the name carries the time of creation
	k := &keyring{public: jwk.NewSet(), now: now}
	newest := time.Time{}
	for _, name := range names {
		made, err := time.Parse("20060102T150405Z", strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "attempt-"), ".pem"))
		if err != nil {
			return nil, fmt.Errorf("attempt key %s: the name carries no time: %w", name, err)
		}
		if now().Sub(made) > retireAfter {
			if err := os.Remove(name); err != nil {
				return nil, fmt.Errorf("retiring an attempt key: %w", err)
			}
			continue
		}
		if err := k.load(name); err != nil {
			return nil, err
		}
		newest = made
	}
	if now().Sub(newest) > rotateAfter {
		name := filepath.Join(dir, "attempt-"+now().UTC().Format("20060102T150405Z")+".pem")
		if err := writeKey(name); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := k.load(name); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// writeKey creates a new Ed25519 key in a file that must not exist.
func writeKey(name string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("generating an attempt key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("encoding an attempt key: %w", err)
	}
	return writeSecret(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// writeSecret creates a file of mode 0600, durably; it fails if name exists.
func writeSecret(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("creating a secret: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing secret %s: %w", name, errors.Join(err, os.Remove(name)))
	}
	return nil
}

// load adds the key in the file; the last one loaded signs.
func (k *keyring) load(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading an attempt key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return fmt.Errorf("attempt key %s is not PEM; remove it and start again", name)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("attempt key %s: %w", name, err)
	}
	key, err := jwk.Import(private)
	if err != nil {
		return fmt.Errorf("attempt key %s: %w", name, err)
	}
	thumb := sha256.Sum256([]byte(filepath.Base(name)))
	err = errors.Join(key.Set(jwk.KeyIDKey, hex.EncodeToString(thumb[:8])), key.Set(jwk.AlgorithmKey, jwa.EdDSA()), key.Set(jwk.KeyUsageKey, "sig"))
	if err != nil {
		return fmt.Errorf("attempt key %s: %w", name, err)
	}
	public, err := key.PublicKey()
	if err != nil {
		return fmt.Errorf("attempt key %s: %w", name, err)
	}
	k.signing = key
	return k.public.AddKey(public)
}

// attemptClaims is what an attempt's token binds.
type attemptClaims struct {
	Attempt    gateway.AttemptID
	Target     gateway.TargetID
	TaskDigest string
	Base       gateway.OID
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// sign makes the token of an attempt. Ed25519 and sorted claims make it the
// same text each time, so a lost reply costs nothing.
func (k *keyring) sign(c attemptClaims) (string, error) {
	token, err := jwt.NewBuilder().Issuer(issuer).Audience([]string{issuer}).Subject(string(c.Attempt)).
		IssuedAt(c.IssuedAt).Expiration(c.ExpiresAt).
		Claim("target", string(c.Target)).Claim("task_digest", c.TaskDigest).
		Claim("base_commit", string(c.Base)).Claim("branch", c.Attempt.Branch()).Build()
	if err != nil {
		return "", fmt.Errorf("building the token of attempt %s: %w", c.Attempt, err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(jwa.EdDSA(), k.signing))
	if err != nil {
		return "", fmt.Errorf("signing the token of attempt %s: %w", c.Attempt, err)
	}
	return string(signed), nil
}

// verify reads an attempt's token. It says nothing about the attempt's state:
// the token is an identity, not a lease. Nor does it look at the time of issue:
// a wall clock that went backwards makes no live attempt a stranger.
func (k *keyring) verify(token string) (attemptClaims, error) {
	parsed, err := jwt.Parse([]byte(token), jwt.WithKeySet(k.public, jws.WithRequireKid(true)), jwt.WithValidate(true),
		jwt.WithResetValidators(true), jwt.WithValidator(jwt.IsExpirationValid()),
		jwt.WithIssuer(issuer), jwt.WithAudience(issuer), jwt.WithClock(jwt.ClockFunc(k.now)), jwt.WithAcceptableSkew(2*time.Second))
	if err != nil {
		return attemptClaims{}, fmt.Errorf("verifying an attempt's token: %w", err)
	}
	subject, _ := parsed.Subject()
	c := attemptClaims{Attempt: gateway.AttemptID(subject)}
	var target, base string
	err = errors.Join(parsed.Get("target", &target), parsed.Get("task_digest", &c.TaskDigest), parsed.Get("base_commit", &base))
	if err != nil || !c.Attempt.Valid() {
		return attemptClaims{}, fmt.Errorf("an attempt's token lacks a claim: %w", errors.Join(err, errors.New("subject "+subject)))
	}
	c.Target, c.Base = gateway.TargetID(target), gateway.OID(base)
	return c, nil
}

// newSecret is a token that a person or a component keeps: 256 random bits.
func newSecret(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// hashSecret is how a token is stored and compared.
func hashSecret(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
