-- How far each consumer of the log has come. at is in microseconds since 1970
-- UTC. No part of the log: a cursor moves without a record.
CREATE TABLE cursor (
	name TEXT NOT NULL PRIMARY KEY,
	seq  INTEGER NOT NULL,
	at   INTEGER NOT NULL
) STRICT;
