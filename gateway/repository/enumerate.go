package repository

import (
	"context"
	"fmt"
)

// idSet is a set of object ids.
type idSet map[objectID]struct{}

func (s idSet) has(id objectID) bool { _, ok := s[id]; return ok }
func (s idSet) add(id objectID)      { s[id] = struct{}{} }

func setOf(ids []objectID) idSet {
	s := make(idSet, len(ids))
	for _, id := range ids {
		s.add(id)
	}
	return s
}

// A walker walks history and trees for one request.
type walker struct {
	ctx     context.Context
	o       *objects
	commits *commitCache
	steps   int
}

func (w *walker) tick() error {
	if w.steps++; w.steps%512 == 0 && w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

// closure is every commit that from reaches. It does not pass a commit of
// edge (which it contains) and does not enter one of without.
func (w *walker) closure(from []objectID, edge, without idSet) (idSet, error) {
	seen := idSet{}
	stack := append([]objectID{}, from...)
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen.has(id) || without.has(id) {
			continue
		}
		if err := w.tick(); err != nil {
			return nil, err
		}
		seen.add(id)
		if edge.has(id) {
			continue
		}
		info, err := w.commits.get(w.o, id)
		if err != nil {
			return nil, err
		}
		stack = append(stack, info.parents...)
	}
	return seen, nil
}

// reaches reports whether every commit of targets is from or an ancestor of it.
func (w *walker) reaches(from []objectID, targets idSet) (bool, error) {
	missing := len(targets)
	seen := idSet{}
	queue := append([]objectID{}, from...)
	for i := 0; i < len(queue) && missing > 0; i++ {
		id := queue[i]
		if seen.has(id) {
			continue
		}
		if err := w.tick(); err != nil {
			return false, err
		}
		seen.add(id)
		if targets.has(id) {
			missing--
		}
		info, err := w.commits.get(w.o, id)
		if err != nil {
			return false, err
		}
		queue = append(queue, info.parents...)
	}
	return missing == 0, nil
}

// meets reports whether every commit of wants is in common or has an ancestor
// there.
func (w *walker) meets(wants []objectID, common idSet) (bool, error) {
	for _, want := range wants {
		found := false
		seen := idSet{}
		queue := []objectID{want}
		for i := 0; i < len(queue) && !found; i++ {
			if seen.has(queue[i]) {
				continue
			}
			if err := w.tick(); err != nil {
				return false, err
			}
			seen.add(queue[i])
			if found = common.has(queue[i]); found {
				break
			}
			info, err := w.commits.get(w.o, queue[i])
			if err != nil {
				return false, err
			}
			queue = append(queue, info.parents...)
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

// A depthCut is where a history that was asked for to a depth ends.
type depthCut struct {
	shallow  idSet // the last commits; they have parents, which are not sent
	interior idSet // commits whose parents are sent
}

// cut walks to depth commits from wants, breadth first.
func (w *walker) cut(wants []objectID, depth int) (depthCut, error) {
	c := depthCut{idSet{}, idSet{}}
	level := wants
	seen := idSet{}
	for d := 1; len(level) > 0; d++ {
		var next []objectID
		for _, id := range level {
			if seen.has(id) {
				continue
			}
			if err := w.tick(); err != nil {
				return c, err
			}
			seen.add(id)
			info, err := w.commits.get(w.o, id)
			if err != nil {
				return c, err
			}
			if d >= depth && len(info.parents) > 0 {
				c.shallow.add(id)
				continue
			}
			c.interior.add(id)
			next = append(next, info.parents...)
		}
		level = next
	}
	return c, nil
}

// depthOf is how deep from wants the deepest of edge lies, 1 for a want
// itself; 0 where none is met.
func (w *walker) depthOf(wants []objectID, edge idSet) (int, error) {
	level, seen, deepest := wants, idSet{}, 0
	for d := 1; len(level) > 0; d++ {
		var next []objectID
		for _, id := range level {
			if seen.has(id) {
				continue
			}
			if err := w.tick(); err != nil {
				return 0, err
			}
			seen.add(id)
			if edge.has(id) {
				deepest = d
				continue
			}
			info, err := w.commits.get(w.o, id)
			if err != nil {
				return 0, err
			}
			next = append(next, info.parents...)
		}
		level = next
	}
	return deepest, nil
}

// objectsWanted is a request for objects: what a client wants, has, and how deep.
type objectsWanted struct {
	wants   []objectID
	common  []objectID // commits that both sides have
	shallow idSet      // the client's commits whose parents it lacks
	cut     *depthCut  // nil: no new depth was asked for
}

// maxEdgeTrees bounds how many trees of the other side are read to find what
// need not be sent.
const maxEdgeTrees = 64

// enumerate lists every object to send.
func (w *walker) enumerate(q objectsWanted) ([]objectID, error) {
	theirs, err := w.closure(q.common, q.shallow, nil)
	if err != nil {
		return nil, err
	}
	edge, without := q.shallow, theirs
	if q.cut != nil {
		edge, without = q.cut.shallow, nil
	}
	send, err := w.closure(q.wants, edge, without)
	if err != nil {
		return nil, err
	}
	skip, err := w.edgeObjects(q, send, theirs)
	if err != nil {
		return nil, err
	}
	var ids []objectID
	for id := range send {
		if theirs.has(id) {
			continue
		}
		ids = append(ids, id)
		info, err := w.commits.get(w.o, id)
		if err != nil {
			return nil, err
		}
		if err := w.tree(info.tree, skip, &ids); err != nil {
			return nil, fmt.Errorf("commit %s: %w", id.hex(), err)
		}
	}
	return ids, nil
}

// edgeObjects is what the trees hold that the client has next to what is sent.
func (w *walker) edgeObjects(q objectsWanted, send, theirs idSet) (idSet, error) {
	edges := setOf(q.common[:min(len(q.common), maxEdgeTrees/2)])
	for id := range send {
		if len(edges) >= maxEdgeTrees || len(theirs) == 0 {
			break
		}
		info, err := w.commits.get(w.o, id)
		if err != nil {
			return nil, err
		}
		if theirs.has(id) {
			edges.add(id)
			continue
		}
		for _, p := range info.parents {
			if theirs.has(p) {
				edges.add(p)
			}
		}
	}
	skip := idSet{}
	for id := range edges {
		info, err := w.commits.get(w.o, id)
		if err != nil {
			return nil, err
		}
		if err := w.tree(info.tree, skip, nil); err != nil {
			return nil, fmt.Errorf("commit %s: %w", id.hex(), err)
		}
	}
	return skip, nil
}

// tree adds everything that a tree reaches and seen lacks, to seen and to out.
func (w *walker) tree(id objectID, seen idSet, out *[]objectID) error {
	stack := []objectID{id}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen.has(at) {
			continue
		}
		if err := w.tick(); err != nil {
			return err
		}
		seen.add(at)
		if out != nil {
			*out = append(*out, at)
		}
		raw, err := w.o.readTyped(at, kindTree, 0)
		if err != nil {
			return err
		}
		for len(raw) > 0 {
			e, rest, err := nextEntry(raw)
			if err != nil {
				return fmt.Errorf("tree %s: %w", at.hex(), err)
			}
			raw = rest
			switch {
			case e.isGitlink() || seen.has(e.id):
			case e.isDir():
				stack = append(stack, e.id)
			default:
				seen.add(e.id)
				if out != nil {
					*out = append(*out, e.id)
				}
			}
		}
	}
	return nil
}
