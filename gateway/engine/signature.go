package engine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"leviathan/gateway"
)

// signatureFile is where builders put the signature.
const signatureFile = ".signatures.json"

// ownPlugin is what OPA's builders call their own way to sign.
const ownPlugin = "_default"

// leastRSA is the shortest RSA key, in bits, that is taken.
const leastRSA = 2048

// A Key is a public key that bundles are signed for. The zero Key verifies
// nothing.
type Key struct{ pem, algorithm string }

// Algorithm is RS256 or ES256: the one algorithm that the key is good for,
// whatever a signature says of itself.
func (k Key) Algorithm() string { return k.algorithm }

// ParseKey reads one public key in PEM: RSA of at least 2048 bits, or ECDSA on
// P-256, as PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE. A private key is
// refused: whoever verifies has no need of it.
func ParseKey(text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return Key{}, errors.New("read public key: there is no PEM block")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("read public key: something follows the first PEM block; give one key in each file")
	}
	public, err := publicKey(block)
	if err != nil {
		return Key{}, fmt.Errorf("read public key: %w", err)
	}
	k := Key{pem: string(pem.EncodeToMemory(block))}
	switch public := public.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < leastRSA {
			return Key{}, fmt.Errorf("read public key: an RSA key of %d bits is too short; use at least %d", public.N.BitLen(), leastRSA)
		}
		k.algorithm = "RS256"
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return Key{}, fmt.Errorf("read public key: the curve %s is not supported; use P-256", public.Curve.Params().Name)
		}
		k.algorithm = "ES256"
	default:
		return Key{}, fmt.Errorf("read public key: %T is not supported; use RSA or ECDSA on P-256", public)
	}
	return k, nil
}

func publicKey(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	default:
		return nil, fmt.Errorf("a PEM block %q is not a public key", block.Type)
	}
}

// verify holds the content to its signature, and says what it found.
func (c content) verify(opts Options) (string, error) {
	const file = signatureFile
	switch {
	case c.signature == nil && opts.RequireSignature:
		return "", refuse(StepRead, file, nil, "the bundle is not signed; sign it with opa build --signing-key or opa sign")
	case c.signature == nil:
		return "not signed", nil
	case len(opts.Keys) == 0 && opts.RequireSignature:
		return "", refuse(StepRead, file, nil, "the bundle is signed, and no key is given to verify it with")
	case len(opts.Keys) == 0:
		return "warning: the signature was NOT verified, because no key is given", nil
	}
	var config bundle.SignaturesConfig
	if err := json.Unmarshal(c.signature, &config); err != nil {
		return "", refuse(StepRead, file, err, "read the signature: %v", err)
	}
	// A plugin would choose who verifies; the bundle does not.
	if config.Plugin != "" && config.Plugin != ownPlugin {
		return "", refuse(StepRead, file, nil, "the signature asks for the plugin %q; only OPA's own signatures are verified", config.Plugin)
	}
	if len(config.Signatures) != 1 {
		return "", refuse(StepRead, file, nil, "there are %d signatures, and not one", len(config.Signatures))
	}
	signed, key, err := opts.verifyToken(config)
	if err != nil {
		return "", refuse(StepRead, file, err, "the signature does not hold: %v", err)
	}
	if err := c.compare(signed); err != nil {
		return "", err
	}
	return "signature verified with " + key.algorithm, nil
}

// verifyToken finds the key that the signature was made for, and the files
// that are signed.
func (o Options) verifyToken(config bundle.SignaturesConfig) (map[string]bundle.FileInfo, Key, error) {
	algorithm, ids, err := readToken(config.Signatures[0])
	if err != nil {
		return nil, Key{}, err
	}
	if o.KeyID != "" && !slices.Contains(ids, o.KeyID) {
		return nil, Key{}, fmt.Errorf("it is for the key %q; the key %q is asked for", strings.Join(ids, ", "), o.KeyID)
	}
	failure := fmt.Errorf("its algorithm is %q, and no key is given for it", algorithm)
	for _, key := range o.Keys {
		if key.algorithm == "" || key.algorithm != algorithm {
			continue
		}
		// The key is chosen here: what the signature says about it was checked above.
		const id = "key"
		keys := map[string]*bundle.KeyConfig{id: {Key: key.pem, Algorithm: key.algorithm}}
		files, err := bundle.VerifyBundleSignature(config, bundle.NewVerificationConfig(keys, id, o.Scope, nil))
		if err == nil {
			return files, key, nil
		}
		failure = err
	}
	return nil, Key{}, failure
}

// readToken reads what a signature says of itself: the algorithm, and the
// names of its key. Nothing of it is to be trusted.
func readToken(token string) (algorithm string, ids []string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", nil, errors.New("it is not a JSON Web Signature")
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	var payload struct {
		KeyID string `json:"keyid"`
	}
	for i, into := range []any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return "", nil, fmt.Errorf("it is not a JSON Web Signature: %w", err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			return "", nil, fmt.Errorf("it is not a JSON Web Signature: %w", err)
		}
	}
	for _, id := range []string{header.KeyID, payload.KeyID} {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return header.Algorithm, ids, nil
}

// compare holds the files to the signed digests. What is no part of a bundle,
// such as a README, may be signed and is not looked at.
func (c content) compare(signed map[string]bundle.FileInfo) error {
	var problems []gateway.Diagnostic
	for _, f := range c.files {
		info, ok := signed[f.name]
		if !ok {
			problems = append(problems, gateway.Diagnostic{File: f.name, Message: "the file is not in the signature"})
			continue
		}
		// Digests that can be forged vouch for nothing.
		if !slices.Contains([]string{"SHA-256", "SHA-384", "SHA-512", "SHA-512-256"}, info.Algorithm) {
			problems = append(problems, gateway.Diagnostic{File: f.name, Message: fmt.Sprintf("its digest in the signature is %q; use SHA-256", info.Algorithm)})
			continue
		}
		if err := bundle.VerifyBundleFile(f.name, *bytes.NewBuffer(f.data), map[string]bundle.FileInfo{f.name: info}); err != nil {
			problems = append(problems, gateway.Diagnostic{File: f.name, Message: "the file is not what was signed: " + strings.TrimPrefix(err.Error(), f.name+": ")})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(signed)) {
		if k, _ := classify(name); k == kindOther || isHidden(name) {
			continue
		}
		if !slices.ContainsFunc(c.files, func(f file) bool { return f.name == name }) {
			problems = append(problems, gateway.Diagnostic{File: name, Message: "the file is in the signature and not in the bundle"})
		}
	}
	return refuseAll(StepRead, problems)
}
