package facts

import (
	"path"
	"strings"
)

// A fileKind says who parses a file.
type fileKind int

const (
	kindOther fileKind = iota
	kindYAML
	kindMarkdown
	kindModule
	kindGo
	kindDockerfile
	kindScript
	kindTool
)

// toolFiles are files of one version each, and the tool that it is of.
var toolFiles = map[string]string{
	".go-version": "go", ".nvmrc": "node", ".node-version": "node", ".python-version": "python", ".ruby-version": "ruby",
	".terraform-version": "terraform", ".tool-versions": "",
}

// kindOf is the kind of a file by its name and, where the name does not say
// whether it is a script, by its first bytes.
func (t *tree) kindOf(name string, file File) fileKind {
	base := path.Base(name)
	ext := path.Ext(base)
	if _, ok := toolFiles[base]; ok {
		return kindTool
	}
	switch {
	case ext == ".yaml" || ext == ".yml" || base == "Kustomization":
		return kindYAML
	case ext == ".md" || ext == ".markdown":
		return kindMarkdown
	case ext == ".mod":
		return kindModule
	case ext == ".go":
		return kindGo
	case ext == ".sh":
		return kindScript
	case base == "Dockerfile" || base == "Containerfile" || strings.HasPrefix(base, "Dockerfile.") || ext == ".Dockerfile":
		return kindDockerfile
	case file.Exec && !strings.Contains(base, ".") && t.isShell(name):
		return kindScript
	}
	return kindOther
}

// isShell reports whether the file begins with the line of a shell.
func (t *tree) isShell(name string) bool {
	f, err := t.root.Open(name)
	if err != nil {
		return false // listed as it is; only what is parsed must be readable
	}
	defer func() { _ = f.Close() }() // nothing was written
	head := make([]byte, 64)
	n, _ := f.Read(head) // no byte is no shebang
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	rest, ok := strings.CutPrefix(line, "#!")
	if !ok {
		return false
	}
	for _, word := range strings.Fields(rest) {
		switch path.Base(word) {
		case "sh", "bash", "dash":
			return true
		}
	}
	return false
}
