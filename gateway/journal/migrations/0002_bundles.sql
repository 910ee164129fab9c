-- The bundles that decided, each once, by the SHA-256 of its bytes: what a
-- replay, a rollback and a start without the source need. Never pruned. The
-- first byte of bytes is as in body.
CREATE TABLE bundle (
	digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
	bytes  BLOB NOT NULL
) STRICT;

CREATE TRIGGER bundle_no_update BEFORE UPDATE ON bundle
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER bundle_no_delete BEFORE DELETE ON bundle
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
