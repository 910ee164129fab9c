package journal

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"leviathan/gateway"
)

// A conn is one SQLite connection with its prepared statements. The driver is
// used without database/sql, whose pooling and conversions cost as much as a
// short statement does. Not safe for concurrent use.
type conn struct {
	raw   driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// dial opens path. Pragmas run on the new connection, in order.
func dial(path, query string, pragmas ...string) (*conn, error) {
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query}).String()
	raw, err := new(sqlite.Driver).Open(name)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	c := &conn{raw: raw, stmts: map[string]driver.Stmt{}}
	for _, p := range pragmas {
		if err := c.script("PRAGMA " + p); err != nil {
			c.close()
			return nil, fmt.Errorf("open database %s: pragma %s: %w", path, p, err)
		}
	}
	return c, nil
}

// close ends the connection and its statements.
func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.raw.Close())...)
}

// script runs statements that are used once.
func (c *conn) script(sql string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

// prepared is the statement of sql, which must be a constant of the program.
func (c *conn) prepared(sql string) (driver.Stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", firstWords(sql), err)
	}
	c.stmts[sql] = s
	return s, nil
}

func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args, nil
}

// exec runs a statement that answers nothing.
func (c *conn) exec(sql string, args ...any) error {
	s, err := c.prepared(sql)
	if err != nil {
		return err
	}
	bound, err := c.bind(args)
	if err != nil {
		return err
	}
	if _, err := s.(driver.StmtExecContext).ExecContext(context.Background(), bound); err != nil {
		return fmt.Errorf("%s: %w", firstWords(sql), err)
	}
	return nil
}

// query calls each with every row; the row is valid during the call only.
func (c *conn) query(ctx context.Context, sql string, args []any, each func(row) error) (err error) {
	s, err := c.prepared(sql)
	if err != nil {
		return err
	}
	bound, err := c.bind(args)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, bound)
	if err != nil {
		return fmt.Errorf("%s: %w", firstWords(sql), err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := make(row, len(rows.Columns()))
	for {
		if err := rows.Next(r); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", firstWords(sql), err)
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

// one reads at most one row into a copy; found is false for none.
func (c *conn) one(ctx context.Context, sql string, args ...any) (out row, found bool, err error) {
	err = c.query(ctx, sql, args, func(r row) error {
		if !found {
			out, found = append(row(nil), r...), true
		}
		return nil
	})
	return out, found, err
}

// value is a as the driver takes it.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, []byte:
		return v, nil
	case int:
		return int64(v), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case gateway.Time:
		return micros(v), nil
	case gateway.TargetID:
		return string(v), nil
	case gateway.TaskID:
		return string(v), nil
	case gateway.AttemptID:
		return string(v), nil
	case gateway.DecisionID:
		return string(v), nil
	case gateway.OID:
		return string(v), nil
	case gateway.AttemptState:
		return string(v), nil
	case gateway.FailureType:
		return string(v), nil
	case gateway.PullRequestState:
		return string(v), nil
	case gateway.Circuit:
		return string(v), nil
	case gateway.Role:
		return string(v), nil
	case Kind:
		return string(v), nil
	case Origin:
		return string(v), nil
	}
	return nil, fmt.Errorf("bind a value of type %T", a)
}

// A row is one row's values: nil, int64, string or []byte, each fresh.
type row []driver.Value

func (r row) str(i int) string        { s, _ := r[i].(string); return s }
func (r row) int64(i int) int64       { n, _ := r[i].(int64); return n }
func (r row) int(i int) int           { return int(r.int64(i)) }
func (r row) bool(i int) bool         { return r.int64(i) != 0 }
func (r row) bytes(i int) []byte      { b, _ := r[i].([]byte); return b }
func (r row) time(i int) gateway.Time { return fromMicros(r.int64(i)) }

func firstWords(sql string) string {
	words := strings.Fields(sql)
	return strings.ToLower(strings.Join(words[:min(3, len(words))], " "))
}

// sqliteCode is the primary result code in err's tree, 0 for none.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// broken reports whether err is about the database itself and not about what
// was asked: after it the transaction cannot be trusted.
func broken(err error) bool {
	switch sqliteCode(err) {
	case 0, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG:
		return false
	}
	return true
}

func diskFull(err error) bool {
	return sqliteCode(err) == sqlite3.SQLITE_FULL || isNoSpace(err)
}

func isConstraint(err error) bool { return sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT }

// A pool hands out read-only connections.
type pool struct {
	idle   chan *conn
	size   int
	closed chan struct{}
}

func newPool(path string, size int) (*pool, error) {
	p := &pool{idle: make(chan *conn, size), closed: make(chan struct{})}
	for range size {
		c, err := dial(path, "mode=ro", "query_only=1", "busy_timeout=5000", "cache_size=-8000", "temp_store=memory")
		if err != nil {
			return nil, errors.Join(err, p.close(context.Background()))
		}
		p.idle <- c
		p.size++
	}
	return p, nil
}

// read runs fn in one snapshot. Once the pool is closed it fails at once.
func (p *pool) read(ctx context.Context, fn func(*conn) error) (err error) {
	var c *conn
	select {
	case c = <-p.idle:
	case <-p.closed:
		return gateway.Errorf(gateway.Unknown, "read journal: it is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { p.idle <- c }()
	if err := c.exec("BEGIN"); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	defer func() { err = errors.Join(err, c.exec("COMMIT")) }()
	return fn(c)
}

// close waits for readers, as long as ctx lasts, and closes every connection.
func (p *pool) close(ctx context.Context) error {
	var errs []error
	close(p.closed)
	for range p.size {
		select {
		case c := <-p.idle:
			errs = append(errs, c.close())
		case <-ctx.Done():
			return errors.Join(append(errs, fmt.Errorf("close journal: a reader is still at work: %w", ctx.Err()))...)
		}
	}
	return errors.Join(errs...)
}
