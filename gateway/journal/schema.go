package journal

import (
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed projections.sql
var projectionSchema string

// foldVersion changes when the same events fold to something else, so that
// projections are rebuilt at the next start.
const foldVersion = 1

// projectionTables are those of projections.sql, in the order of their digest.
var projectionTables = []string{
	"artifact", "attempt", "decision", "decision_code", "decision_fresh", "edge", "fact", "halt", "node", "pull_request", "target", "task", "token",
}

// projectionStamp names the schema and the fold that made the projections.
func projectionStamp() string {
	d := sum([]byte(projectionSchema))
	return strconv.Itoa(foldVersion) + ":" + hex.EncodeToString(d[:8])
}

// migrate runs the migrations that the database has not seen, each in a
// transaction of its own, and reports whether the projections are of another
// schema or fold and must be rebuilt.
func migrate(ctx context.Context, db *conn) (stale bool, err error) {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return false, fmt.Errorf("read migrations: %w", err)
	}
	r, _, err := db.one(ctx, `PRAGMA user_version`)
	if err != nil {
		return false, fmt.Errorf("read schema version: %w", err)
	}
	version := r.int(0)
	if version > len(entries) {
		return false, fmt.Errorf("open journal: its schema is version %d, this release knows %d: run the newer release", version, len(entries))
	}
	for i, e := range entries[version:] {
		number := version + i + 1
		if !strings.HasPrefix(e.Name(), fmt.Sprintf("%04d_", number)) {
			return false, fmt.Errorf("migrate journal: %s is not number %d", e.Name(), number)
		}
		text, err := migrations.ReadFile("migrations/" + e.Name())
		if err != nil {
			return false, fmt.Errorf("migrate journal: %w", err)
		}
		script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA user_version = %d;\nCOMMIT;", text, number)
		if err := db.script(script); err != nil {
			return false, errors.Join(fmt.Errorf("migrate journal with %s: %w", e.Name(), err), db.script("ROLLBACK"))
		}
	}
	r, found, err := db.one(ctx, `SELECT value FROM meta WHERE key = 'projections'`)
	if err != nil {
		return false, fmt.Errorf("read projections' version: %w", err)
	}
	return !found || r.str(0) != projectionStamp(), nil
}

// recreate drops every projection and makes it empty, in db's transaction.
func recreate(db *conn) error {
	for _, t := range projectionTables {
		if err := db.script("DROP TABLE IF EXISTS " + t); err != nil {
			return fmt.Errorf("drop projection %s: %w", t, err)
		}
	}
	if err := db.script(projectionSchema); err != nil {
		return fmt.Errorf("make projections: %w", err)
	}
	return db.exec(`INSERT INTO meta (key, value) VALUES ('projections', ?)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, projectionStamp())
}

// sorted is s in order, each value once; s is left alone.
func sorted(s []string) []string {
	if len(s) < 2 {
		return s
	}
	out := slices.Clone(s)
	slices.Sort(out)
	return slices.Compact(out)
}
