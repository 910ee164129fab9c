package engine

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// A plan builds every literal anew, element by element, each time that it comes
// by. folds are the statements of one block, with all that is in it, that build
// nothing but constants, and what they built.
type folds struct {
	gone  map[ir.Stmt]bool         // statements that are left out
	after map[ir.Stmt][]builtLocal // what is assigned in place of the last of a run
	known map[ir.Local]*ast.Term   // locals that are never anything else
	held  map[ir.Local]bool        // locals that are added to, so that what is in them is no constant
	texts []*ir.StringConst        //
	runs  []map[ir.Local]*ast.Term // what each run built
	ends  []ir.Stmt                // the last statement of each run
	names map[ir.Local]struct{}    // locals that some statement that is left reads
	sets  map[ir.Local]int         // how many statements that are left, or runs, set a local
}

type builtLocal struct {
	local ir.Local
	term  *ast.Term
}

// fold finds the constants of a block. The given locals are other blocks', too,
// and no constants of this one. A literal that is added to later on is none
// either; looking for them begins anew without it.
func fold(b *ir.Block, given []ir.Local, texts []*ir.StringConst) *folds {
	held := map[ir.Local]bool{}
	for _, l := range given {
		held[l] = true
	}
	for {
		f := &folds{gone: map[ir.Stmt]bool{}, after: map[ir.Stmt][]builtLocal{}, known: map[ir.Local]*ast.Term{}, held: held, texts: texts,
			names: map[ir.Local]struct{}{}, sets: map[ir.Local]int{}}
		f.find(b)
		if !f.changed(b) {
			f.settle(b)
			return f
		}
	}
}

// find folds the runs of a block, and of those in it.
func (f *folds) find(b *ir.Block) {
	for i := 0; i < len(b.Stmts); {
		built := map[ir.Local]*ast.Term{}
		end := i
		for end < len(b.Stmts) && f.build(built, b.Stmts[end]) {
			f.gone[b.Stmts[end]] = true
			end++
		}
		if end > i {
			f.runs, f.ends = append(f.runs, built), append(f.ends, b.Stmts[end-1])
			i = end
			continue
		}
		for _, inner := range innerBlocks(b.Stmts[i]) {
			f.find(inner)
		}
		i++
	}
}

// build carries out a statement that builds constants; false: it is another.
func (f *folds) build(built map[ir.Local]*ast.Term, s ir.Stmt) bool {
	begin := func(l ir.Local, t *ast.Term) bool {
		if f.held[l] {
			return false
		}
		built[l] = t
		return true
	}
	switch s := s.(type) {
	case *ir.MakeNullStmt:
		return begin(s.Target, ast.InternedNullTerm)
	case *ir.MakeNumberIntStmt:
		return begin(s.Target, ast.InternedTerm(int(s.Value)))
	case *ir.MakeNumberRefStmt:
		return begin(s.Target, numberTerm(f.texts[s.Index].Value))
	case *ir.MakeArrayStmt:
		return begin(s.Target, ast.ArrayTerm())
	case *ir.MakeSetStmt:
		return begin(s.Target, ast.SetTerm())
	case *ir.MakeObjectStmt:
		return begin(s.Target, ast.ObjectTerm())
	case *ir.ArrayAppendStmt:
		if to, value := built[s.Array], f.value(built, s.Value); to != nil && value != nil {
			built[s.Array] = ast.NewTerm(to.Value.(*ast.Array).Append(value))
			return true
		}
	case *ir.SetAddStmt:
		if to, value := built[s.Set], f.value(built, s.Value); to != nil && value != nil {
			to.Value.(ast.Set).Add(value)
			return true
		}
	case *ir.ObjectInsertStmt:
		if to, key, value := built[s.Object], f.value(built, s.Key), f.value(built, s.Value); to != nil && key != nil && value != nil {
			to.Value.(ast.Object).Insert(key, value)
			return true
		}
	}
	return false
}

func (f *folds) value(built map[ir.Local]*ast.Term, o ir.Operand) *ast.Term {
	if l, ok := o.Value.(ir.Local); ok {
		return built[l]
	}
	return constant(o.Value, f.texts)
}

// changed reports whether a statement that is left adds to what a run built,
// and remembers to what.
func (f *folds) changed(b *ir.Block) bool {
	before := len(f.held)
	eachStmt(b, func(s ir.Stmt) {
		if f.gone[s] {
			return
		}
		var to ir.Local
		switch s := s.(type) {
		case *ir.ArrayAppendStmt:
			to = s.Array
		case *ir.SetAddStmt:
			to = s.Set
		case *ir.ObjectInsertStmt:
			to = s.Object
		case *ir.ObjectInsertOnceStmt:
			to = s.Object
		default:
			return
		}
		for _, run := range f.runs {
			if run[to] != nil {
				f.held[to] = true
			}
		}
	})
	return len(f.held) > before
}

// settle says where the constants are needed: nowhere, where nobody reads
// them; as operands, where the local is never anything else; else assigned.
func (f *folds) settle(b *ir.Block) {
	eachStmt(b, func(s ir.Stmt) {
		if !f.gone[s] {
			reads, sets := localsOf(s)
			for _, l := range reads {
				f.names[l] = struct{}{}
			}
			for _, l := range sets {
				f.sets[l]++
			}
		}
	})
	for _, run := range f.runs {
		for l := range run {
			f.sets[l]++
		}
	}
	for i, run := range f.runs {
		for _, l := range slices.Sorted(maps.Keys(run)) {
			if _, read := f.names[l]; !read {
				continue
			}
			if f.sets[l] == 1 {
				f.known[l] = run[l]
				continue
			}
			f.after[f.ends[i]] = append(f.after[f.ends[i]], builtLocal{l, run[l]})
		}
	}
}

// innerBlocks are the blocks of a statement.
func innerBlocks(s ir.Stmt) []*ir.Block {
	switch s := s.(type) {
	case *ir.BlockStmt:
		return s.Blocks
	case *ir.NotStmt:
		return []*ir.Block{s.Block}
	case *ir.ScanStmt:
		return []*ir.Block{s.Block}
	case *ir.WithStmt:
		return []*ir.Block{s.Block}
	}
	return nil
}

// eachStmt calls f for every statement of a block and of those in it.
func eachStmt(b *ir.Block, f func(ir.Stmt)) {
	for _, s := range b.Stmts {
		f(s)
		for _, inner := range innerBlocks(s) {
			eachStmt(inner, f)
		}
	}
}

// localsOf are the locals that a statement reads and those that it sets. What
// it adds to counts as read.
func localsOf(s ir.Stmt) (reads, sets []ir.Local) {
	switch s := s.(type) {
	case *ir.MakeNullStmt:
		return nil, []ir.Local{s.Target}
	case *ir.MakeNumberIntStmt:
		return nil, []ir.Local{s.Target}
	case *ir.MakeNumberRefStmt:
		return nil, []ir.Local{s.Target}
	case *ir.MakeArrayStmt:
		return nil, []ir.Local{s.Target}
	case *ir.MakeObjectStmt:
		return nil, []ir.Local{s.Target}
	case *ir.MakeSetStmt:
		return nil, []ir.Local{s.Target}
	case *ir.ResetLocalStmt:
		return nil, []ir.Local{s.Target}
	case *ir.AssignIntStmt:
		return nil, []ir.Local{s.Target}
	case *ir.AssignVarStmt:
		return among(s.Source), []ir.Local{s.Target}
	case *ir.AssignVarOnceStmt:
		return append(among(s.Source), s.Target), []ir.Local{s.Target}
	case *ir.DotStmt:
		return among(s.Source, s.Key), []ir.Local{s.Target}
	case *ir.LenStmt:
		return among(s.Source), []ir.Local{s.Target}
	case *ir.CallStmt:
		return among(s.Args...), []ir.Local{s.Result}
	case *ir.CallDynamicStmt:
		return append(among(s.Path...), s.Args...), []ir.Local{s.Result}
	case *ir.ScanStmt:
		return []ir.Local{s.Source}, []ir.Local{s.Key, s.Value}
	case *ir.ObjectMergeStmt:
		return []ir.Local{s.A, s.B}, []ir.Local{s.Target}
	default:
		return readBy(s), nil
	}
}

// readBy are the locals that a statement reads which sets none.
func readBy(s ir.Stmt) []ir.Local {
	switch s := s.(type) {
	case *ir.EqualStmt:
		return among(s.A, s.B)
	case *ir.NotEqualStmt:
		return among(s.A, s.B)
	case *ir.IsArrayStmt:
		return among(s.Source)
	case *ir.IsObjectStmt:
		return among(s.Source)
	case *ir.IsSetStmt:
		return among(s.Source)
	case *ir.IsDefinedStmt:
		return []ir.Local{s.Source}
	case *ir.IsUndefinedStmt:
		return []ir.Local{s.Source}
	case *ir.ReturnLocalStmt:
		return []ir.Local{s.Source}
	case *ir.ResultSetAddStmt:
		return []ir.Local{s.Value}
	case *ir.ArrayAppendStmt:
		return append(among(s.Value), s.Array)
	case *ir.SetAddStmt:
		return append(among(s.Value), s.Set)
	case *ir.ObjectInsertStmt:
		return append(among(s.Key, s.Value), s.Object)
	case *ir.ObjectInsertOnceStmt:
		return append(among(s.Key, s.Value), s.Object)
	}
	return nil
}

// among are the locals among operands.
func among(list ...ir.Operand) (out []ir.Local) {
	for _, o := range list {
		if l, ok := o.Value.(ir.Local); ok {
			out = append(out, l)
		}
	}
	return out
}
