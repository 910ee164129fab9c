package facts

import (
	"errors"
	"go/parser"
	"go/scanner"
	"go/token"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
)

// parseModule reads a go.mod file.
func parseModule(file string, data []byte) (*Module, []Problem) {
	f, err := modfile.Parse(file, data, nil)
	if err != nil {
		var many modfile.ErrorList
		if !errors.As(err, &many) {
			return nil, []Problem{{Place{file, 1, 1}, "module_syntax", err.Error()}}
		}
		var problems []Problem
		for _, e := range many {
			message := e.Verb
			if e.Err != nil {
				message = strings.TrimSpace(message + " " + e.Err.Error())
			}
			problems = append(problems, Problem{Place{file, max(1, e.Pos.Line), max(1, e.Pos.LineRune)}, "module_syntax", message})
		}
		return nil, problems
	}
	at := func(line *modfile.Line) Place {
		if line == nil {
			return Place{file, 1, 1}
		}
		return Place{file, line.Start.Line, line.Start.LineRune}
	}
	out := &Module{Imports: map[string]Import{}, Go: Versioned{Place: Place{file, 1, 1}}, Toolchain: Versioned{Place: Place{file, 1, 1}}}
	if f.Module != nil {
		out.Path = f.Module.Mod.Path
	}
	if f.Go != nil {
		out.Go = Versioned{at(f.Go.Syntax), f.Go.Version}
	}
	if f.Toolchain != nil {
		out.Toolchain = Versioned{at(f.Toolchain.Syntax), f.Toolchain.Name}
	}
	for _, r := range f.Require {
		out.Requires = append(out.Requires, Require{at(r.Syntax), r.Mod.Path, r.Mod.Version, r.Indirect})
	}
	for _, r := range f.Replace {
		out.Replaces = append(out.Replaces, Replace{at(r.Syntax), r.Old.Path, r.New.Path})
	}
	for _, t := range f.Tool {
		out.Tools = append(out.Tools, t.Path)
	}
	return out, nil
}

// A goImport is an import of one file.
type goImport struct {
	path string
	Import
}

// parseImports reads the imports of a Go file, without the standard library's:
// their first element has no dot. A file that no build has imports nothing.
func parseImports(file string, data []byte) ([]goImport, []Problem) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, data, parser.ImportsOnly|parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, []Problem{goProblem(file, err)}
	}
	if ignored(f) {
		return nil, nil
	}
	var out []goImport
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if first, _, _ := strings.Cut(name, "/"); err != nil || !strings.Contains(first, ".") {
			continue
		}
		pos := set.Position(spec.Pos())
		out = append(out, goImport{name, Import{Place{file, pos.Line, pos.Column}, strings.HasSuffix(file, "_test.go")}})
	}
	return out, nil
}

// goProblem is a syntax error of a Go file.
func goProblem(file string, err error) Problem {
	at, message := Place{file, 1, 1}, err.Error()
	var many scanner.ErrorList
	if errors.As(err, &many) && len(many) > 0 {
		at.Line, at.Column, message = max(1, many[0].Pos.Line), max(1, many[0].Pos.Column), many[0].Msg
	}
	return Problem{at, "go_syntax", message}
}

// parseTools reads a file that gives versions of tools.
func parseTools(file, text string) (out []Tool) {
	name := toolFiles[file[strings.LastIndexByte(file, '/')+1:]]
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		at := Place{file, i + 1, 1}
		switch {
		case name != "":
			out = append(out, Tool{at, name, words[0]})
		case len(words) > 1:
			out = append(out, Tool{at, words[0], words[1]})
		}
	}
	return out
}
