-- The log. A row is written once. leaf = SHA-256(0x00 || canonical JSON of
-- every other column); there body_digest reads "sha256:" and its hex digits.
-- at is in microseconds since 1970 UTC.
CREATE TABLE journal (
	seq         INTEGER PRIMARY KEY,
	id          TEXT NOT NULL UNIQUE,
	kind        TEXT NOT NULL CHECK (kind IN ('event', 'decision')),
	origin      TEXT NOT NULL CHECK (origin IN ('gateway', 'external')),
	type        TEXT NOT NULL,
	at          INTEGER NOT NULL,
	target      TEXT NOT NULL,
	task        TEXT NOT NULL,
	attempt     TEXT NOT NULL,
	body_digest BLOB NOT NULL CHECK (length(body_digest) = 32),
	leaf        BLOB NOT NULL CHECK (length(leaf) = 32)
) STRICT;

CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- Events are found by these; decisions have their own table and pay nothing.
CREATE INDEX journal_event ON journal (seq) WHERE kind = 'event';
CREATE INDEX journal_event_type ON journal (type, seq) WHERE kind = 'event';
CREATE INDEX journal_event_target ON journal (target, seq) WHERE kind = 'event' AND target <> '';
CREATE INDEX journal_event_task ON journal (task, seq) WHERE kind = 'event' AND task <> '';
CREATE INDEX journal_event_attempt ON journal (attempt, seq) WHERE kind = 'event' AND attempt <> '';

-- Bodies, one for each record and like it never changed: in the order of the
-- log, because an index over digests would touch a page of its own for each.
-- The first byte of bytes is 0 for raw, 1 for zstd.
CREATE TABLE body (
	seq   INTEGER PRIMARY KEY,
	bytes BLOB NOT NULL
) STRICT;

CREATE TRIGGER body_no_update BEFORE UPDATE ON body
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER body_no_delete BEFORE DELETE ON body
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- Parts of decisions' inputs, each once; old ones may be pruned.
CREATE TABLE blob (
	digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
	bytes  BLOB NOT NULL
) STRICT;

-- The Merkle tree's subtrees of 256 leaves: tile n covers records 256n+1 to 256n+256.
CREATE TABLE tile (
	n    INTEGER PRIMARY KEY,
	hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE checkpoint (
	size INTEGER PRIMARY KEY,
	note TEXT NOT NULL
) STRICT;

CREATE TABLE meta (
	key   TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;
