package facts_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"leviathan/invariants/facts"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read reads an archive as a repository.
func read(t testing.TB, archive *txtar.Archive, opts facts.Options) *facts.Facts {
	t.Helper()
	dir := t.TempDir()
	if err := txtar.Write(archive, dir); err != nil {
		t.Fatal(err)
	}
	f, err := facts.Read(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// document is the JSON that rules see.
func document(t testing.TB, f *facts.Facts) []byte {
	t.Helper()
	in, err := f.Parts()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := in.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// golden compares with a file, or writes it.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test ./invariants/facts -update", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale (run go test ./invariants/facts -update): want -, got +\n%s", file, diff)
	}
}

// The example is what a rule writer reads first: every fact of a small
// repository that has something of everything.
func TestTheExamplesDocument(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/example.txtar")
	if err != nil {
		t.Fatal(err)
	}
	binary := facts.Binary{Version: "1.0.0", Routes: []facts.Route{{Method: "GET", Path: "/health", Summary: "a status word"}},
		Commands: map[string]facts.Command{"example run": {Flags: map[string]string{"config": "string"}, Runs: true}}}
	f := read(t, archive, facts.Options{Binary: binary, Code: []string{"."}})
	golden(t, "testdata/example.json", document(t, f))
	if again := read(t, archive, facts.Options{Binary: binary, Code: []string{"."}}); !bytes.Equal(document(t, again), document(t, f)) {
		t.Error("the same tree gave two documents")
	}
}

func TestTheSchemaIsFresh(t *testing.T) {
	schema, err := facts.Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("..", "..", "docs", "invariants_facts.schema.json"), schema)
}

// The document has exactly the keys of its schema, at every level that the
// schema names.
func TestTheDocumentFitsItsSchema(t *testing.T) {
	raw, err := facts.Schema()
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/example.json")
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	checked := 0
	fits(t, schema, schema["$defs"].(map[string]any), value, "", &checked)
	if checked < 500 {
		t.Errorf("only %d values were compared: the example is too small", checked)
	}
}

// fits checks a value against the parts of JSON schema that Schema uses.
func fits(t *testing.T, schema, defs map[string]any, value any, at string, checked *int) {
	*checked++
	if ref, ok := schema["$ref"].(string); ok {
		schema = defs[filepath.Base(ref)].(map[string]any)
	}
	if either, ok := schema["anyOf"].([]any); ok {
		if value == nil {
			return
		}
		schema = either[0].(map[string]any)
		if ref, ok := schema["$ref"].(string); ok {
			schema = defs[filepath.Base(ref)].(map[string]any)
		}
	}
	kind := map[string]func() bool{
		"string":  func() bool { _, ok := value.(string); return ok },
		"boolean": func() bool { _, ok := value.(bool); return ok },
		"integer": func() bool { n, ok := value.(float64); return ok && n == float64(int(n)) },
		"array":   func() bool { _, ok := value.([]any); return ok },
		"object":  func() bool { _, ok := value.(map[string]any); return ok },
	}
	if want, ok := schema["type"].(string); ok && !kind[want]() {
		t.Errorf("%s is %T, not %s", at, value, want)
		return
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if items, ok := schema["items"].(map[string]any); ok {
				fits(t, items, defs, item, at+"/-", checked)
			}
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		others, free := schema["additionalProperties"].(map[string]any)
		for name, member := range v {
			switch known, ok := properties[name].(map[string]any); {
			case ok:
				fits(t, known, defs, member, at+"/"+name, checked)
			case free:
				fits(t, others, defs, member, at+"/"+name, checked)
			case properties != nil:
				t.Errorf("%s/%s is not in the schema", at, name)
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				t.Errorf("%s/%s is missing", at, name)
			}
		}
	}
}
