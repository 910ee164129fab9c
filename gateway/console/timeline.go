package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"leviathan/gateway"
)

// A moment is one event of a timeline, or several of the same kind in a row.
type moment struct {
	Event gateway.Event
	Count int
	Last  gateway.Time // of the last, if there are several
	Text  string
	// Decision is the decision that the event names.
	Decision string
	Claimed  bool // by an ingested event, not the gateway
	// Attempt is the event's, where the page is not about it already.
	Attempt gateway.AttemptID
}

// An eventBody has what a timeline says of an event. Events have many shapes;
// what one lacks is left out.
type eventBody struct {
	DecisionID     string       `json:"decision_id"`
	LeaseExpiresAt gateway.Time `json:"lease_expires_at"`
	Deadline       gateway.Time `json:"deadline"`
	StartDeadline  gateway.Time `json:"start_deadline"`
	NotBefore      gateway.Time `json:"not_before"`
	Progress       string       `json:"progress"`
	CommitSHA      string       `json:"commit_sha"`
	New            string       `json:"new"`
	Codes          []string     `json:"codes"`
	Title          string       `json:"title"`
	PRURL          string       `json:"pr_url"`
	FailureType    string       `json:"failure_type"`
	ErrorSummary   string       `json:"error_summary"`
	Observed       string       `json:"observed"`
	Outcome        string       `json:"outcome"`
	Reason         string       `json:"reason"`
	Note           string       `json:"note"`
	How            string       `json:"how"`
	Name           string       `json:"name"`
	SizeBytes      int64        `json:"size_bytes"`
	Task           struct {
		Title string `json:"title"`
	} `json:"task"`
}

// fromEvents makes the timeline, and takes from it the lease, the evidence and
// the task's title.
func (b *attemptBody) fromEvents(events []gateway.Event) {
	for _, e := range events {
		m, body := momentOf(e)
		if body.Task.Title != "" {
			b.Title = body.Task.Title
		}
		if !body.LeaseExpiresAt.IsZero() && b.State.Leased() && !m.Claimed {
			b.Lease = body.LeaseExpiresAt
		}
		if e.EventType == gateway.EventAttemptEvidence {
			var evidence gateway.Evidence
			if json.Unmarshal(e.Payload, &evidence) == nil { // else the timeline alone shows it
				b.Evidence = &evidence
			}
		}
		b.Timeline = appendMoment(b.Timeline, m)
	}
}

// appendMoment adds a moment. Heartbeats and pieces of artifacts come by turns
// for as long as an agent works: those since the last other event are counted
// with the first of their kind.
func appendMoment(line []moment, m moment) []moment {
	for i := len(line) - 1; i >= 0 && repeats(line[i]) && repeats(m); i-- {
		if first := &line[i]; first.Event.EventType == m.Event.EventType && first.Claimed == m.Claimed {
			first.Count, first.Last, first.Text = first.Count+1, m.Event.Timestamp, m.Text
			return line
		}
	}
	return append(line, m)
}

func repeats(m moment) bool {
	return m.Event.EventType == gateway.EventLeaseRenewed || m.Event.EventType == gateway.EventArtifactCreated
}

// momentOf says an event in one line.
func momentOf(e gateway.Event) (moment, eventBody) {
	m := moment{Event: e, Count: 1, Claimed: e.Origin == "external"}
	var b eventBody
	if err := json.Unmarshal(e.Payload, &b); err != nil {
		m.Text = "a payload of another shape" // an ingested event's may be
		return m, eventBody{}
	}
	m.Decision = b.DecisionID
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	for _, text := range []string{b.Task.Title, b.Title, b.Progress, b.Outcome, b.FailureType, b.ErrorSummary, b.Observed, b.Reason, b.Note, b.How, b.PRURL} {
		if text != "" {
			add("%s", text)
		}
	}
	if len(b.Codes) > 0 {
		add("%s", strings.Join(b.Codes, ", "))
	}
	if commit := b.CommitSHA + b.New; len(commit) == 40 {
		add("commit %s", short(commit))
	}
	if b.Name != "" && b.SizeBytes > 0 {
		add("%s, %s", b.Name, sizeText(b.SizeBytes))
	}
	for _, t := range []struct {
		what string
		at   gateway.Time
	}{{"start by", b.StartDeadline}, {"lease until", b.LeaseExpiresAt}, {"not before", b.NotBefore}, {"ends by", b.Deadline}} {
		if !t.at.IsZero() {
			add("%s %s", t.what, t.at.UTC().Format("15:04:05"))
		}
	}
	m.Text = strings.Join(parts, " · ")
	return m, b
}
