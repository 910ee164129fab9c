package journal

import (
	"context"
	"encoding/json"
	"fmt"

	"leviathan/gateway"
)

func (f *folder) pushIntended(c *columns, p *PushIntended) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	if a.state != gateway.Running {
		return conflict("attempt %s is %s and cannot push", c.Attempt, a.state)
	}
	if a.intent != "" {
		return conflict("attempt %s has a push without receipt", c.Attempt)
	}
	text, err := json.Marshal(p.PushIntent)
	if err != nil {
		return fmt.Errorf("marshal push intent: %w", err)
	}
	if err := f.db.exec(`UPDATE attempt SET intent = ?, seq = ? WHERE attempt = ?`, string(text), c.Seq, c.Attempt); err != nil {
		return err
	}
	return f.changed(c)
}

func (f *folder) pushVoided(c *columns, _ *PushVoided) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	if a.intent == "" {
		return conflict("attempt %s has no push without receipt", c.Attempt)
	}
	if err := f.db.exec(`UPDATE attempt SET intent = '', seq = ? WHERE attempt = ?`, c.Seq, c.Attempt); err != nil {
		return err
	}
	return f.changed(c)
}

// pushRefused counts a refused push; like a lease, it is the attempt's alone.
func (f *folder) pushRefused(c *columns, _ *PushRefused) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	if !a.state.Live() {
		return conflict("attempt %s is %s", c.Attempt, a.state)
	}
	f.touch(c.Target, "", c.Attempt)
	return f.db.exec(`UPDATE attempt SET push_attempts = push_attempts + 1, seq = ? WHERE attempt = ?`, c.Seq, c.Attempt)
}

// attemptPushed is the receipt. An attempt that ended before it was seen stays
// ended; that the commit is upstream is recorded all the same.
func (f *folder) attemptPushed(c *columns, p *AttemptPushed) error {
	a, err := f.attempt(c)
	if err != nil {
		return err
	}
	next := gateway.Pushed
	switch {
	case a.intent == "":
		return conflict("attempt %s has no push without receipt", c.Attempt)
	case !a.state.Live():
		next = a.state
	case !a.state.CanBecome(next):
		return conflict("attempt %s is %s and cannot become %s", c.Attempt, a.state, next)
	}
	err = f.db.exec(`UPDATE attempt SET state = ?, intent = '', pushed_commit = ?, pushed_tree = ?, seq = ? WHERE attempt = ?`,
		next, p.CommitSHA, p.Tree, c.Seq, c.Attempt)
	if err != nil {
		return err
	}
	return f.changed(c)
}

// pull reads the state of the attempt's pull request, "" for none.
func (f *folder) pull(c *columns) (gateway.PullRequestState, error) {
	r, found, err := f.db.one(context.Background(), `SELECT state FROM pull_request WHERE attempt = ?`, c.Attempt)
	if err != nil || !found {
		return "", err
	}
	return gateway.PullRequestState(r.str(0)), nil
}

// pullBecomes reads the attempt and makes sure that its pull request is in one
// of the states.
func (f *folder) pullBecomes(c *columns, from ...gateway.PullRequestState) (*current, error) {
	a, err := f.attempt(c)
	if err != nil {
		return nil, err
	}
	state, err := f.pull(c)
	if err != nil {
		return nil, err
	}
	for _, s := range from {
		if s == state {
			return a, nil
		}
	}
	if state == "" {
		return nil, conflict("attempt %s has no pull request", c.Attempt)
	}
	return nil, conflict("the pull request of attempt %s is %s", c.Attempt, state)
}

func (f *folder) pullIntended(c *columns, p *PullIntended) error {
	a, err := f.pullBecomes(c, "", gateway.PullRequestVoid)
	if err != nil {
		return err
	}
	if a.state != gateway.Pushed {
		return conflict("attempt %s is %s and cannot propose", c.Attempt, a.state)
	}
	err = f.db.exec(`INSERT INTO pull_request (attempt, target, task, number, branch, commit_sha, title, state, open, intended_us, decision_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, 'intended', 1, ?, ?)
		ON CONFLICT (attempt) DO UPDATE SET number = excluded.number, branch = excluded.branch, commit_sha = excluded.commit_sha,
		title = excluded.title, state = 'intended', open = 1, how = '', intended_us = excluded.intended_us, ended_us = 0,
		decision_id = excluded.decision_id, text_digest = '', review = '', conflicts = 0, edited = 0`,
		c.Attempt, c.Target, c.Task, p.PRNumber, p.BranchName, p.CommitSHA, p.Title, c.At, p.DecisionID)
	if err != nil {
		return err
	}
	return f.pullChanged(c)
}

func (f *folder) pullVoided(c *columns, _ *PullVoided) error {
	if _, err := f.pullBecomes(c, gateway.PullRequestIntended); err != nil {
		return err
	}
	if err := f.db.exec(`UPDATE pull_request SET state = 'void', open = 0, ended_us = ? WHERE attempt = ?`, c.At, c.Attempt); err != nil {
		return err
	}
	return f.pullChanged(c)
}

// pullCreated is the receipt. As with a push, an attempt that ended before
// stays ended, and its pull request is open.
func (f *folder) pullCreated(c *columns, p *PullCreated) error {
	a, err := f.pullBecomes(c, gateway.PullRequestIntended)
	if err != nil {
		return err
	}
	next := gateway.Proposed
	if !a.state.Live() {
		next = a.state
	} else if !a.state.CanBecome(next) {
		return conflict("attempt %s is %s and cannot become %s", c.Attempt, a.state, next)
	}
	if p.PRNumber <= 0 {
		return invalid("its pull request has no number")
	}
	err = f.db.exec(`UPDATE pull_request SET number = ?, url = ?, branch = ?, commit_sha = ?, title = CASE ?5 WHEN '' THEN title ELSE ?5 END,
		state = 'open', open = 1, created_us = ?, text_digest = ? WHERE attempt = ?`,
		p.PRNumber, p.PRURL, p.BranchName, p.CommitSHA, p.Title, c.At, p.TextDigest, c.Attempt)
	if isConstraint(err) {
		return conflict("pull request %d of target %s is another attempt's", p.PRNumber, c.Target)
	}
	if err != nil {
		return err
	}
	if err := f.db.exec(`UPDATE attempt SET state = ?, proposed_seq = ?, seq = ? WHERE attempt = ?`, next, c.Seq, c.Seq, c.Attempt); err != nil {
		return err
	}
	if err := f.recountTask(c.Target, c.Task); err != nil {
		return err
	}
	if err := f.recountTarget(c.Target); err != nil {
		return err
	}
	return f.pullChanged(c)
}

// pullObserved keeps what was seen last, and for good that a human took the
// pull request over.
func (f *folder) pullObserved(c *columns, p *PullObserved) error {
	if _, err := f.pullBecomes(c, gateway.PullRequestOpen); err != nil {
		return err
	}
	err := f.db.exec(`UPDATE pull_request SET review = ?, conflicts = ?, edited = max(edited, ?) WHERE attempt = ?`, p.Review, p.Conflicts, p.Edited, c.Attempt)
	if err != nil {
		return err
	}
	return f.pullChanged(c)
}

func (f *folder) pullMerged(c *columns, p *PullMerged) error {
	if _, err := f.pullBecomes(c, gateway.PullRequestOpen, gateway.PullRequestClosed); err != nil {
		return err
	}
	if err := f.pullEnds(c, gateway.PullRequestMerged, p.How); err != nil {
		return err
	}
	if err := f.db.exec(`UPDATE task SET completed = 1, closed_digest = '' WHERE target = ? AND task = ?`, c.Target, c.Task); err != nil {
		return err
	}
	return f.pullChanged(c)
}

func (f *folder) pullClosed(c *columns, p *PullClosed) error {
	a, err := f.pullBecomes(c, gateway.PullRequestOpen)
	if err != nil {
		return err
	}
	if err := f.pullEnds(c, gateway.PullRequestClosed, p.How); err != nil {
		return err
	}
	if err := f.db.exec(`UPDATE task SET closed_digest = ? WHERE target = ? AND task = ?`, a.digest, c.Target, c.Task); err != nil {
		return err
	}
	return f.pullChanged(c)
}

func (f *folder) pullEnds(c *columns, state gateway.PullRequestState, how string) error {
	return f.db.exec(`UPDATE pull_request SET state = ?, open = 0, how = ?, ended_us = ? WHERE attempt = ?`, state, how, c.At, c.Attempt)
}

// pullChanged brings the task's open pull request up to date. One whose number
// is not known yet stands as -1.
func (f *folder) pullChanged(c *columns) error {
	err := f.db.exec(`UPDATE task SET open_pr = coalesce((SELECT CASE max(number) WHEN 0 THEN -1 ELSE max(number) END
		FROM pull_request WHERE target = ?1 AND task = ?2 AND open = 1), 0) WHERE target = ?1 AND task = ?2`, c.Target, c.Task)
	if err != nil {
		return err
	}
	if err := f.db.exec(`UPDATE attempt SET seq = ? WHERE attempt = ?`, c.Seq, c.Attempt); err != nil {
		return err
	}
	if err := f.changed(c); err != nil {
		return err
	}
	return f.pullNode(c)
}
