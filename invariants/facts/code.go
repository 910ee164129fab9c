package facts

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strconv"
	"strings"
)

const maxStringBytes = 200

// A goCode is a GoFile with what is needed to resolve its constants.
type goCode struct {
	GoFile
	constants map[string]ast.Expr   // of the package, by name
	local     map[string][]ast.Expr // of functions, by function and name
	exprs     [][]ast.Expr          // of each row's fields
}

// inCode reports whether the settings ask for all of the file.
func (t *tree) inCode(file string) bool { return slices.Contains(t.opts.Code, path.Dir(file)) }

// parseCode reads a Go file of the folders of code.
func parseCode(file string, data []byte) (*goCode, []Problem) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, []Problem{goProblem(file, err)}
	}
	r := codeReader{set: set, file: file, out: &goCode{constants: map[string]ast.Expr{}, local: map[string][]ast.Expr{},
		GoFile: GoFile{Package: f.Name.Name, Test: strings.HasSuffix(file, "_test.go"),
			Functions: []GoFunction{}, Strings: []GoString{}, Rows: []GoRow{}, Embeds: []GoEmbed{}}}}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if patterns, ok := strings.CutPrefix(c.Text, "//go:embed "); ok {
				for _, pattern := range strings.Fields(patterns) {
					r.out.Embeds = append(r.out.Embeds, GoEmbed{r.at(c), strings.Trim(pattern, "\"`")})
				}
			}
		}
	}
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			r.function(d)
		case *ast.GenDecl:
			if d.Tok != token.IMPORT {
				r.walk(d, "")
			}
		}
	}
	return r.out, nil
}

type codeReader struct {
	set  *token.FileSet
	file string
	out  *goCode
}

func (r codeReader) at(n ast.Node) Place {
	pos := r.set.Position(n.Pos())
	return Place{r.file, pos.Line, pos.Column}
}

func (r codeReader) function(d *ast.FuncDecl) {
	f := GoFunction{Place: r.at(d), Name: d.Name.Name, Skips: d.Body == nil}
	if d.Recv != nil && len(d.Recv.List) > 0 {
		receiver, _, _ := strings.Cut(types.ExprString(d.Recv.List[0].Type), "[")
		f.Receiver = strings.TrimPrefix(receiver, "*")
	}
	if d.Body != nil && len(d.Body.List) > 0 {
		f.Skips = isSkip(d.Body.List[0])
	}
	r.out.Functions = append(r.out.Functions, f)
	if d.Body != nil {
		r.walk(d.Body, d.Name.Name)
	}
}

// isSkip reports whether a statement skips the test that it stands in.
func isSkip(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method.Sel.Name)
}

// walk takes strings, tables and constants out of what a function or a
// declaration has.
func (r codeReader) walk(root ast.Node, function string) {
	ast.Inspect(root, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if value, ok := stringOf(n); ok && value != "" && len(value) <= maxStringBytes {
				r.out.Strings = append(r.out.Strings, GoString{r.at(n), value, function})
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				switch {
				case i >= len(n.Values):
				case function == "":
					r.out.constants[name.Name] = n.Values[i]
				default:
					r.out.local[function+" "+name.Name] = append(r.out.local[function+" "+name.Name], n.Values[i])
				}
			}
		case *ast.CompositeLit:
			if slice, ok := n.Type.(*ast.ArrayType); ok {
				r.rows(n, types.ExprString(slice.Elt), function)
			}
		}
		return true
	})
}

func (r codeReader) rows(list *ast.CompositeLit, kind, function string) {
	for _, element := range list.Elts {
		literal, ok := element.(*ast.CompositeLit)
		if !ok {
			continue
		}
		row := GoRow{Place: r.at(literal), Function: function, Type: kind, Fields: []GoField{}}
		exprs := []ast.Expr{}
		for _, field := range literal.Elts {
			f := GoField{}
			if keyed, ok := field.(*ast.KeyValueExpr); ok {
				f.Name, field = types.ExprString(keyed.Key), keyed.Value
			}
			f.Text = types.ExprString(field)
			if text, ok := stringOf(field); ok {
				f.Text = text
			}
			row.Fields, exprs = append(row.Fields, f), append(exprs, field)
		}
		r.out.Rows, r.out.exprs = append(r.out.Rows, row), append(r.out.exprs, exprs)
	}
}

func stringOf(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

// resolve fills in the values of the rows: strings, and constants of the
// folders of code, a package's name standing for its folder.
func resolve(files map[string]*goCode) {
	packages := map[string]map[string]ast.Expr{}
	for _, file := range sortedKeys(files) {
		code := files[file]
		if packages[code.Package] == nil {
			packages[code.Package] = map[string]ast.Expr{}
		}
		for name, e := range code.constants {
			packages[code.Package][name] = e
		}
	}
	for _, code := range files {
		for i, exprs := range code.exprs {
			row := &code.Rows[i]
			for j, e := range exprs {
				row.Fields[j].Value, row.Fields[j].Known = code.value(e, row.Function, packages, 0)
			}
		}
	}
}

// maxConstants is how many constants a value may lead through.
const maxConstants = 10

func (c *goCode) value(e ast.Expr, function string, packages map[string]map[string]ast.Expr, depth int) (string, bool) {
	if text, ok := stringOf(e); ok {
		return text, true
	}
	if depth == maxConstants {
		return "", false
	}
	switch e := e.(type) {
	case *ast.Ident:
		// A name that two blocks of a function define may be either.
		if local := c.local[function+" "+e.Name]; len(local) > 0 {
			if len(local) > 1 {
				return "", false
			}
			return c.value(local[0], function, packages, depth+1)
		}
		if next := packages[c.Package][e.Name]; next != nil {
			return c.value(next, "", packages, depth+1)
		}
	case *ast.SelectorExpr:
		if name, ok := e.X.(*ast.Ident); ok {
			if next := packages[name.Name][e.Sel.Name]; next != nil {
				other := &goCode{GoFile: GoFile{Package: name.Name}}
				return other.value(next, "", packages, depth+1)
			}
		}
	}
	return "", false
}

// ignored reports whether no build has the file, whatever its tags: the go
// command counts it for no module.
func ignored(f *ast.File) bool {
	for _, group := range f.Comments {
		if group.Pos() >= f.Package {
			return false
		}
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			return err == nil && !expr.Eval(func(tag string) bool { return tag != "ignore" }) &&
				!expr.Eval(func(string) bool { return false })
		}
	}
	return false
}

// relateCode makes the facts that follow from several Go files.
func relateCode(f *Facts, all []*parsed) {
	moduleImports(f, all)
	files := map[string]*goCode{}
	for _, p := range all {
		if p.code != nil {
			files[p.path] = p.code
		}
	}
	resolve(files)
	for file, code := range files {
		f.Code[file] = &code.GoFile
	}
}

// moduleImports gives each module what the files of its folder import.
func moduleImports(f *Facts, all []*parsed) {
	for _, p := range all {
		module := owner(f.Modules, p.path)
		if module == nil {
			continue
		}
		for _, i := range p.imports {
			known, ok := module.Imports[i.path]
			if !ok || known.Test && !i.Test {
				module.Imports[i.path] = i.Import
			}
		}
	}
}

// owner is the module that a file belongs to: the nearest go.mod above it. The
// go command leaves out folders whose names begin with _ or a dot.
func owner(modules map[string]*Module, file string) *Module {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if m := modules[path.Join(dir, "go.mod")]; m != nil {
			return m
		}
		if base := path.Base(dir); dir == "." || base[0] == '_' || base[0] == '.' {
			return nil
		}
	}
}
