package journal

import (
	"context"
	"testing"

	"leviathan/gateway"
)

// Queued is how many callers of Commit wait for the writer.
func (j *Journal) Queued() int { return len(j.requests) + int(j.inHand.Load()) }

// WithPragmas sets pragmas on the writer's connection.
func (c Config) WithPragmas(p ...string) Config {
	c.pragmas = p
	return c
}

// A Plan is a statement that a user waits for.
type Plan struct {
	Name, SQL string
	Args      []any
}

// Plans are the statements of the queries, for every filter alone and for the
// pairs that are usual.
func Plans() []Plan {
	var out []Plan
	add := func(name, sql string, args []any) { out = append(out, Plan{name, sql, args}) }
	for name, f := range map[string]AttemptFilter{
		"attempts": {}, "attempts of target": {Target: "a"}, "attempts in state": {State: "failed"},
		"attempts of target in state": {Target: "a", State: "failed"}, "live attempts": {State: StateLive},
		"live attempts of target": {Target: "a", State: StateLive},
	} {
		sql, args := sqlAttempts(f, noBound, 10)
		add(name, sql, args)
	}
	for name, f := range map[string]EventFilter{
		"events": {}, "events of type": {Type: "x"}, "events of target": {Target: "a"}, "events of task": {Task: "t"}, "events of attempt": {Attempt: "a"},
	} {
		for _, newest := range []bool{false, true} {
			sql, args := sqlEvents(f, newest, 10)
			add(name, sql, args)
		}
	}
	at := fromMicros(1)
	for name, f := range map[string]DecisionFilter{
		"decisions": {}, "decisions by action": {Action: "x"}, "denials": {Outcome: "deny"}, "decisions by code": {Code: "x"},
		"decisions of target": {Target: "a"}, "decisions of task": {Task: "t"}, "decisions of attempt": {Attempt: "a"},
		"allowed": {Outcome: "allow"}, "allowed by action": {Outcome: "allow", Action: "x"}, "masked": {Masked: true}, "masked of target": {Masked: true, Target: "a"},
		"by code of target": {Code: "x", Target: "a"}, "of task in time": {Task: "t", Since: at}, "decisions by revision": {Revision: "r"}, "decisions in time": {Since: at, Until: at}, "denials of target": {Outcome: "deny", Target: "a"},
	} {
		for table, fresh := range map[string]bool{"": false, ", fresh": true} {
			sql, args, err := sqlDecisions(f, fresh, 1, noBound, 10)
			if err != nil {
				panic(err)
			}
			add(name+table, sql, args)
		}
	}
	for name, target := range map[string]string{"state's attempts": "a", "all live attempts": ""} {
		sql, args := liveAttempts(gateway.TargetID(target))
		add(name, sql, args)
	}
	for name, r := range map[string]DecisionRange{"replay": {}, "replay of target": {Target: "a", Since: at}, "replay of action": {Action: "x"}} {
		for table, fresh := range map[string]bool{"": false, ", fresh": true} {
			sql, args := sqlEachDecision(r, fresh, 0, 10)
			add(name+table, sql, args)
		}
	}
	add("each attempt", sqlEachAttempt, []any{"", 10})
	add("codes", sqlCodes, nil)
	add("count of code", sqlCount, []any{"x", 1})
	add("count of code by time", sqlCountByTime, []any{"x", at})
	add("count of fresh codes", sqlCountFresh, []any{at})
	add("fresh decision", selectDecision+sqlOneFresh, []any{"x"})
	add("masked decisions", sqlMasked, nil)
	add("activations", sqlActivations, []any{"bundle.activated", 10})
	add("intents", sqlIntents, nil)
	add("pull requests", sqlPulls, []any{"a", noBound, "", 10})
	add("open pull requests", selectPull+`WHERE target = ? AND open = 1 ORDER BY intended_us, attempt`, []any{"a"})
	add("token", selectToken+`WHERE hash = ?`, []any{"x"})
	add("artifacts", sqlArtifacts, []any{"a"})
	add("decision", selectDecision+sqlOneDecision, []any{"x"})
	add("task", selectTask+`WHERE target = ? AND task = ?`, []any{"a", "t"})
	for name, f := range map[string]NodeFilter{"nodes": {}, "nodes of target": {Target: "a"}, "nodes of type": {Type: gateway.NodeTask}, "nodes of type and target": {Type: gateway.NodeTask, Target: "a"}} {
		types, err := kinds(f.Type, gateway.NodeTypes())
		if err != nil {
			panic(err)
		}
		sql, args := sqlNodes(f, types, noBound, "", 10)
		add(name, sql, args)
	}
	for name, f := range map[string]EdgeFilter{"edges": {}, "edges of node": {Node: "a"}, "edges of type": {Type: gateway.EdgeProduced}} {
		types, err := kinds(f.Type, gateway.EdgeTypes())
		if err != nil {
			panic(err)
		}
		sql, args := sqlEdges(f, types, edgeKey{}, 10)
		add(name, sql, args)
	}
	add("node", sqlNode, []any{"a"})
	add("what an attempt left", sqlProduced, []any{"a"})
	add("what a task waits for", sqlDepends, []any{"a"})
	return out
}

// Explain is SQLite's plan of a statement, a line for each step.
func (j *Journal) Explain(ctx context.Context, p Plan) (steps []string, err error) {
	err = j.readers.read(ctx, func(db *conn) error {
		return db.query(ctx, "EXPLAIN QUERY PLAN "+p.SQL, p.Args, func(r row) error {
			steps = append(steps, r.str(3))
			return nil
		})
	})
	return steps, err
}

// A Database is a connection beside the journal's own, which no lock keeps out.
type Database struct{ db *conn }

// OpenUnlocked opens the database as another process would on a file system
// that does not lock.
func OpenUnlocked(t testing.TB, path string) Database {
	t.Helper()
	db, err := dial(path, "", "busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.close(); err != nil {
			t.Error(err)
		}
	})
	return Database{db}
}

// Exec runs a statement.
func (d Database) Exec(sql string) error { return d.db.exec(sql) }

// Count is the number that a query answers.
func (d Database) Count(sql string) (int, error) {
	r, _, err := d.db.one(context.Background(), sql)
	if err != nil {
		return 0, err
	}
	return r.int(0), nil
}
