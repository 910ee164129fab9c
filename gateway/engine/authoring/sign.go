package authoring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// A SigningKey is a private key that bundles are signed with. It never shows
// itself: its text is its algorithm.
type SigningKey struct{ pem, algorithm string }

// String is the algorithm.
func (k SigningKey) String() string { return k.algorithm }

// GoString is the algorithm, too.
func (k SigningKey) GoString() string { return k.algorithm }

// ParseSigningKey reads a private key in PEM: RSA of at least 2048 bits, or
// ECDSA on P-256. The algorithm is RS256 or ES256; empty means the one that
// the key is good for. No error repeats any of the text.
func ParseSigningKey(text []byte, algorithm string) (SigningKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return SigningKey{}, errors.New("read the signing key: there is no PEM block")
	}
	var private any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return SigningKey{}, fmt.Errorf("read the signing key: a PEM block %q is not a private key without a password", block.Type)
	}
	if err != nil {
		return SigningKey{}, errors.New("read the signing key: the PEM block does not hold what it says")
	}
	var good string
	switch key := private.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 {
			return SigningKey{}, fmt.Errorf("read the signing key: an RSA key of %d bits is too short; use at least 2048", key.N.BitLen())
		}
		good = "RS256"
	case *ecdsa.PrivateKey:
		if key.Curve != elliptic.P256() {
			return SigningKey{}, fmt.Errorf("read the signing key: the curve %s is not supported; use P-256", key.Curve.Params().Name)
		}
		good = "ES256"
	default:
		return SigningKey{}, errors.New("read the signing key: use RSA or ECDSA on P-256")
	}
	if algorithm != "" && algorithm != good {
		return SigningKey{}, fmt.Errorf("read the signing key: the key is for %s and not for %s", good, algorithm)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return SigningKey{}, errors.New("read the signing key: it has no PKCS #8 form")
	}
	return SigningKey{pem: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), algorithm: good}, nil
}

// Sign adds the signature of the files to them, as opa sign makes it. A
// signature that is there is replaced. The key's id may be empty.
func Sign(files map[string][]byte, key SigningKey, id string) (map[string][]byte, error) {
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign the bundle: %w", err)
	}
	signed := maps.Clone(files)
	delete(signed, SignatureFile)
	var infos []bundle.FileInfo
	for _, name := range slices.Sorted(maps.Keys(signed)) {
		var value any = signed[name]
		if bundle.IsStructuredDoc(name) {
			if err := util.Unmarshal(signed[name], &value); err != nil {
				return nil, fmt.Errorf("sign %s: %w", name, err)
			}
		}
		sum, err := hasher.HashFile(value)
		if err != nil {
			return nil, fmt.Errorf("sign %s: %w", name, err)
		}
		infos = append(infos, bundle.NewFile(name, hex.EncodeToString(sum), string(bundle.SHA256)))
	}
	token, err := bundle.GenerateSignedToken(infos, bundle.NewSigningConfig(key.pem, key.algorithm, ""), id)
	if err != nil {
		return nil, fmt.Errorf("sign the bundle with %s: %w", key.algorithm, err)
	}
	text, err := json.MarshalIndent(bundle.SignaturesConfig{Signatures: []string{token}}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", SignatureFile, err)
	}
	signed[SignatureFile] = append(text, '\n')
	return signed, nil
}
