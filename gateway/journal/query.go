package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"leviathan/gateway"
)

// A Page bounds a list. Limit is 1 to 1,000, 0 means 100; Token is the
// NextPageToken of the page before, empty for the first.
type Page struct {
	Limit int
	Token string
}

const (
	defaultLimit = 100
	maxLimit     = 1000
	noBound      = int64(1) << 62
)

// bounds are the page's limit and the seq that its rows come before.
func (p Page) bounds() (limit int, before int64, err error) {
	limit, before = p.Limit, noBound
	switch {
	case limit == 0:
		limit = defaultLimit
	case limit < 0 || limit > maxLimit:
		return 0, 0, &gateway.Error{Kind: gateway.Invalid, Field: "limit", Detail: fmt.Sprintf("limit must be 1 to %d", maxLimit)}
	}
	if p.Token != "" {
		text, ok := strings.CutPrefix(p.Token, "b")
		before, err = strconv.ParseInt(text, 36, 64)
		if !ok || err != nil || before < 1 {
			return 0, 0, &gateway.Error{Kind: gateway.Invalid, Field: "page_token", Detail: "page_token is not one of this list's"}
		}
	}
	return limit, before, nil
}

// token continues a list after the row of seq.
func token(seq int64) string { return "b" + strconv.FormatInt(seq, 36) }

// A where collects conditions of a statement; every text is a constant, every
// value is bound.
type where struct {
	text []string
	args []any
}

func (w *where) and(text string, args ...any) {
	w.text = append(w.text, text)
	w.args = append(w.args, args...)
}

func (w *where) String() string { return "WHERE " + strings.Join(w.text, " AND ") }

// list runs fn in one snapshot and says what it was about when it fails.
func (j *Journal) list(ctx context.Context, what string, fn func(*conn) error) error {
	if err := j.readers.read(ctx, fn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Attempt is one attempt as of the last commit. A live one of a target whose
// State is known costs a look in memory.
func (j *Journal) Attempt(ctx context.Context, id gateway.AttemptID) (a *Attempt, found bool, err error) {
	if a = j.inMemory(id); a != nil {
		return a, true, nil
	}
	err = j.list(ctx, "read attempt", func(db *conn) error {
		a, err = loadAttempt(ctx, db, id)
		return err
	})
	return a, a != nil, err
}

// inMemory finds a live attempt in the states of the last commit; nil says
// nothing.
func (j *Journal) inMemory(id gateway.AttemptID) *Attempt {
	j.mu.RLock()
	defer j.mu.RUnlock()
	for _, c := range j.states {
		if a := c.state.Attempts[id]; a != nil {
			return a
		}
	}
	return nil
}

// LiveAttempts are the target's attempts that have not ended, all targets' for
// "", oldest first.
func (j *Journal) LiveAttempts(ctx context.Context, target gateway.TargetID) (out []*Attempt, err error) {
	err = j.list(ctx, "list live attempts", func(db *conn) error {
		sql, args := liveAttempts(target)
		return db.query(ctx, sql, args, collectAttempt(&out))
	})
	return out, err
}

func liveAttempts(target gateway.TargetID) (string, []any) {
	if target == "" {
		return selectAttempt + `WHERE a.live = 1 ORDER BY a.created_us, a.attempt`, nil
	}
	return selectAttempt + `WHERE a.target = ? AND a.live = 1 ORDER BY a.created_us, a.attempt`, []any{target}
}

func collectAttempt(out *[]*Attempt) func(row) error {
	return func(r row) error {
		a, err := scanAttempt(r)
		*out = append(*out, a)
		return err
	}
}

// Intents are the attempts, live or ended, with a push or a pull request that
// was intended and has no receipt: what a start of the gateway must observe.
func (j *Journal) Intents(ctx context.Context) (out []*Attempt, err error) {
	err = j.list(ctx, "list intents", func(db *conn) error {
		return db.query(ctx, sqlIntents, nil, collectAttempt(&out))
	})
	return out, err
}

const sqlIntents = selectAttempt + `WHERE a.attempt IN (SELECT attempt FROM attempt WHERE intent <> ''
	UNION SELECT attempt FROM pull_request WHERE state = 'intended') ORDER BY a.attempt`

// A PullRequestList is a page of a target's pull requests, newest first.
type PullRequestList struct {
	Items         []*PullRequest `json:"items"`
	NextPageToken string         `json:"next_page_token,omitempty"`
}

// PullRequests lists the target's pull requests but void ones, newest first.
func (j *Journal) PullRequests(ctx context.Context, target gateway.TargetID, p Page) (out PullRequestList, err error) {
	place, attempt, _ := strings.Cut(p.Token, ".")
	limit, before, err := Page{Limit: p.Limit, Token: place}.bounds()
	if err != nil {
		return out, err
	}
	out.Items = []*PullRequest{}
	err = j.list(ctx, "list pull requests", func(db *conn) error {
		return db.query(ctx, sqlPulls, []any{target, before, attempt, limit + 1}, func(r row) error {
			if len(out.Items) == limit {
				last := out.Items[limit-1]
				out.NextPageToken = token(micros(last.IntendedAt)) + "." + string(last.AttemptID)
				return nil
			}
			out.Items = append(out.Items, scanPull(r[3:], gateway.AttemptID(r.str(0)), gateway.TaskID(r.str(1)), gateway.TargetID(r.str(2))))
			return nil
		})
	})
	return out, err
}

const sqlPulls = selectPull + `WHERE target = ? AND (intended_us, attempt) < (?, ?) AND state <> 'void'
	ORDER BY intended_us DESC, attempt DESC LIMIT ?`

// A Token is a component's token as the journal knows it.
type Token struct {
	gateway.TokenItem
}

// Live reports whether the token is good at the time now.
func (t *Token) Live(now gateway.Time) bool {
	return t.RevokedAt.IsZero() && now.Before(t.ExpiresAt.Time)
}

const selectToken = `SELECT id, role, target, created_us, expires_us, revoked_us FROM token `

func scanToken(r row) Token {
	return Token{gateway.TokenItem{
		ID: r.str(0), Role: gateway.Role(r.str(1)), Target: gateway.TargetID(r.str(2)), CreatedAt: r.time(3),
		ExpiresAt: r.time(4), RevokedAt: r.time(5),
	}}
}

// Tokens lists every component token, revoked and expired ones too.
func (j *Journal) Tokens(ctx context.Context) (gateway.TokenList, error) {
	out := gateway.TokenList{Items: []gateway.TokenItem{}}
	err := j.list(ctx, "list tokens", func(db *conn) error {
		return db.query(ctx, selectToken+`ORDER BY id`, nil, func(r row) error {
			out.Items = append(out.Items, scanToken(r).TokenItem)
			return nil
		})
	})
	return out, err
}

// TokenByHash finds a token by the hex SHA-256 of its secret.
func (j *Journal) TokenByHash(ctx context.Context, hash string) (t Token, found bool, err error) {
	err = j.list(ctx, "read token", func(db *conn) error {
		r, ok, err := db.one(ctx, selectToken+`WHERE hash = ?`, hash)
		if ok {
			t, found = scanToken(r), true
		}
		return err
	})
	return t, found, err
}

// Halts are the halts that are latched, by target; "" is the one of all.
func (j *Journal) Halts(ctx context.Context) (map[gateway.TargetID]gateway.Halt, error) {
	out := map[gateway.TargetID]gateway.Halt{}
	err := j.list(ctx, "list halts", func(db *conn) error {
		return db.query(ctx, `SELECT target, reason, at_us, by FROM halt`, nil, func(r row) error {
			out[gateway.TargetID(r.str(0))] = gateway.Halt{Reason: r.str(1), At: r.time(2), By: r.str(3)}
			return nil
		})
	})
	return out, err
}

// A StoredArtifact is an artifact with where its bytes are.
type StoredArtifact struct {
	gateway.Artifact
	ID          string       `json:"artifact_id"`
	Type        string       `json:"artifact_type"`
	StoragePath string       `json:"storage_path"`
	At          gateway.Time `json:"at"`
}

// Artifacts are the attempt's artifacts by name, the latest of each.
func (j *Journal) Artifacts(ctx context.Context, id gateway.AttemptID) (out []StoredArtifact, err error) {
	out = []StoredArtifact{}
	err = j.list(ctx, "list artifacts", func(db *conn) error {
		return db.query(ctx, sqlArtifacts, []any{id}, func(r row) error {
			out = append(out, StoredArtifact{
				Artifact: gateway.Artifact{Name: r.str(0), SizeBytes: r.int64(1), SHA256: r.str(2)},
				ID:       r.str(3), Type: r.str(4), StoragePath: r.str(5), At: r.time(6),
			})
			return nil
		})
	})
	return out, err
}

const sqlArtifacts = `SELECT name, size, sha256, id, type, path, at_us FROM artifact WHERE attempt = ? ORDER BY name`

// Stats says how large the journal is.
type Stats struct {
	Records   int64          `json:"records"`
	Bytes     int64          `json:"bytes"` // of the database file
	Projected map[string]int `json:"projected"`
}

// Stats counts records, bytes and the rows of the projections.
func (j *Journal) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Projected: map[string]int{}}
	err := j.list(ctx, "read statistics", func(db *conn) error {
		r, _, err := db.one(ctx, `SELECT (SELECT coalesce(max(seq), 0) FROM journal), (SELECT page_count FROM pragma_page_count())
			* (SELECT page_size FROM pragma_page_size())`)
		if err != nil {
			return err
		}
		s.Records, s.Bytes = r.int64(0), r.int64(1)
		for _, t := range projectionTables {
			if r, _, err = db.one(ctx, "SELECT count(*) FROM "+t); err != nil {
				return err
			}
			s.Projected[t] = r.int(0)
		}
		return nil
	})
	return s, err
}

// rawOrNull is b, or JSON's null when it is empty.
func rawOrNull(b []byte) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	return b
}
