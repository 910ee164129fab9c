package journal

// Queued is how many callers of Commit wait for the writer.
func (j *Journal) Queued() int { return len(j.requests) }

// WithPragmas sets pragmas on the writer's connection.
func (c Config) WithPragmas(p ...string) Config {
	c.pragmas = p
	return c
}
