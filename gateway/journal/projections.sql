-- What is folded from the log. Every table here can be dropped and filled
-- again, equal; a change of this file makes the next start do so. Columns that
-- end in _us are microseconds since 1970 UTC, 0 for none; those that end in
-- _seq are records.

-- The last record that can change what is known about a target ('' = about all).
CREATE TABLE fact (
	target TEXT NOT NULL PRIMARY KEY,
	seq    INTEGER NOT NULL
) STRICT;

CREATE TABLE target (
	target              TEXT NOT NULL PRIMARY KEY,
	registered          TEXT NOT NULL DEFAULT '',
	circuit             TEXT NOT NULL DEFAULT 'closed',
	cause               TEXT NOT NULL DEFAULT '',
	opened_us           INTEGER NOT NULL DEFAULT 0,
	until_us            INTEGER NOT NULL DEFAULT 0,
	cooldown_seconds    INTEGER NOT NULL DEFAULT 0,
	probe               TEXT NOT NULL DEFAULT '',
	reset_seq           INTEGER NOT NULL DEFAULT 0,
	consecutive         INTEGER NOT NULL DEFAULT 0,
	infrastructure      INTEGER NOT NULL DEFAULT 0,
	infrastructure_task TEXT NOT NULL DEFAULT '',
	reserved_day        TEXT NOT NULL DEFAULT '',
	reserved_count      INTEGER NOT NULL DEFAULT 0,
	unlisted            TEXT NOT NULL DEFAULT '[]',
	unlisted_us         INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE task (
	target          TEXT NOT NULL,
	task            TEXT NOT NULL,
	completed       INTEGER NOT NULL DEFAULT 0,
	closed_digest   TEXT NOT NULL DEFAULT '',
	blocked         INTEGER NOT NULL DEFAULT 0,
	blocked_digest  TEXT NOT NULL DEFAULT '',
	digest          TEXT NOT NULL DEFAULT '',
	attempts        INTEGER NOT NULL DEFAULT 0,
	counted         INTEGER NOT NULL DEFAULT 0,
	infrastructure  INTEGER NOT NULL DEFAULT 0,
	last_failure_us INTEGER NOT NULL DEFAULT 0,
	live            TEXT NOT NULL DEFAULT '',
	open_pr         INTEGER NOT NULL DEFAULT 0,
	reset_seq       INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (target, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
	attempt           TEXT NOT NULL PRIMARY KEY,
	target            TEXT NOT NULL,
	task              TEXT NOT NULL,
	number            INTEGER NOT NULL,
	state             TEXT NOT NULL,
	live              INTEGER NOT NULL,
	digest            TEXT NOT NULL,
	base_commit       TEXT NOT NULL,
	branch            TEXT NOT NULL,
	agent             TEXT NOT NULL,
	probe             INTEGER NOT NULL,
	snapshot          TEXT NOT NULL,
	timeout_seconds   INTEGER NOT NULL,
	lease_seconds     INTEGER NOT NULL,
	start_deadline_us INTEGER NOT NULL,
	decision_id       TEXT NOT NULL,
	created_us        INTEGER NOT NULL,
	seq               INTEGER NOT NULL,
	instance          TEXT NOT NULL DEFAULT '',
	start_decision_id TEXT NOT NULL DEFAULT '',
	trace_parent      TEXT NOT NULL DEFAULT '',
	started_us        INTEGER NOT NULL DEFAULT 0,
	deadline_us       INTEGER NOT NULL DEFAULT 0,
	lease_us          INTEGER NOT NULL DEFAULT 0,
	progress          TEXT NOT NULL DEFAULT '',
	push_attempts     INTEGER NOT NULL DEFAULT 0,
	intent            TEXT NOT NULL DEFAULT '',
	pushed_commit     TEXT NOT NULL DEFAULT '',
	pushed_tree       TEXT NOT NULL DEFAULT '',
	evidence          TEXT NOT NULL DEFAULT '',
	proposed_seq      INTEGER NOT NULL DEFAULT 0,
	ended_seq         INTEGER NOT NULL DEFAULT 0,
	ended_us          INTEGER NOT NULL DEFAULT 0,
	failure_type      TEXT NOT NULL DEFAULT '',
	error_summary     TEXT NOT NULL DEFAULT '',
	invalidated       INTEGER NOT NULL DEFAULT 0,
	-- What the end says about the task: 1 a counted failure, 2 one of the
	-- machinery, 0 neither, or invalidated.
	failure           INTEGER NOT NULL DEFAULT 0,
	UNIQUE (target, task, number)
) STRICT;
CREATE INDEX attempt_live ON attempt (target, attempt) WHERE live = 1;
CREATE INDEX attempt_failure ON attempt (target, ended_seq) WHERE failure <> 0;
CREATE INDEX attempt_proposed ON attempt (target, proposed_seq) WHERE proposed_seq <> 0;
CREATE INDEX attempt_created ON attempt (target, created_us);
CREATE INDEX attempt_intent ON attempt (attempt) WHERE intent <> '';

CREATE TABLE pull_request (
	attempt     TEXT NOT NULL PRIMARY KEY,
	target      TEXT NOT NULL,
	task        TEXT NOT NULL,
	number      INTEGER NOT NULL,
	url         TEXT NOT NULL DEFAULT '',
	branch      TEXT NOT NULL,
	commit_sha  TEXT NOT NULL,
	title       TEXT NOT NULL,
	state       TEXT NOT NULL,
	open        INTEGER NOT NULL,
	how         TEXT NOT NULL DEFAULT '',
	intended_us INTEGER NOT NULL,
	created_us  INTEGER NOT NULL DEFAULT 0,
	ended_us    INTEGER NOT NULL DEFAULT 0,
	decision_id TEXT NOT NULL,
	text_digest TEXT NOT NULL DEFAULT '',
	review      TEXT NOT NULL DEFAULT '',
	conflicts   INTEGER NOT NULL DEFAULT 0,
	edited      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX pull_request_target ON pull_request (target, intended_us, attempt);
CREATE UNIQUE INDEX pull_request_number ON pull_request (target, number) WHERE number <> 0 AND state IN ('open', 'merged', 'closed');
CREATE INDEX pull_request_open ON pull_request (target, intended_us, attempt) WHERE open = 1;
CREATE INDEX pull_request_task ON pull_request (target, task) WHERE open = 1;
CREATE INDEX pull_request_intent ON pull_request (attempt) WHERE state = 'intended';

CREATE TABLE halt (
	target TEXT NOT NULL PRIMARY KEY,
	reason TEXT NOT NULL,
	by     TEXT NOT NULL,
	at_us  INTEGER NOT NULL
) STRICT;

CREATE TABLE token (
	id         TEXT NOT NULL PRIMARY KEY,
	role       TEXT NOT NULL,
	target     TEXT NOT NULL,
	hash       TEXT NOT NULL UNIQUE,
	created_us INTEGER NOT NULL,
	expires_us INTEGER NOT NULL,
	revoked_us INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE artifact (
	attempt TEXT NOT NULL,
	name    TEXT NOT NULL,
	id      TEXT NOT NULL,
	sha256  TEXT NOT NULL,
	type    TEXT NOT NULL,
	size    INTEGER NOT NULL,
	path    TEXT NOT NULL,
	at_us   INTEGER NOT NULL,
	PRIMARY KEY (attempt, name)
) STRICT, WITHOUT ROWID;

-- The graph. external marks what was only claimed; a claim never changes a
-- node of the gateway's own.
CREATE TABLE node (
	id         TEXT NOT NULL PRIMARY KEY,
	type       TEXT NOT NULL,
	target     TEXT NOT NULL,
	state      TEXT NOT NULL,
	external   INTEGER NOT NULL,
	properties TEXT NOT NULL,
	created_us INTEGER NOT NULL,
	updated_us INTEGER NOT NULL,
	seq        INTEGER NOT NULL
) STRICT;
CREATE INDEX node_seq ON node (type, seq);
CREATE INDEX node_target ON node (type, target, seq);
CREATE INDEX node_state ON node (type, state, seq);
CREATE INDEX node_target_state ON node (type, target, state, seq);

CREATE TABLE edge (
	type     TEXT NOT NULL,
	source   TEXT NOT NULL,
	sink     TEXT NOT NULL,
	external INTEGER NOT NULL,
	PRIMARY KEY (type, source, sink)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_sink ON edge (type, sink, source);

-- What decisions are found by. A decision touches one page here, not one of
-- each index: it stands in decision_fresh until the next record whose seq is a
-- multiple of 256, and then moves with its fellows. Whoever reads decisions
-- reads both.
CREATE TABLE decision_fresh (
	seq           INTEGER PRIMARY KEY,
	action        TEXT NOT NULL,
	allow         INTEGER NOT NULL,
	dry_run       INTEGER NOT NULL,
	target        TEXT NOT NULL,
	task          TEXT NOT NULL,
	attempt       TEXT NOT NULL,
	revision      TEXT NOT NULL,
	policy_digest TEXT NOT NULL,
	asked_by      TEXT NOT NULL,
	masked        INTEGER NOT NULL,
	codes         TEXT NOT NULL -- a JSON array, sorted, each once
) STRICT;

CREATE TABLE decision (
	seq           INTEGER PRIMARY KEY,
	action        TEXT NOT NULL,
	allow         INTEGER NOT NULL,
	dry_run       INTEGER NOT NULL,
	target        TEXT NOT NULL,
	task          TEXT NOT NULL,
	attempt       TEXT NOT NULL,
	revision      TEXT NOT NULL,
	policy_digest TEXT NOT NULL,
	asked_by      TEXT NOT NULL,
	masked        INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_action ON decision (action, seq);
CREATE INDEX decision_outcome ON decision (allow, seq);
CREATE INDEX decision_masked ON decision (seq) WHERE masked = 1;
CREATE INDEX decision_target ON decision (target, seq) WHERE target <> '';
CREATE INDEX decision_task ON decision (task, seq) WHERE task <> '';
CREATE INDEX decision_attempt ON decision (attempt, seq) WHERE attempt <> '';
CREATE INDEX decision_revision ON decision (revision, seq);

CREATE TABLE decision_code (
	code   TEXT NOT NULL,
	seq    INTEGER NOT NULL,
	action TEXT NOT NULL, -- of the decision, so that counting reads nothing else
	PRIMARY KEY (code, seq)
) STRICT, WITHOUT ROWID;
