package openapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"strings"
)

// Comments are what the source says of types and of their fields, by the name
// of the package, the type and the field, joined by dots.
type Comments map[string]string

// ReadComments reads the comments of exported types in the Go files of fsys's
// root, tests left out.
func ReadComments(fsys fs.FS) (Comments, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("reading comments: %w", err)
	}
	out := Comments{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		data, err := fs.ReadFile(fsys, e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading comments: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("reading comments: %w", err)
		}
		out.of(file)
	}
	return out, nil
}

func (c Comments) of(file *ast.File) {
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.TypeSpec)
			key := file.Name.Name + "." + spec.Name.Name
			c.put(key, spec.Doc, decl.Doc)
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range structure.Fields.List {
				for _, name := range f.Names {
					c.put(key+"."+name.Name, f.Doc, f.Comment)
				}
			}
		}
	}
}

// put keeps the first of several comments that says something, on one line.
func (c Comments) put(key string, groups ...*ast.CommentGroup) {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			c[key] = text
			return
		}
	}
}

func (c Comments) typ(t reflect.Type) string {
	name := t.String()
	return c[name]
}

func (c Comments) field(owner reflect.Type, name string) string { return c[owner.String()+"."+name] }
