package authoring_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"leviathan/gateway/engine"
	"leviathan/gateway/engine/authoring"
	"leviathan/policies"
)

// keys are a private key and its public half, in PEM.
func keys(t *testing.T, algorithm string) (private, public []byte) {
	t.Helper()
	var key, pub any
	if algorithm == "RS256" {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		key, pub = k, &k.PublicKey
	} else {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, pub = k, &k.PublicKey
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	open, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: open})
}

func TestWhatIsSignedIsVerifiedHereAndByStockOPA(t *testing.T) {
	s, err := engine.LoadFS(t.Context(), policies.FS, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range []string{"RS256", "ES256"} {
		t.Run(algorithm, func(t *testing.T) {
			private, public := keys(t, algorithm)
			key, err := authoring.ParseSigningKey(private, "")
			if err != nil {
				t.Fatal(err)
			}
			if shown := fmt.Sprintf("%v %+v %#v", key, key, key); shown != strings.Repeat(algorithm+" ", 2)+algorithm {
				t.Errorf("the key shows itself: %d characters", len(shown))
			}
			signed, err := authoring.Sign(s.Files(), key, "ours")
			if err != nil {
				t.Fatal(err)
			}
			packed, err := authoring.Pack(signed)
			if err != nil {
				t.Fatal(err)
			}
			verifier, err := engine.ParseKey(public)
			if err != nil {
				t.Fatal(err)
			}
			opts := engine.Options{Keys: []engine.Key{verifier}, KeyID: "ours", RequireSignature: true}
			if _, err := engine.LoadBytes(t.Context(), packed, opts); err != nil {
				t.Error(err)
			}
			signed["main/main.rego"] = append([]byte("# \n"), signed["main/main.rego"]...)
			tampered, err := authoring.Pack(signed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := engine.LoadBytes(t.Context(), tampered, opts); err == nil {
				t.Error("a tampered bundle was loaded")
			}
			stock(t, algorithm, public, packed, true)
			stock(t, algorithm, public, tampered, false)
		})
	}
}

// stock loads the archive with the stock program, which verifies it.
func stock(t *testing.T, algorithm string, public, archive []byte, good bool) {
	t.Helper()
	opa, err := filepath.Abs("../../../bin/opa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(opa); err != nil {
		t.Skip("the stock opa is not in bin; make policy-test puts it there")
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"b.tar.gz": archive, "public.pem": public} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), opa, "build", "-b", "b.tar.gz", "--verification-key", "public.pem",
		"--verification-key-id", "ours", "--signing-alg", algorithm, "-o", "out.tar.gz")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); (err == nil) != good {
		t.Errorf("the stock opa: %v, want it good: %v\n%s", err, good, out)
	}
}

func TestParseSigningKeyRefuses(t *testing.T) {
	private, public := keys(t, "ES256")
	for name, tc := range map[string]struct {
		text      []byte
		algorithm string
		says      string
	}{
		"nothing":           {nil, "", "no PEM block"},
		"a public key":      {public, "", "not a private key"},
		"another algorithm": {private, "RS256", "is for ES256 and not for RS256"},
		"a torn key":        {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}), "", "does not hold"},
	} {
		if _, err := authoring.ParseSigningKey(tc.text, tc.algorithm); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func asFS(files map[string][]byte) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	return fsys
}

// The example's rules, put beside the shipped ones, load, pass lint and their
// tests, which evaluate each of their lines; and one of them denies.
func TestExampleNarrowsTheShippedPolicies(t *testing.T) {
	files, err := authoring.ReadSources(policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	more, err := authoring.ReadSources(os.DirFS("../../../docs/examples/policies"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range more {
		if _, ok := files[name]; ok {
			t.Errorf("the example replaces the shipped %s", name)
		}
		files[name] = text
	}
	if problems := authoring.Lint(files); len(problems) > 0 {
		t.Errorf("lint: %v", problems)
	}
	s, err := engine.LoadFS(t.Context(), asFS(files), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := s.Test(t.Context(), engine.TestOptions{MinCoverage: 100, Timeout: 3 * time.Minute})
	if err != nil {
		t.Error(err)
	}
	if len(report.Tests) < 16 {
		t.Errorf("%d tests ran", len(report.Tests))
	}
	in := engine.Input{}
	for name, value := range map[string]any{"action": "cycle.plan", "time": map[string]any{"now_us": 1768042800000000}} { // a Saturday
		part, err := engine.NewPart(name, value)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, part)
	}
	r := s.Decide(t.Context(), "cycle.plan", in)
	if r.Allow || !strings.Contains(string(r.JSON), `"code":"custom.frozen"`) {
		t.Errorf("%s", r.JSON)
	}
}

func TestNewRuleCompilesIsFormattedAndIsNotOverwritten(t *testing.T) {
	files, err := authoring.ReadSources(policies.FS)
	if err != nil {
		t.Fatal(err)
	}
	written, err := authoring.NewRule("custom.no_friday", files)
	if err != nil {
		t.Fatal(err)
	}
	if changed, problems := authoring.Format(written); len(changed) > 0 || len(problems) > 0 || len(written) != 2 {
		t.Errorf("%d files, not formatted: %v %v", len(written), changed, problems)
	}
	maps.Copy(files, written)
	if _, err := engine.LoadFS(t.Context(), asFS(files), engine.Options{}); err != nil {
		t.Error(err)
	}
	if problems := authoring.Lint(files); len(problems) > 0 {
		t.Errorf("lint: %v", problems)
	}
	for code, says := range map[string]string{
		"custom.no_friday": "used already", "Friday": "is not <package>", "nowhere.x": "nothing would read", "guard.x": "nothing would read", "custom.a_test": "taken for a test",
	} {
		if _, err := authoring.NewRule(code, files); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", code, err)
		}
	}
}
