package invariants

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

// SettingsFile is where a repository keeps its settings, from its root.
const SettingsFile = ".leviathan/invariants.yaml"

const maxSettingsBytes = 1 << 20

// Settings are what a repository says about its own check. The zero value
// checks, with its defaults, every category that has something to look at.
type Settings struct {
	// File is where they were read, from the root; empty means that the
	// repository has none.
	File string
	// Categories are the only ones that are checked; empty means all that have
	// something to look at and need not be named. The categories tree and
	// waivers always run.
	Categories []string
	// Rules is a folder of the repository with more Rego, or empty. Its
	// packages are leviathan.invariants.<category>.
	Rules string
	// Exclude are folders that are left out, as facts.Options.Exclude has them.
	Exclude []string
	// Include are files that are read although their folder is left out, such as
	// a manifest in testdata, as facts.Options.Include has them.
	Include []string
	// Code are folders whose Go files rules see whole, as facts.Options.Code has
	// them; empty means that rules see imports alone.
	Code []string
	// Topology is the topology file, or empty for the default.
	Topology string
	// Parameters are values for the rules, by category.
	Parameters map[string]any
	Waivers    []Waiver
}

// A Waiver accepts violations of one code in some files, for some time.
type Waiver struct {
	Line, Column int    // where it stands in the settings
	Code         string // of the violations
	Path         string // a glob of their files; ** crosses folders
	Reason       string
	Owner        string
	Expires      string // the last day, as 2006-01-02 in UTC
}

// LoadSettings reads the settings of the repository at root from a file of it;
// empty means SettingsFile, and a repository without that has the zero
// Settings. What is wrong in the file is in the error, every problem with its
// line.
func LoadSettings(root *os.Root, file string) (Settings, error) {
	name := cmp.Or(file, SettingsFile)
	data, err := fs.ReadFile(root.FS(), name)
	if file == "" && errors.Is(err, fs.ErrNotExist) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, fmt.Errorf("read the settings: %w", err)
	}
	s, diagnostics := ParseSettings(name, data)
	var all []error
	for _, d := range diagnostics {
		if !d.Warning {
			all = append(all, errors.New(d.String()))
		}
	}
	if len(all) > 0 {
		return Settings{}, fmt.Errorf("read the settings: %w", errors.Join(all...))
	}
	s.File = name
	return s, nil
}

// settingsKeys are the keys of the file.
var settingsKeys = []string{"version", "categories", "rules", "exclude", "include", "code", "topology", "parameters", "waivers"}

// ParseSettings reads a settings file strictly: unknown keys and wrong types
// are errors. The Settings are of use only when no diagnostic is an error.
func ParseSettings(name string, data []byte) (Settings, []gateway.Diagnostic) {
	root, diagnostics := strictyaml.Parse(name, data, maxSettingsBytes)
	if root == nil {
		return Settings{}, diagnostics
	}
	r := &strictyaml.Reader{File: name}
	var s Settings
	o, ok := r.Object(root, "", settingsKeys, false)
	if !ok {
		return s, r.Sorted()
	}
	if n := o.Get("version"); n == nil {
		r.Errorf(root, "version is missing; write version: 1")
	} else {
		r.Integer(n, "version", 1, 1)
	}
	list := func(key string) (out []string) {
		if n := o.Get(key); n != nil {
			out, _ = r.Texts(n, key)
		}
		return out
	}
	text := func(key string) (out string) {
		if n := o.Get(key); n != nil {
			out, _ = r.Text(n, key)
		}
		return out
	}
	s.Categories, s.Exclude, s.Include, s.Code = list("categories"), list("exclude"), list("include"), list("code")
	s.Rules, s.Topology = text("rules"), text("topology")
	if s.Rules != "" && !fs.ValidPath(s.Rules) {
		r.Errorf(o.Get("rules"), "rules: %s is not a folder of this repository, such as .leviathan/rules", strictyaml.Show(s.Rules))
	}
	if n := o.Get("parameters"); n != nil {
		s.Parameters = map[string]any{}
		for _, pair := range r.Named(n, "parameters") {
			s.Parameters[pair.Key] = plainValue(r, pair.Value, "parameters."+pair.Key)
		}
	}
	if n := o.Get("waivers"); n != nil && r.IsKind(n, "waivers", strictyaml.List) {
		for i, item := range n.Items {
			s.Waivers = append(s.Waivers, readWaiver(r, item, "waivers["+strconv.Itoa(i)+"]"))
		}
	}
	return s, r.Sorted()
}

var waiverKeys = []string{"code", "path", "reason", "owner", "expires"}

var codeForm = regexp.MustCompile(`^[a-z*?][a-z0-9_*?]*\.[a-z0-9_*?]+$`)

// readWaiver reads one waiver; each key is required.
func readWaiver(r *strictyaml.Reader, n *strictyaml.Node, path string) Waiver {
	w := Waiver{Line: n.Line, Column: n.Col}
	o, ok := r.Object(n, path, waiverKeys, false)
	if !ok {
		return w
	}
	for _, field := range []struct {
		key  string
		into *string
	}{{"code", &w.Code}, {"path", &w.Path}, {"reason", &w.Reason}, {"owner", &w.Owner}, {"expires", &w.Expires}} {
		value := o.Get(field.key)
		if value == nil {
			r.Errorf(n, "%s.%s is missing", path, field.key)
			continue
		}
		if *field.into, ok = r.Text(value, path+"."+field.key); ok && *field.into == "" {
			r.Errorf(value, "%s.%s is empty", path, field.key)
		}
	}
	if w.Code != "" && !codeForm.MatchString(w.Code) {
		r.Errorf(o.Get("code"), "%s.code: %s is no code, such as docs_structure.dead_link", path, strictyaml.Show(w.Code))
	}
	if w.Expires != "" {
		if _, err := time.Parse(time.DateOnly, w.Expires); err != nil {
			r.Errorf(o.Get("expires"), "%s.expires: %s is no date, such as 2026-12-31", path, strictyaml.Show(w.Expires))
		}
	}
	return w
}

// plainValue is a node as JSON.
func plainValue(r *strictyaml.Reader, n *strictyaml.Node, path string) any {
	switch n.Kind {
	case strictyaml.Map:
		out := map[string]any{}
		for _, pair := range r.Named(n, path) {
			out[pair.Key] = plainValue(r, pair.Value, path+"."+pair.Key)
		}
		return out
	case strictyaml.List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = plainValue(r, item, path+"["+strconv.Itoa(i)+"]")
		}
		return out
	case strictyaml.Refused:
		r.Errorf(n, "%s: %s", path, n.Problem)
		return nil
	}
	if !n.Plain {
		return n.Text
	}
	switch n.TypeName() {
	case "a boolean":
		return n.Text == "true"
	case "empty":
		return nil
	case "a number":
		if number := json.Number(n.Text); json.Valid([]byte(n.Text)) {
			return number
		}
	}
	return n.Text
}
