package repository

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"leviathan/gateway"
)

// pinPrefix begins the refs that keep commits alive whatever the upstream does.
const pinPrefix = "refs/leviathan/pins/"

const packedRefs = "packed-refs"

const packedHeader = "# pack-refs with: peeled fully-peeled sorted \n"

// readRefs reads packed-refs; a missing file has no refs.
func readRefs(dir string) (Refs, error) {
	data, err := os.ReadFile(filepath.Join(dir, packedRefs))
	if errors.Is(err, os.ErrNotExist) {
		return Refs{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	refs := Refs{}
	sc := bufio.NewScanner(bytes.NewReader(data))
	for sc.Scan() {
		line := sc.Text()
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "^") || line == "" {
			continue
		}
		id, name, ok := strings.Cut(line, " ")
		if !ok || !gateway.OID(id).Valid() {
			return nil, fmt.Errorf("packed-refs of %s: line %q is not a ref", dir, line)
		}
		refs[name] = gateway.OID(id)
	}
	return refs, sc.Err()
}

// writeRefs replaces packed-refs in one step.
func writeRefs(dir string, refs Refs) error {
	return writeFile(filepath.Join(dir, packedRefs), formatRefs(refs))
}

// formatRefs is the text of packed-refs.
func formatRefs(refs Refs) []byte {
	var b bytes.Buffer
	b.WriteString(packedHeader)
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintf(&b, "%s %s\n", refs[name], name)
	}
	return b.Bytes()
}

// validRef reports whether name is a full ref that git would take:
// git-check-ref-format, and nothing but printable ASCII and UTF-8.
func validRef(name string) bool {
	if !strings.HasPrefix(name, "refs/") || len(name) > 1024 || strings.HasSuffix(name, "/") || strings.HasSuffix(name, ".") {
		return false
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.Contains(name, "//") || !printable(name) {
		return false
	}
	if strings.ContainsAny(name, " ~^:?*[\\") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// validKey reports whether id can be the name of a pin or a kept push.
func validKey(id string) bool {
	if id == "" || len(id) > 64 || id[0] == '.' || id[0] == '-' || strings.HasSuffix(id, ".lock") || strings.Contains(id, "..") || id[len(id)-1] == '.' {
		return false
	}
	for _, c := range []byte(id) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}
