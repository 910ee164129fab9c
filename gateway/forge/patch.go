package forge

import (
	"context"
	"slices"
	"strings"

	"leviathan/gateway"
)

// samePatches finds, for each head, the commits of the branch's history with
// its patch id, the oldest first. Two commits with one patch id change the same
// paths in the same way, so only those are compared.
func (l *Local) samePatches(ctx context.Context, h *history, heads []gateway.OID) (map[gateway.OID][]gateway.OID, error) {
	shapes, err := l.shapes(ctx, heads)
	if err != nil {
		return nil, err
	}
	touching, err := l.touching(ctx, h, shapes)
	if err != nil || len(touching) == 0 {
		return nil, err
	}
	theirs, err := l.shapes(ctx, touching)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, s := range shapes {
		wanted[s.text] = true
	}
	touching = slices.DeleteFunc(touching, func(c gateway.OID) bool { return !wanted[theirs[c].text] })
	if len(touching) == 0 {
		return nil, nil
	}
	ids, err := l.patchIDs(ctx, append(slices.Clone(heads), touching...))
	if err != nil {
		return nil, err
	}
	same := map[gateway.OID][]gateway.OID{}
	for _, head := range heads {
		for _, c := range touching {
			if id := ids[head]; id != "" && id == ids[c] && shapes[head].text == theirs[c].text {
				same[head] = append(same[head], c)
			}
		}
	}
	return same, nil
}

// A shape is which paths a commit changes and how, without content.
type shape struct {
	text string
	path string // the shortest of the paths that can stand on a line
}

// shapes reads the shape of each commit against its parent.
func (l *Local) shapes(ctx context.Context, commits []gateway.OID) (map[gateway.OID]shape, error) {
	out, err := l.git.run(ctx, lines(commits), "diff-tree", "--stdin", "--root", "-r", "--raw", "--no-renames", "-z")
	if err != nil {
		return nil, err
	}
	all := map[gateway.OID]shape{}
	var of gateway.OID
	var now shape
	fields := strings.Split(out, "\x00")
	for i := 0; i < len(fields); i++ {
		info, isChange := strings.CutPrefix(fields[i], ":")
		if !isChange {
			if id := gateway.OID(strings.TrimSpace(fields[i])); id.Valid() {
				of, now = id, shape{}
			}
			continue
		}
		col := strings.Fields(info) // old mode, new mode, old id, new id, status
		if i++; len(col) != 5 || i >= len(fields) || of == "" {
			return nil, gateway.Errorf(gateway.Unknown, "git diff-tree: entry %q is not understood", info)
		}
		path := fields[i]
		if col[0] == col[1] {
			col[0], col[1] = "", "" // a mode that stays is no part of the change
		}
		now.text += col[0] + " " + col[1] + " " + col[4] + " " + path + "\x00"
		if !strings.Contains(path, "\n") && (now.path == "" || len(path) < len(now.path)) {
			now.path = path
		}
		all[of] = now
	}
	return all, nil
}

// touching are the commits of the branch's history that change one of the
// shapes' paths, the oldest first; merges are left out.
func (l *Local) touching(ctx context.Context, h *history, shapes map[gateway.OID]shape) ([]gateway.OID, error) {
	if len(shapes) == 0 {
		return nil, nil // nothing is changed, so nothing is the same change
	}
	input := string(h.tip) + "\n" + h.limit + "--\n"
	for _, s := range shapes {
		if s.path == "" {
			input = string(h.tip) + "\n" + h.limit
			break
		}
		input += s.path + "\n"
	}
	out, err := l.git.run(ctx, input, "rev-list", "--topo-order", "--full-history", "--no-merges", "--reverse", "--stdin")
	if err != nil {
		return nil, err
	}
	found := []gateway.OID{}
	for _, id := range strings.Fields(out) {
		found = append(found, gateway.OID(id))
	}
	return found, nil
}

// patchIDs are the stable patch ids of commits; one that changes nothing has
// none.
func (l *Local) patchIDs(ctx context.Context, commits []gateway.OID) (map[gateway.OID]string, error) {
	out, err := l.git.pipe(ctx, lines(commits),
		[]string{"diff-tree", "--stdin", "--root", "-r", "-p", "-U3", "--no-renames", "--full-index", "--binary", "--no-ext-diff", "--no-textconv", "--no-color"},
		[]string{"patch-id", "--stable"})
	if err != nil {
		return nil, err
	}
	ids := map[gateway.OID]string{}
	for row := range strings.Lines(out) {
		if col := strings.Fields(row); len(col) == 2 {
			ids[gateway.OID(col[1])] = col[0]
		}
	}
	return ids, nil
}

func lines(commits []gateway.OID) string {
	var b strings.Builder
	for _, c := range commits {
		b.WriteString(string(c) + "\n")
	}
	return b.String()
}
