package repository

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"leviathan/gateway"
)

// UpstreamRef reads one ref from the upstream now; gateway.ZeroOID if it does
// not exist. What cannot be had is gateway.Unknown.
func (m *Mirror) UpstreamRef(ctx context.Context, ref string) (gateway.OID, error) {
	if m.local != nil {
		if id, ok := m.local.readRef(ref); ok {
			return id, nil
		}
	}
	adv, err := m.advertised(ctx)
	if err != nil {
		return "", err
	}
	if id, ok := adv.refs[ref]; ok {
		return id, nil
	}
	return gateway.ZeroOID, nil
}

// plainRef is what a file of a ref holds that is not symbolic.
var plainRef = regexp.MustCompile(`^[0-9a-f]{40}\n$`)

// refStorage in a config says that refs may lie elsewhere than in files.
var refStorage = regexp.MustCompile(`(?i)refstorage`)

// readRef reads a ref as git does, from its file and else from packed-refs, in
// the order that a repacking of refs cannot come between. It is sure only of a
// bare repository of the usual layout whose refs are files; where it is not, ok
// is false and git is to be asked.
func (t *pathTransport) readRef(ref string) (id gateway.OID, ok bool) {
	if !validRef(ref) || !t.plainLayout() {
		return "", false
	}
	data, err := os.ReadFile(filepath.Join(t.path, ref))
	switch {
	case err == nil && plainRef.Match(data):
		return gateway.OID(data[:40]), true
	case err == nil:
		return "", false
	case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.EISDIR):
		return "", false
	}
	refs, err := readRefs(t.path)
	if err != nil {
		return "", false
	}
	if id, ok := refs[ref]; ok {
		return id, true
	}
	return gateway.ZeroOID, true
}

// plainLayout reports whether the path is itself a git directory, and neither
// a working tree, nor a link to one, nor one whose refs are kept in a table.
func (t *pathTransport) plainLayout() bool {
	for _, dir := range []string{"objects", "refs/heads"} {
		if info, err := os.Stat(filepath.Join(t.path, dir)); err != nil || !info.IsDir() {
			return false
		}
	}
	// git tries these before, or reads the refs of another directory
	for _, name := range []string{".git", "commondir"} {
		if _, err := os.Lstat(filepath.Join(t.path, name)); !errors.Is(err, os.ErrNotExist) {
			return false
		}
	}
	head, err := os.ReadFile(filepath.Join(t.path, "HEAD"))
	if err != nil || strings.TrimSpace(string(head)) == "ref: refs/heads/.invalid" {
		return false
	}
	config, err := os.ReadFile(filepath.Join(t.path, "config"))
	return err == nil && !refStorage.Match(config)
}
