package spider

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"leviathan/gateway"
)

const (
	// decisionPage is how many decisions are asked for at once.
	decisionPage = 1000
	// maxCodes is how many codes have a label of their own, in the order in
	// which they are first seen: more than the policies have, so that those of
	// an operator fit as well.
	maxCodes = 512
)

// codeForm is what a code of the policies looks like.
var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}$`)

// knownActions are the actions that have a label of their own.
var knownActions = func() map[string]bool {
	known := map[string]bool{}
	for _, action := range gateway.Actions() {
		known[action] = true
	}
	return known
}()

// decisions counts what was decided since the last time. The list begins with
// the newest: it is read back to where the counts end, and counted as a whole,
// so that a decision is counted once whatever breaks off. Dry runs decided
// nothing and are left out.
func (s *Spider) decisions(ctx context.Context) error {
	s.mu.Lock()
	counted := s.state.DecisionSeq
	s.mu.Unlock()
	fresh := tally{decisions: map[string]uint64{}, reasons: map[string]uint64{}}
	newest := counted
	for q := (gateway.DecisionQuery{Limit: decisionPage}); ; {
		page, err := s.client.Decisions(ctx, q)
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if d.Recorded.Seq <= counted {
				break
			}
			newest = max(newest, d.Recorded.Seq)
			if !d.DryRun {
				fresh.add(d)
			}
		}
		last := len(page.Items) - 1
		if page.NextPageToken == "" || last < 0 || page.Items[last].Recorded.Seq <= counted {
			break
		}
		q.PageToken = page.NextPageToken
	}
	if newest == counted {
		return nil
	}
	s.change(func(st *state) {
		if st.DecisionSeq != counted { // the counts began anew meanwhile
			return
		}
		st.DecisionSeq = newest
		st.decided(fresh)
	})
	return nil
}

// A tally counts decisions by action and outcome, and their reasons by action
// and code, each key two words.
type tally struct{ decisions, reasons map[string]uint64 }

func (t tally) add(d gateway.DecisionItem) {
	action, outcome := d.Action, "deny"
	if !knownActions[action] {
		action = other
	}
	if d.Decision {
		outcome = "allow"
	}
	codes := map[string]bool{}
	for _, r := range d.Reasons {
		codes[r.Code] = true
		if strings.HasPrefix(r.Code, "unknown.") {
			outcome = "unknown"
		}
	}
	t.decisions[action+" "+outcome]++
	for code := range codes {
		t.reasons[action+" "+code]++
	}
}

// decided adds a tally to the counts.
func (st *state) decided(t tally) {
	if st.Decisions == nil {
		st.Decisions, st.Reasons, st.Codes = map[string]uint64{}, map[string]uint64{}, map[string]bool{}
	}
	for key, n := range t.decisions {
		st.Decisions[key] += n
	}
	for _, key := range slices.Sorted(maps.Keys(t.reasons)) {
		action, code, _ := strings.Cut(key, " ")
		st.Reasons[action+" "+st.code(code)] += t.reasons[key]
	}
}

// code is the label of a code: itself while there is room.
func (st *state) code(code string) string {
	if st.Codes[code] {
		return code
	}
	if !codeForm.MatchString(code) || len(st.Codes) >= maxCodes {
		return other
	}
	st.Codes[code] = true
	return code
}
