package engine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leviathan/gateway/engine"
)

// opa is the stock program, whose bundles we read and which reads ours.
func opa(t *testing.T) func(dir string, args ...string) string {
	t.Helper()
	program, err := filepath.Abs("../../bin/opa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("opa"); err != nil {
			t.Skip("there is no opa in bin or on the PATH")
		}
	}
	return func(dir string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("opa %v: %v\n%s%s", args, err, out, stderr.String())
		}
		return string(out)
	}
}

// A signer has a key on disk and what verifies its signatures.
type signer struct {
	file      string
	algorithm string
	public    engine.Key
}

func newSigner(t *testing.T, private, public any, algorithm string) signer {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if der, err = x509.MarshalPKIXPublicKey(public); err != nil {
		t.Fatal(err)
	}
	key, err := engine.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return signer{file, algorithm, key}
}

func rsaSigner(t *testing.T, algorithm string) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, key, &key.PublicKey, algorithm)
}

func ecSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newSigner(t, key, &key.PublicKey, "ES256")
}

// builtBy is the small bundle as `opa build` packs and signs it.
func builtBy(t *testing.T, by signer, claims string) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "b")
	write(t, dir, smallBundle(t))
	args := []string{"build", "-b", ".", "-o", "../bundle.tar.gz", "--signing-key", by.file, "--signing-alg", by.algorithm}
	if claims != "" {
		file := filepath.Join(t.TempDir(), "claims.json")
		if err := os.WriteFile(file, []byte(claims), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--claims-file", file)
	}
	opa(t)(dir, args...)
	data, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "bundle.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// repacked is the archive with its entries changed: f gives another text, or
// drops an entry; extra is added.
func repacked(t *testing.T, archive []byte, f func(name, text string) (string, bool), extra map[string]string) []byte {
	t.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	put := func(name, text string) {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if next, keep := f(h.Name, string(text)); keep {
			put(h.Name, next)
		}
	}
	for name, text := range extra {
		put(name, text)
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func asItIs(_, text string) (string, bool) { return text, true }

func TestSignedBundles(t *testing.T) {
	for name, by := range map[string]signer{"RS256": rsaSigner(t, "RS256"), "ES256": ecSigner(t)} {
		t.Run(name, func(t *testing.T) {
			archive := builtBy(t, by, "")
			other := ecSigner(t)
			s, err := engine.LoadBytes(t.Context(), archive, engine.Options{Keys: []engine.Key{other.public, by.public}, RequireSignature: true})
			if err != nil {
				t.Fatal(err)
			}
			if by.public.Algorithm() != name {
				t.Errorf("the key is for %s", by.public.Algorithm())
			}
			// What is kept is the bundle; who made it is known.
			plain, err := s.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			again, err := engine.LoadBytes(t.Context(), plain, engine.Options{})
			if err != nil || again.Digest() != s.Digest() {
				t.Errorf("kept as %v, %v", again, err)
			}
		})
	}
}

// A folder is signed by opa sign, in place.
func TestSignedFolder(t *testing.T) {
	by := ecSigner(t)
	dir := filepath.Join(t.TempDir(), "b")
	write(t, dir, smallBundle(t))
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("not a part of the bundle\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	opa(t)(dir, "sign", "--signing-key", by.file, "--signing-alg", "ES256", "--bundle", ".", "--output-file-path", ".")
	opts := engine.Options{Keys: []engine.Key{by.public}, RequireSignature: true}
	if _, err := engine.LoadDir(t.Context(), dir, opts); err != nil {
		t.Fatal(err)
	}
	replace(t, dir, "guard/extra.rego", "package leviathan.guard\n\nextra := 1\n")
	_, err := engine.LoadDir(t.Context(), dir, opts)
	if e := loadError(t, err); e.Step != engine.StepRead || e.Problems[0].File != "guard/extra.rego" {
		t.Errorf("got %v", err)
	}
}

func TestSignaturesRefused(t *testing.T) {
	by := rsaSigner(t, "RS256")
	archive := builtBy(t, by, "")
	unsigned := repacked(t, archive, func(name, text string) (string, bool) { return text, name != "/.signatures.json" }, nil)
	longer := by
	longer.algorithm = "RS512"
	required := engine.Options{Keys: []engine.Key{by.public}, RequireSignature: true}
	optional := engine.Options{Keys: []engine.Key{by.public}}
	guard := func(text string) func(string, string) (string, bool) {
		return func(name, old string) (string, bool) {
			if strings.HasSuffix(name, "guard/guard.rego") {
				return old + text, true
			}
			return old, true
		}
	}
	signature := func(text string) []byte {
		return repacked(t, unsigned, asItIs, map[string]string{"/.signatures.json": text})
	}
	for name, tc := range map[string]struct {
		archive []byte
		opts    engine.Options
		file    string
		says    string
	}{
		"unsigned":             {unsigned, required, ".signatures.json", "not signed"},
		"without a key":        {archive, engine.Options{RequireSignature: true}, ".signatures.json", "no key"},
		"another's key":        {archive, engine.Options{Keys: []engine.Key{rsaSigner(t, "RS256").public}}, ".signatures.json", "does not hold"},
		"another kind of key":  {archive, engine.Options{Keys: []engine.Key{ecSigner(t).public}}, ".signatures.json", "no key is given for it"},
		"another algorithm":    {builtBy(t, longer, ""), optional, ".signatures.json", `"RS512"`},
		"no algorithm":         {signature(`{"signatures": ["eyJhbGciOiJub25lIn0.eyJmaWxlcyI6W119."]}`), optional, ".signatures.json", `"none"`},
		"another key id":       {archive, engine.Options{Keys: required.Keys, KeyID: "ours"}, ".signatures.json", `"ours" is asked for`},
		"another scope":        {archive, engine.Options{Keys: required.Keys, Scope: "write"}, ".signatures.json", "scope mismatch"},
		"a scope not asked":    {builtBy(t, by, `{"scope": "write"}`), optional, ".signatures.json", "scope mismatch"},
		"a changed file":       {repacked(t, archive, guard("# more\n"), nil), optional, "guard/guard.rego", "not what was signed"},
		"an extra file":        {repacked(t, archive, asItIs, map[string]string{"/x.rego": "package leviathan.x\n\ny := 1\n"}), optional, "x.rego", "not in the signature"},
		"extra data":           {repacked(t, archive, asItIs, map[string]string{"/leviathan/data.json": "{}"}), optional, "leviathan/data.json", "not in the signature"},
		"a missing file":       {repacked(t, archive, func(name, text string) (string, bool) { return text, !strings.HasSuffix(name, "guard_test.rego") }, nil), optional, "guard/guard_test.rego", "not in the bundle"},
		"an empty signature":   {signature(""), optional, ".signatures.json", "read the signature"},
		"no signature in it":   {signature(`{"signatures": []}`), optional, ".signatures.json", "0 signatures"},
		"a plugin":             {signature(`{"signatures": ["a.b.c"], "plugin": "mine"}`), optional, ".signatures.json", `plugin "mine"`},
		"not a signature":      {signature(`{"signatures": ["abc"]}`), optional, ".signatures.json", "not a JSON Web Signature"},
		"two signature files":  {repacked(t, archive, asItIs, map[string]string{"/.signatures.json": "{}"}), optional, ".signatures.json", "twice"},
		"a delta bundle":       {repacked(t, archive, asItIs, map[string]string{"/patch.json": `{"data": []}`}), optional, "patch.json", "delta bundle"},
		"a truncated archive":  {archive[:len(archive)/2], optional, "main/main_test.rego", "unexpected EOF"},
		"a path that escapes":  {repacked(t, archive, asItIs, map[string]string{"/../x.rego": "package leviathan.x\n"}), optional, "/../x.rego", "leaves the bundle"},
		"too many entries":     {crowd(t), optional, "", "entries"},
		"a bomb":               {repacked(t, archive, asItIs, map[string]string{"/leviathan/data.json": strings.Repeat(" ", 17<<20)}), optional, "leviathan/data.json", "larger than"},
		"a bomb of other text": {repacked(t, archive, asItIs, map[string]string{"/README.md": strings.Repeat(" ", 64<<20), "/z.rego": "package leviathan.z\n"}), optional, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := engine.LoadBytes(t.Context(), tc.archive, tc.opts)
			e := loadError(t, err)
			if e.Step != engine.StepRead || e.Problems[0].File != tc.file || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %s: %s", err, tc.file, tc.says)
			}
			if len(e.Steps) != 1 || e.Steps[0].Held {
				t.Errorf("steps %+v", e.Steps)
			}
		})
	}
}

// crowd is an archive of more empty entries than any bundle has.
func crowd(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for range 70_000 {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "/x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// What was not verified is not called so.
func TestUnverifiedSignatureIsSaid(t *testing.T) {
	by := rsaSigner(t, "RS256")
	archive := builtBy(t, by, `{"scope": "read", "keyid": "ours"}`)
	details := map[string]string{}
	for name, opts := range map[string]engine.Options{
		"no key":   {},
		"verified": {Keys: []engine.Key{by.public}, Scope: "read", KeyID: "ours"},
	} {
		file := filepath.Join(t.TempDir(), "b.tar.gz")
		if err := os.WriteFile(file, archive, 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := engine.OpenSource(file, engine.PolicySourceOptions{Options: opts})
		if err != nil {
			t.Fatal(err)
		}
		_, steps, _ := source.Load(t.Context()) // the small bundle reads an input of its own
		if len(steps) == 0 || !steps[0].Held {
			t.Fatalf("%s: %+v", name, steps)
		}
		details[name] = steps[0].Detail
	}
	if d := details["no key"]; strings.Contains(d, "verified with") || !strings.Contains(d, "NOT verified") {
		t.Errorf("without a key: %s", d)
	}
	if d := details["verified"]; !strings.Contains(d, "signature verified with RS256") {
		t.Errorf("with the key: %s", d)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	good := rsaSigner(t, "RS256")
	private, err := os.ReadFile(good.file)
	if err != nil {
		t.Fatal(err)
	}
	second := public(&short.PublicKey)
	for name, tc := range map[string]struct {
		text []byte
		says string
	}{
		"nothing":       {nil, "no PEM block"},
		"text":          {[]byte("secret"), "no PEM block"},
		"a private key": {private, "not a public key"},
		"a short key":   {second, "too short"},
		"another curve": {public(&curve.PublicKey), "P-384"},
		"two keys":      {slices.Concat(second, second), "one key in each file"},
	} {
		t.Run(name, func(t *testing.T) {
			if k, err := engine.ParseKey(tc.text); err == nil || k.Algorithm() != "" || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %+v, %v", k, err)
			}
		})
	}
}
