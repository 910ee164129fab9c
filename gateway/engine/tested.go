package engine

import (
	"bytes"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// packageLine is a package clause that can be read without a parser.
var packageLine = regexp.MustCompile(`^package ([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)$`)

// packageOf is the package of a module, if what stands before it and itself are
// written as everybody writes them.
func packageOf(text []byte) (path []string, ok bool) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		found := packageLine.FindSubmatch(line)
		if found == nil {
			return nil, false
		}
		return strings.Split(string(found[1]), "."), true
	}
	return nil, false
}

// A reach is the places in data that are read by what is reached so far.
type reach struct {
	places [][]string
	known  map[string]bool
}

// add adds the place that a reference names, as far as it is constant.
func (r *reach) add(ref ast.Ref) {
	var place []string
	for _, term := range ref.ConstantPrefix()[1:] {
		key, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		place = append(place, string(key))
	}
	if key := strings.Join(place, "\x00"); !r.known[key] {
		r.known[key] = true
		r.places = append(r.places, place)
	}
}

// concerns reports whether a rule of the package may be part of a place: one of
// both lies on the way to the other.
func (r *reach) concerns(path []string) bool {
	return slices.ContainsFunc(r.places, func(place []string) bool {
		n := min(len(place), len(path))
		return slices.Equal(place[:n], path[:n])
	})
}

// read adds what the module reads: its own package, whose names it need not
// write out, what it imports, and what it names.
func (r *reach) read(m *ast.Module) {
	r.add(m.Package.Path)
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if ref.HasPrefix(ast.DefaultRootRef) {
			r.add(ref)
		}
		return false
	})
}

// parseReachable parses the modules that may have a part in the decision or the
// mask, and no tests. Which those are depends on what they refer to, so that
// they are found in rounds. A module is left out only if its package is known to
// lie beside all that is read.
func parseReachable(files []file, manifest bundle.Manifest) (map[string]*ast.Module, error) {
	r := reach{known: map[string]bool{}}
	r.add(ast.MustParseRef(entrypoint))
	r.add(ast.MustParseRef(maskEntrypoint))
	rest := slices.DeleteFunc(slices.Clone(files), func(f file) bool { k, _ := classify(f.name); return k != kindModule || isTest(f.name) })
	modules := map[string]*ast.Module{}
	for {
		var now []file
		rest = slices.DeleteFunc(rest, func(f file) bool {
			path, ok := packageOf(f.data)
			if ok && !r.concerns(path) {
				return false
			}
			now = append(now, f)
			return true
		})
		if len(now) == 0 {
			labelCodes(modules)
			return modules, nil
		}
		parsed, err := parseEach(now, manifest)
		if err != nil {
			return nil, err
		}
		for _, m := range parsed {
			r.read(m)
		}
		maps.Copy(modules, parsed)
	}
}

// modules are all modules of the bundle, tests too, by file, as they were
// parsed. They are shared: who changes them takes copies.
func (s *Snapshot) modules() (map[string]*ast.Module, error) {
	if kept := s.parsed.Load(); kept != nil {
		return *kept, nil
	}
	return s.parseAgain(func(file) bool { return true })
}

// liveParsed are those of modules that decide.
func (s *Snapshot) liveParsed() (map[string]*ast.Module, error) {
	if kept := s.parsed.Load(); kept != nil {
		return liveModules(*kept), nil
	}
	return s.parseAgain(func(f file) bool { return !isTest(f.name) })
}

func (s *Snapshot) parseAgain(wanted func(file) bool) (map[string]*ast.Module, error) {
	manifest, err := readManifest(s.files)
	if err != nil {
		return nil, err
	}
	return parse(slices.DeleteFunc(slices.Clone(s.files), func(f file) bool { return !wanted(f) }), manifest)
}

// Codes lists the METADATA of every rule that has a custom.code, sorted by
// code. The codes are unique. The first call reads the modules of a tested bundle
// that were left alone; where those cannot be read, which the logger hears, the
// codes are those of the rules that decide.
func (s *Snapshot) Codes() []Code {
	if !s.opts.Tested {
		return slices.Clone(s.codes)
	}
	s.codesMu.Lock()
	defer s.codesMu.Unlock()
	if s.allCodes == nil {
		s.allCodes = s.codes
		live, err := s.liveParsed()
		var codes []Code
		if err == nil {
			codes, err = readCodes(live)
		}
		if err != nil {
			s.opts.logger().Error("the rest of a policy that passed the gate before cannot be read now", slog.String("digest", s.digest), slog.Any("error", err))
		} else {
			s.allCodes = codes
		}
	}
	return slices.Clone(s.allCodes)
}

// Documents reports whether a rule of the bundle, or the engine itself, has the
// code. It is cheap for the codes of rules that decide.
func (s *Snapshot) Documents(code string) bool {
	return s != nil && (s.documented[code] || s.opts.Tested && slices.ContainsFunc(s.Codes(), func(c Code) bool { return c.Code == code }))
}
