package backlog

import (
	"slices"
	"strings"

	"leviathan/gateway"
)

// cycles sets aside every task of a dependency cycle. A task that waits for
// one of them without being part of the cycle stays valid: it is not at fault,
// and policy keeps it waiting.
func (p *fileReader) cycles(candidates []candidate) {
	index := make(map[gateway.TaskID]int, len(candidates))
	for i := len(candidates) - 1; i >= 0; i-- {
		if id := candidates[i].task.ID; id != "" {
			index[id] = i
		}
	}
	next := func(i int) []gateway.TaskID { return candidates[i].task.Dependencies }
	for _, component := range components(len(candidates), next, index) {
		first := component[0]
		if len(component) == 1 && !slices.Contains(next(first), candidates[first].task.ID) {
			continue
		}
		name := cycleThrough(component, candidates, index)
		for _, i := range component {
			p.deny(&candidates[i], CodeCycle, "its dependencies form a cycle: "+name)
		}
	}
}

// components are the strongly connected components, each in file order
// (Tarjan's algorithm, without recursion: a chain may be as long as the file).
func components(size int, next func(int) []gateway.TaskID, index map[gateway.TaskID]int) [][]int {
	type frame struct{ node, edge int }
	var (
		out     [][]int
		stack   []int
		counter int
		order   = make([]int, size) // 0: not visited
		low     = make([]int, size)
		onStack = make([]bool, size)
	)
	visit := func(i int) frame {
		counter++
		order[i], low[i], onStack[i] = counter, counter, true
		stack = append(stack, i)
		return frame{node: i}
	}
	for root := range size {
		if order[root] != 0 {
			continue
		}
		calls := []frame{visit(root)}
		for len(calls) > 0 {
			top := &calls[len(calls)-1]
			edges := next(top.node)
			if top.edge < len(edges) {
				to, ok := index[edges[top.edge]]
				top.edge++
				switch {
				case !ok:
				case order[to] == 0:
					calls = append(calls, visit(to))
				case onStack[to]:
					low[top.node] = min(low[top.node], order[to])
				}
				continue
			}
			done := top.node
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].node
				low[parent] = min(low[parent], low[done])
			}
			if low[done] != order[done] {
				continue
			}
			at := slices.Index(stack, done)
			component := slices.Clone(stack[at:])
			stack = stack[:at]
			for _, i := range component {
				onStack[i] = false
			}
			slices.Sort(component)
			out = append(out, component)
		}
	}
	return out
}

// cycleThrough names a shortest cycle through the component's first task.
func cycleThrough(component []int, candidates []candidate, index map[gateway.TaskID]int) string {
	start := component[0]
	inside := make(map[int]bool, len(component))
	for _, i := range component {
		inside[i] = true
	}
	cameFrom := map[int]int{}
	queue := []int{start}
	last := start
search:
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, id := range candidates[i].task.Dependencies {
			to, ok := index[id]
			if !ok || !inside[to] {
				continue
			}
			if to == start {
				last = i
				break search
			}
			if _, seen := cameFrom[to]; !seen {
				cameFrom[to] = i
				queue = append(queue, to)
			}
		}
	}
	names := []string{string(candidates[start].task.ID)}
	for i := last; i != start; i = cameFrom[i] {
		names = append(names, string(candidates[i].task.ID))
	}
	names = append(names, names[0])
	slices.Reverse(names)
	const most = 12
	if len(names) > most {
		names = append(append(names[:most-2:most-2], "…"), names[len(names)-1])
	}
	return strings.Join(names, " → ")
}
