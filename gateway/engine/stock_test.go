package engine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

// What the stock program builds of our policies is what we load, and it answers
// as the policies that are built in do.
func TestWhatStockOPABuildsLoadsHere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	opa(t)("../..", "build", "-b", "policies/", "-o", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	built, err := engine.LoadBytes(t.Context(), data, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	own := load(t, policies.FS)
	if built.Revision() != own.Revision() || len(built.Codes()) != len(own.Codes()) {
		t.Errorf("built: revision %s with %d codes; own: %s with %d", built.Revision(), len(built.Codes()), own.Revision(), len(own.Codes()))
	}
	in := question(t, map[string]any{"action": gateway.ActionRouteRead})
	if got, want := built.Decide(t.Context(), gateway.ActionRouteRead, in), own.Decide(t.Context(), gateway.ActionRouteRead, in); string(got.JSON) != string(want.JSON) {
		t.Errorf("built: %s\nown: %s", got.JSON, want.JSON)
	}
}

// What we keep is a bundle that the stock program loads, and it answers the
// same.
func TestWhatWeKeepLoadsInStockOPA(t *testing.T) {
	own := load(t, policies.FS)
	data, err := own.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put(t, filepath.Join(dir, "kept.tar.gz"), data)
	in := question(t, map[string]any{"action": gateway.ActionRouteRead})
	text, err := in.JSON()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "input.json"), text)
	printed := opa(t)(dir, "eval", "-b", "kept.tar.gz", "-i", "input.json", "--format", "raw", "data.leviathan.main.decision")
	var stock, ours struct {
		Allow   bool             `json:"allow"`
		Reasons []gateway.Reason `json:"reasons"`
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(printed)), &stock); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	if err := json.Unmarshal(own.Decide(t.Context(), gateway.ActionRouteRead, in).JSON, &ours); err != nil {
		t.Fatal(err)
	}
	if len(ours.Reasons) == 0 || stock.Allow != ours.Allow || len(stock.Reasons) != len(ours.Reasons) {
		t.Fatalf("stock: %+v\nours: %+v", stock, ours)
	}
	codes := map[string]bool{}
	for _, r := range ours.Reasons {
		codes[r.Code+" "+r.Message] = true
	}
	for _, r := range stock.Reasons {
		if !codes[r.Code+" "+r.Message] {
			t.Errorf("stock OPA has the reason %+v, and we have not", r)
		}
	}
}
