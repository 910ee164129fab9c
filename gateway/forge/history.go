package forge

import (
	"context"
	"slices"
	"strings"

	"leviathan/gateway"
)

// A history is the part of the commit graph in which the answers lie: all
// that is newer than what the target branch and every commit in question have
// in common.
type history struct {
	tip     gateway.OID
	order   []gateway.OID // children before parents
	parents map[gateway.OID][]gateway.OID
	named   map[gateway.AttemptID][]gateway.OID // commits by the attempt in their trailers
	merged  map[gateway.OID]bool                // reachable from the tip
	line    []gateway.OID                       // the tip's first-parent line, newest first
	exists  map[gateway.OID]bool                // of the commits in question

	revisions, limit string // what was read, as input for rev-list
}

// readHistory reads the graph around the tip and the commits in question.
// Those that the repository does not have are passed over. With whole it reads
// down to the roots.
func (l *Local) readHistory(ctx context.Context, tip gateway.OID, about []gateway.OID, whole func(exists map[gateway.OID]bool) bool) (*history, error) {
	h := &history{tip: tip, parents: map[gateway.OID][]gateway.OID{}, named: map[gateway.AttemptID][]gateway.OID{}, exists: map[gateway.OID]bool{}}
	var ask strings.Builder
	for _, id := range append([]gateway.OID{tip}, about...) {
		if id.Valid() {
			ask.WriteString(string(id) + "^{commit}\n")
		}
	}
	out, err := l.git.run(ctx, ask.String(), "cat-file", "--batch-check=%(objectname)")
	if err != nil {
		return nil, err
	}
	commits := []string{}
	for row := range strings.Lines(out) {
		// Otherwise the line is "<id>^{commit} missing".
		if id := gateway.OID(strings.TrimSpace(row)); id.Valid() && !h.exists[id] {
			h.exists[id] = true
			commits = append(commits, string(id))
		}
	}
	if !h.exists[tip] {
		return nil, gateway.Errorf(gateway.Unknown, "%s lacks the commit %s of its target branch", l.git.dir, tip)
	}
	h.revisions = strings.Join(commits, "\n") + "\n"
	if !whole(h.exists) {
		bound, err := l.git.run(ctx, "", "merge-base", append([]string{"--octopus"}, commits...)...)
		if err != nil && !(exitCode(err) == 1 && bound == "") { // 1: they share no ancestor
			return nil, err
		}
		if bound = strings.TrimSpace(bound); bound != "" {
			h.limit = "^" + bound + "^@\n" // without its parents, with itself
		}
	}
	return h, l.fill(ctx, h)
}

func (l *Local) fill(ctx context.Context, h *history) error {
	out, err := l.git.run(ctx, h.revisions+h.limit, "rev-list", "--topo-order", "--stdin", "--format=%H%x09%P%x09%("+trailerFormat+")")
	if err != nil {
		return err
	}
	for row := range strings.Lines(out) {
		col := strings.SplitN(strings.TrimSuffix(row, "\n"), "\t", 3)
		if len(col) != 3 {
			continue // "commit <id>" stands before each
		}
		id := gateway.OID(col[0])
		h.order = append(h.order, id)
		h.parents[id] = []gateway.OID{}
		for _, p := range strings.Fields(col[1]) {
			h.parents[id] = append(h.parents[id], gateway.OID(p))
		}
		for _, v := range strings.Fields(col[2]) {
			if a := gateway.AttemptID(v); a.Valid() {
				h.named[a] = append(h.named[a], id)
			}
		}
	}
	h.merged = h.ancestors(h.tip)
	for at := []gateway.OID{h.tip}; len(at) > 0; at = h.parents[at[0]] {
		h.line = append(h.line, at[0])
	}
	return nil
}

// ancestors are the commits of the history that can be reached from one,
// itself included.
func (h *history) ancestors(of gateway.OID) map[gateway.OID]bool {
	seen := map[gateway.OID]bool{}
	for todo := []gateway.OID{of}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, known := h.parents[id]; known && !seen[id] {
			seen[id] = true
			todo = append(todo, h.parents[id]...)
		}
	}
	return seen
}

// introduced is the commit of the first-parent line that brought a merged
// commit to the branch: itself, or the merge.
func (h *history) introduced(id gateway.OID) gateway.OID {
	has := map[gateway.OID]bool{id: true}
	for _, c := range slices.Backward(h.order) {
		if slices.ContainsFunc(h.parents[c], func(p gateway.OID) bool { return has[p] }) {
			has[c] = true
		}
	}
	for _, c := range slices.Backward(h.line) {
		if has[c] {
			return c
		}
	}
	return id
}
