package engine_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leviathan/gateway/engine"
)

const okMain = `decision := {"allow": false, "reasons": [], "obligations": {}}`

// denyRule is a rule with the METADATA lines given, in a package of its own.
func denyRule(meta ...string) string {
	return "package leviathan.extra\n\n# METADATA\n# " + strings.Join(meta, "\n# ") + "\ndeny contains \"x\" if input.x\n"
}

func TestRefused(t *testing.T) {
	title, description := "title: T", "description: D."
	custom := []string{"custom:", "  code: extra.a", "  message: m", "  remedy: r"}
	for name, tc := range map[string]struct {
		file, text string
		step       engine.Step
		where      string // file:line of the first problem
		says       string
	}{
		"syntax":              {"a/a.rego", "package leviathan.a\n\nx := {1 2}\n", engine.StepParse, "a/a.rego:3", "rego_parse_error"},
		"version 0":           {"a/a.rego", "package leviathan.a\n\nx {\n\tinput.y\n}\n", engine.StepParse, "a/a.rego:3", "`if` keyword"},
		"empty module":        {"a/a.rego", "# nothing\n", engine.StepParse, "a/a.rego", ""},
		"not UTF-8":           {"a/a.rego", "package leviathan.a\n\n# \xff\n", engine.StepRead, "a/a.rego:3", "UTF-8"},
		"package outside":     {"a/a.rego", "package other\n\nx := 1\n", engine.StepParse, "a/a.rego:1", "outside of the roots"},
		"system package":      {"a/a.rego", "package system.log\n\nmask := 1\n", engine.StepParse, "a/a.rego:1", "outside of the roots"},
		"prefix is no root":   {"a/a.rego", "package leviathan2.a\n\nx := 1\n", engine.StepParse, "a/a.rego:1", "outside of the roots"},
		"http.send":           {"a/a.rego", "package leviathan.a\n\nx := 1\n\ny := http.send({\"url\": \"http://h\", \"method\": \"get\"})\n", engine.StepCompile, "a/a.rego:5", "http.send is forbidden"},
		"clock":               {"a/a.rego", "package leviathan.a\n\ny := time.now_ns()\n", engine.StepCompile, "a/a.rego:3", "time.now_ns is forbidden"},
		"environment":         {"a/a.rego", "package leviathan.a\n\ny := opa.runtime()\n", engine.StepCompile, "a/a.rego:3", "opa.runtime is forbidden"},
		"randomness":          {"a/a.rego", "package leviathan.a\n\ny := rand.intn(\"a\", 3)\n", engine.StepCompile, "a/a.rego:3", "rand.intn is forbidden"},
		"clock of a check":    {"a/a.rego", "package leviathan.a\n\ny := crypto.x509.parse_and_verify_certificates(input.c)\n", engine.StepCompile, "a/a.rego:3", "forbidden"},
		"unknown builtin":     {"a/a.rego", "package leviathan.a\n\ny := no.such(1)\n", engine.StepCompile, "a/a.rego:3", "undefined function no.such"},
		"strict":              {"a/a.rego", "package leviathan.a\n\ny if {\n\tx := 1\n}\n", engine.StepCompile, "a/a.rego:4", "unused"},
		"dangling rule":       {"a/a.rego", "package leviathan.a\n\ny if count(data.leviathan.gaurd.deny) == 0\n", engine.StepCompile, "a/a.rego:3", "refers to nothing"},
		"dangling import":     {"a/a.rego", "package leviathan.a\n\nimport data.leviathan.guard\n\ny if count(guard.dney) == 0\n", engine.StepCompile, "a/a.rego:5", "refers to nothing"},
		"rule on data":        {"a/a.rego", "package leviathan.limits\n\nparallel := 3\n", engine.StepCompile, "a/a.rego", "conflict"},
		"deny without code":   {"a/a.rego", "package leviathan.a\n\nx := 1\n\ndeny contains \"x\" if input.x\n", engine.StepMetadata, "a/a.rego:5", "no METADATA"},
		"deny without title":  {"a/a.rego", denyRule(append([]string{description}, custom...)...), engine.StepMetadata, "a/a.rego:9", "no title"},
		"deny without text":   {"a/a.rego", denyRule(append([]string{title}, custom...)...), engine.StepMetadata, "a/a.rego:9", "no description"},
		"deny without remedy": {"a/a.rego", denyRule(append([]string{title, description}, custom[:3]...)...), engine.StepMetadata, "a/a.rego:9", "no custom.remedy"},
		"deny, no message":    {"a/a.rego", denyRule(title, description, custom[0], custom[1], custom[3]), engine.StepMetadata, "a/a.rego:9", "no custom.message"},
		"code of odd form":    {"a/a.rego", denyRule(title, description, custom[0], "  code: Extra", custom[2], custom[3]), engine.StepMetadata, "a/a.rego:10", "snake_case"},
		"code used twice":     {"h/a.rego", denyRule(title, description, custom[0], "  code: limits.running", custom[2], custom[3]), engine.StepMetadata, "h/a.rego:10", "used already at guard/guard.rego:"},
		"code of the engine":  {"a/a.rego", denyRule(title, description, custom[0], "  code: unknown.cancelled", custom[2], custom[3]), engine.StepMetadata, "a/a.rego:10", "belongs to the engine"},
		"no entrypoint":       {"main/main.rego", "package leviathan.main\n\nallow := false\n", engine.StepEntrypoint, "", "does not define data.leviathan.main.decision"},
		"entrypoint function": {"main/main.rego", "package leviathan.main\n\ndecision(x) := x\n", engine.StepEntrypoint, "main/main.rego:3", "is a function"},
		"deadline is text":    {"main/main.rego", "package leviathan.main\n\n# METADATA\n# custom:\n#   deadline_ms: 50\n" + okMain, engine.StepMetadata, "main/main.rego:3", "not an object"},
		"deadline is zero":    {"main/main.rego", "package leviathan.main\n\n# METADATA\n# custom:\n#   deadline_ms: {default: 0}\n" + okMain, engine.StepMetadata, "main/main.rego:3", "not within"},
		"deadline fraction":   {"main/main.rego", "package leviathan.main\n\n# METADATA\n# custom:\n#   deadline_ms: {default: 1.5}\n" + okMain, engine.StepMetadata, "main/main.rego:3", "not a whole number"},
		"delta bundle":        {"patch.json", `{"data": []}`, engine.StepRead, "patch.json", "delta bundle"},
		"wasm":                {"policy.wasm", "\x00asm", engine.StepRead, "policy.wasm", "compiled policies"},
		"signature below":     {"a/.signatures.json", `{}`, engine.StepRead, "a/.signatures.json", "only signature"},
		"manifest, syntax":    {".manifest", `{`, engine.StepRead, ".manifest", "read the manifest"},
		"manifest, root":      {".manifest", `{"roots": ["other"]}`, engine.StepRead, ".manifest", "outside of"},
		"manifest, narrower":  {".manifest", `{"roots": ["leviathan/main", "leviathan/main_test"]}`, engine.StepRead, "", "outside of the roots"},
		"manifest, version":   {".manifest", `{"rego_version": 0}`, engine.StepRead, ".manifest", "version 0"},
		"manifest, a file's":  {".manifest", `{"file_rego_versions": {"a.rego": 0}}`, engine.StepRead, ".manifest", "version 0"},
		"manifest below":      {"a/.manifest", `{}`, engine.StepRead, "a/.manifest", "only manifest"},
		"data, syntax":        {"leviathan/data.json", `{`, engine.StepRead, "leviathan/data.json", "read data"},
		"data is a list":      {"leviathan/data.json", `[]`, engine.StepRead, "leviathan/data.json", "not an object"},
		"data twice":          {"leviathan/limits/data.yaml", "parallel: 3\n", engine.StepRead, "leviathan/limits/data.yaml", `"parallel"`},
		"data outside":        {"other/data.json", `{"a": 1}`, engine.StepRead, "", `data at "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := engine.LoadFS(t.Context(), with(t, map[string]string{tc.file: tc.text}), engine.Options{})
			e := loadError(t, err)
			if e.Step != tc.step {
				t.Errorf("refused at %s, want %s", e.Step, tc.step)
			}
			p := e.Problems[0]
			where := p.File
			if strings.Contains(tc.where, ":") {
				where = fmt.Sprintf("%s:%d", p.File, p.Line)
			}
			if where != tc.where {
				t.Errorf("the problem is at %s, want %s", where, tc.where)
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q does not say %q", err, tc.says)
			}
		})
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	_, err := engine.LoadFS(t.Context(), with(t, map[string]string{
		"a/a.rego": "package leviathan.a\n\nx := {\n",
		"b/b.rego": "package leviathan.b\n\ny := [\n",
	}), engine.Options{})
	var files []string
	for _, p := range loadError(t, err).Problems {
		files = append(files, p.File)
	}
	if want := []string{"a/a.rego", "b/b.rego"}; !slices.Equal(slices.Compact(files), want) {
		t.Errorf("problems in %v, want %v", files, want)
	}
}

func TestNoPolicies(t *testing.T) {
	_, err := engine.LoadFS(t.Context(), fstest.MapFS{"README.md": {Data: []byte("x")}}, engine.Options{})
	if e := loadError(t, err); e.Step != engine.StepRead || !strings.Contains(err.Error(), "no policies") {
		t.Errorf("got %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := engine.LoadFS(t.Context(), smallBundle(t), engine.Options{MaxBytes: 1000})
	if loadError(t, err); !strings.Contains(err.Error(), "larger than 1000 bytes") {
		t.Errorf("got %v", err)
	}
	archive, err := load(t, smallBundle(t)).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = engine.LoadBytes(t.Context(), archive, engine.Options{MaxBytes: 1000}); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("got %v", err)
	}
}

func TestDigest(t *testing.T) {
	s := load(t, smallBundle(t))
	dir := filepath.Join(t.TempDir(), "bundle")
	write(t, dir, smallBundle(t))
	if err := os.Chtimes(filepath.Join(dir, "data.json"), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	fromDir, err := engine.LoadDir(t.Context(), dir, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	fromBytes, err := engine.LoadBytes(t.Context(), archive, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	backwards, err := engine.LoadBytes(t.Context(), otherArchive(t, smallBundle(t)), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*engine.Snapshot{"directory": fromDir, "bytes": fromBytes, "other order": backwards} {
		if other.Digest() != s.Digest() {
			t.Errorf("digest from %s is %s, want %s", name, other.Digest(), s.Digest())
		}
		if again, err := other.Bytes(); err != nil || !bytes.Equal(again, archive) {
			t.Errorf("bytes from %s differ (%v)", name, err)
		}
		if other.Revision() != "small-1" {
			t.Errorf("revision from %s is %q", name, other.Revision())
		}
	}
	if load(t, with(t, map[string]string{"README.md": "other"})).Digest() != s.Digest() {
		t.Error("a file that is no part of the bundle changes the digest")
	}
	if load(t, with(t, map[string]string{"data.json": `{"leviathan": {"limits": {"parallel": 3}}}`})).Digest() == s.Digest() {
		t.Error("other data has the same digest")
	}
	if s := load(t, with(t, map[string]string{".manifest": ""})); !strings.Contains(s.Digest(), s.Revision()) || len(s.Revision()) != 12 {
		t.Errorf("revision without a manifest is %q", s.Revision())
	}
}

// The digest of a bundle is in journals: it must not change between releases.
func TestDigestIsStable(t *testing.T) {
	s := load(t, deciding(okMain))
	if want := "sha256:93a8b7b688a0af38011defc3f02e5f9ac4ef9ee2c139dcc4a9cf246ce228f5dc"; s.Digest() != want {
		t.Errorf("digest is %s, want %s", s.Digest(), want)
	}
}

// otherArchive is the bundle as another tool might pack it: in another order,
// with folders, times and compression.
func otherArchive(t *testing.T, bundle fstest.MapFS) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	var names []string
	for name := range bundle {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Reverse(names)
	headers := []*tar.Header{{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}}
	for _, name := range names {
		headers = append(headers, &tar.Header{Name: "./" + name, Size: int64(len(bundle[name].Data)), Mode: 0o600, ModTime: time.Unix(1e9, 0)})
	}
	for _, h := range headers {
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeDir {
			if _, err := tw.Write(bundle[h.Name[2:]].Data); err != nil {
				t.Fatal(err)
			}
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

func TestArchiveRefused(t *testing.T) {
	pack := func(headers ...tar.Header) []byte {
		var buf bytes.Buffer
		zw := gzip.NewWriter(&buf)
		tw := tar.NewWriter(zw)
		for _, h := range headers {
			if err := tw.WriteHeader(&h); err != nil {
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
	archive, err := load(t, smallBundle(t)).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		archive []byte
		says    string
	}{
		"not gzip":  {[]byte("package leviathan"), "not a gzip archive"},
		"truncated": {archive[:len(archive)/2], "unexpected EOF"},
		"empty":     {pack(), "no policies"},
		"dots":      {pack(tar.Header{Name: "a/../../b.rego"}), "leaves the bundle"},
		"link":      {pack(tar.Header{Name: "a.rego", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "not a regular file"},
		"twice":     {pack(tar.Header{Name: "a.rego"}, tar.Header{Name: "/a.rego"}), "twice"},
		"delta":     {pack(tar.Header{Name: "/patch.json"}), "delta bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := engine.LoadBytes(t.Context(), tc.archive, engine.Options{})
			if e := loadError(t, err); e.Step != engine.StepRead || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}

func TestSymbolicLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bundle")
	write(t, dir, smallBundle(t))
	link := func(target, name string) string {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	refused := func(says string, links ...string) {
		t.Helper()
		_, err := engine.LoadDir(t.Context(), dir, engine.Options{})
		if loadError(t, err); !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
		for _, l := range links {
			if err := os.Remove(l); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused("loop", link("..", "guard/loop"))
	refused("a.rego", link("b.rego", "a.rego"), link("a.rego", "b.rego"))
	outside := filepath.Join(t.TempDir(), "x.rego")
	if err := os.WriteFile(outside, []byte("package leviathan.x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("escapes", link(outside, "x.rego"))
	if _, err := engine.LoadDir(t.Context(), dir, engine.Options{}); err != nil {
		t.Error(err)
	}
}

func TestCodes(t *testing.T) {
	want := []engine.Code{
		{
			Code: "guard.switched_off", Title: "Autonomy is switched off", Description: "The autonomy config has autonomy_enabled false.",
			Message: "autonomy is switched off", Remedy: "Set autonomy_enabled to true.",
			Package: "leviathan.guard", File: "guard/guard.rego", Line: 12,
		},
		{
			Code: "limits.running", Title: "Too many attempts", Description: "The number of running attempts has reached the limit.",
			Message: "too many attempts are running", Remedy: "Wait.",
			Package: "leviathan.guard", File: "guard/guard.rego", Line: 24,
		},
	}
	if diff := cmp.Diff(want, load(t, smallBundle(t)).Codes()); diff != "" {
		t.Error(diff)
	}
	for _, c := range engine.Failures() {
		if c.Title == "" || c.Description == "" || c.Message == "" || c.Remedy == "" || !strings.HasPrefix(c.Code, "unknown.") {
			t.Errorf("%+v is not complete", c)
		}
	}
}

func TestBuiltins(t *testing.T) {
	// A new release of OPA may bring builtins; read what they depend on before
	// adding them here.
	want, err := os.ReadFile("testdata/builtins.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(want)), engine.Builtins()); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"http.send", "time.now_ns", "rand.intn", "opa.runtime", "uuid.rfc4122", "net.lookup_ip_addr",
		"io.jwt.decode_verify", "io.jwt.encode_sign", "io.jwt.encode_sign_raw", "json.match_schema", "json.verify_schema"} {
		if slices.Contains(engine.Builtins(), name) {
			t.Errorf("%s is allowed", name)
		}
	}
}
