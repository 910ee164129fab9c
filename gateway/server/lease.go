package server

import (
	"sync"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// leases counts the leases of one target's attempts in monotonic time: a wall
// clock that jumps neither kills nor prolongs anything. They live in memory
// alone; a start of the gateway renews each live one, in full, as an event.
type leases struct {
	mu sync.Mutex
	by map[gateway.AttemptID]time.Time
}

// renew lets the attempt live until the given time.
func (l *leases) renew(id gateway.AttemptID, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[gateway.AttemptID]time.Time{}
	}
	l.by[id] = until
}

// drop forgets an attempt that has ended.
func (l *leases) drop(id gateway.AttemptID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, id)
}

// count is how many attempts have a lease that has not ended at now.
func (l *leases) count(now time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, until := range l.by {
		if until.After(now) {
			n++
		}
	}
	return n
}

// until is when the attempt's lease ends; the zero time if it has none.
func (l *leases) until(id gateway.AttemptID) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[id]
}

// part is the lease as the policy sees it. An attempt that is not leased in
// its state has a known lease that is not live.
func (l *leases) part(a *journal.Attempt, now time.Time) journal.Lease {
	until := l.until(a.ID)
	if until.IsZero() || !a.State.Leased() {
		return journal.Lease{Known: !a.State.Leased()}
	}
	left := until.Sub(now)
	return journal.Lease{Known: true, Live: left > 0, RemainingSeconds: int64(left.Seconds())}
}
