package repository

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"leviathan/gateway"
)

// indexPath is where the index of a pack lies.
func indexPath(pack string) string { return strings.TrimSuffix(pack, ".pack") + ".idx" }

// syncPack makes the quarantine's pack durable, for install.
func (p *Push) syncPack() error {
	return errors.Join(syncFile(p.pack.path), syncFile(indexPath(p.pack.path)))
}

// install takes the objects of a push that the upstream has into the mirror.
// What fails here is Unknown: the effect is there, and Fetch will bring it.
//
// A mirror that was rewritten since the check may have dropped what the push
// builds on: then nothing is taken, and Fetch brings the whole.
func (p *Push) install(synced func() error) error {
	if err := synced(); err != nil {
		return gateway.Errorf(gateway.Unknown, "the upstream has the commit; its pack could not be made durable: %v", err)
	}
	if p.rewrites != p.m.rewrites() {
		return p.Discard()
	}
	if err := p.movePack(); err != nil {
		return gateway.Errorf(gateway.Unknown, "the upstream has the commit; the mirror could not take it: %v", err)
	}
	// The pack is durable in its place before a ref needs it.
	err := p.m.showRef(p.Ref(), p.New(), func() error { return syncDir(p.m.packDir()) })
	if err != nil {
		return gateway.Errorf(gateway.Unknown, "the upstream has the commit; the mirror's ref could not be written: %v", err)
	}
	return p.Discard()
}

// movePack gives the quarantine's pack its place in the mirror, and shows it.
func (p *Push) movePack() error {
	if p.pack.n == 0 {
		return nil
	}
	target := filepath.Join(p.m.packDir(), filepath.Base(p.pack.path))
	if _, err := os.Stat(indexPath(target)); err == nil {
		return nil // the very pack is there already
	}
	if err := os.Rename(p.pack.path, target); err != nil {
		return fmt.Errorf("install pack: %w", err)
	}
	if err := os.Rename(indexPath(p.pack.path), indexPath(target)); err != nil {
		return fmt.Errorf("install pack: %w", err)
	}
	installed, err := openPack(target)
	if err != nil {
		return err
	}
	return p.m.addPack(installed)
}
