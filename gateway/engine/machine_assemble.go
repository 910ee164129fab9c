package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// An assembler turns the statements of a plan into instructions.
type assembler struct {
	policy  *ir.Policy
	funcs   map[string]*function
	built   map[string]*builtin
	paths   *paths
	lookups []lookup
	by      map[namedLookup]int // the lookups by what they look for

	size  int               // registers of what is being assembled
	lists map[ir.Local]bool // locals of it that a list grows in
	folds *folds            // of the block of it that is being assembled
	at    map[ir.Local]int  // locals of the block that are never anything but what a lookup finds
	depth int               // blocks that a break may leave from here
}

// A namedLookup is of a member of what another lookup finds.
type namedLookup struct {
	above int
	key   string
}

// assemble makes the code of the plan.
func (m *machine) assemble(policy *ir.Policy) error {
	a := &assembler{policy: policy, funcs: map[string]*function{}, built: map[string]*builtin{}, paths: &paths{}, lookups: []lookup{{}}, by: map[namedLookup]int{}}
	for _, b := range policy.Static.BuiltinFuncs {
		if err := a.addBuiltin(b.Name); err != nil {
			return err
		}
	}
	for i, f := range policy.Funcs.Funcs {
		made := &function{name: f.Name, index: i, memo: len(f.Params) == 2}
		for _, p := range f.Params {
			made.params = append(made.params, int(p))
		}
		a.funcs[f.Name] = made
		m.funcs = append(m.funcs, made)
		a.paths.add(f.Path, made)
	}
	for i, f := range policy.Funcs.Funcs {
		made := m.funcs[i]
		made.nested = growsInPlace(f)
		var err error
		if made.body, made.size, err = a.body(f.Blocks, slices.Concat(f.Params, []ir.Local{f.Return})); err != nil {
			return fmt.Errorf("assemble %s: %w", f.Name, err)
		}
	}
	if n := len(policy.Plans.Plans); n != 1 {
		return fmt.Errorf("assemble the plan: %d plans", n)
	}
	var err error
	if m.plan, m.size, err = a.body(policy.Plans.Plans[0].Blocks, []ir.Local{ir.Input, ir.Data}); err != nil {
		return fmt.Errorf("assemble the plan: %w", err)
	}
	m.lookups = a.lookups
	return nil
}

func (a *assembler) addBuiltin(name string) error {
	decl, f := ast.BuiltinMap[name], topdown.GetBuiltin(name)
	if decl == nil || f == nil || forbidden(decl) {
		return fmt.Errorf("assemble a call: %s cannot be called", name)
	}
	a.built[name] = &builtin{name: name, f: f, bare: decl.CanSkipBctx, void: decl.Decl.Result() == nil, relation: decl.Relation, direct: direct[name]}
	return nil
}

// growsInPlace reports whether the value of a function is an object that its
// rules put objects and sets into, and then add to these.
func growsInPlace(f *ir.Func) bool {
	if len(f.Blocks) == 0 || len(f.Blocks[0].Stmts) == 0 {
		return false
	}
	made, ok := f.Blocks[0].Stmts[0].(*ir.MakeObjectStmt)
	return ok && made.Target == f.Return
}

// body assembles the blocks of a function, and counts its registers.
func (a *assembler) body(blocks []*ir.Block, given []ir.Local) ([]block, int, error) {
	a.size, a.lists, a.depth = 0, map[ir.Local]bool{}, 0
	for _, l := range given {
		a.size = max(a.size, int(l)+1)
	}
	for _, b := range blocks {
		eachStmt(b, func(s ir.Stmt) {
			if made, ok := s.(*ir.MakeArrayStmt); ok {
				a.lists[made.Target] = true
			}
		})
	}
	var out []block
	for _, b := range blocks {
		a.folds, a.at = fold(b, given, a.policy.Static.Strings), map[ir.Local]int{ir.Input: 0}
		made, err := a.block(b)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, made)
	}
	return out, a.size, nil
}

func (a *assembler) block(b *ir.Block) (block, error) {
	var out block
	for _, s := range b.Stmts {
		if a.folds.gone[s] {
			for _, c := range a.folds.after[s] {
				out = append(out, instruction{op: opConst, a: operand{term: c.term}, target: a.reg(c.local)})
			}
			continue
		}
		made, err := a.statement(s)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return slices.Clone(out), nil // no longer than it is
}

// within assembles blocks that stand in another.
func (a *assembler) within(blocks []*ir.Block) ([]block, error) {
	a.depth++
	defer func() { a.depth-- }()
	var out []block
	for _, b := range blocks {
		made, err := a.block(b)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// closed assembles a block that no break leaves but for its own end.
func (a *assembler) closed(b *ir.Block) ([]block, error) {
	depth := a.depth
	defer func() { a.depth = depth }()
	a.depth = 0
	made, err := a.block(b)
	return []block{made}, err
}

// reg is the register of a local.
func (a *assembler) reg(l ir.Local) int32 {
	a.size = max(a.size, int(l)+1)
	return int32(l)
}

func (a *assembler) local(l ir.Local) operand {
	if term, ok := a.folds.known[l]; ok {
		return operand{term: term}
	}
	return operand{reg: a.reg(l), list: a.lists[l]}
}

func (a *assembler) operand(o ir.Operand) operand {
	switch v := o.Value.(type) {
	case ir.Local:
		return a.local(v)
	default:
		return operand{term: constant(v, a.policy.Static.Strings)}
	}
}

// constant is the term of an operand that is no local.
func constant(v ir.Val, strings []*ir.StringConst) *ast.Term {
	switch v := v.(type) {
	case ir.StringIndex:
		return ast.StringTerm(strings[v].Value)
	case ir.Bool:
		return ast.InternedTerm(bool(v))
	}
	return nil
}

func (a *assembler) operands(list []ir.Operand) []operand {
	out := make([]operand, len(list))
	for i, o := range list {
		out[i] = a.operand(o)
	}
	return out
}

// dynamicDepth is how many blocks the plan leaves where a rule that was found by
// its path has no value.
const dynamicDepth = 3

// errUnknown is a statement that the machine does not know.
var errUnknown = errors.New("the statement is not known")

// statement assembles what has no blocks and calls nothing.
func (a *assembler) statement(s ir.Stmt) (instruction, error) {
	switch s := s.(type) {
	case *ir.MakeNullStmt:
		return instruction{op: opConst, a: operand{term: ast.InternedNullTerm}, target: a.reg(s.Target)}, nil
	case *ir.MakeNumberIntStmt:
		return instruction{op: opConst, a: operand{term: ast.InternedTerm(int(s.Value))}, target: a.reg(s.Target)}, nil
	case *ir.AssignIntStmt:
		return instruction{op: opConst, a: operand{term: ast.InternedTerm(int(s.Value))}, target: a.reg(s.Target)}, nil
	case *ir.MakeNumberRefStmt:
		return instruction{op: opConst, a: operand{term: numberTerm(a.policy.Static.Strings[s.Index].Value)}, target: a.reg(s.Target)}, nil
	case *ir.MakeArrayStmt:
		return instruction{op: opList, n: int32(s.Capacity), target: a.reg(s.Target)}, nil
	case *ir.MakeObjectStmt:
		return instruction{op: opNew, of: shapeObject, target: a.reg(s.Target)}, nil
	case *ir.MakeSetStmt:
		return instruction{op: opNew, of: shapeSet, target: a.reg(s.Target)}, nil
	case *ir.ResetLocalStmt:
		return instruction{op: opReset, target: a.reg(s.Target)}, nil
	case *ir.AssignVarStmt:
		return instruction{op: opAssign, a: a.operand(s.Source), target: a.reg(s.Target)}, nil
	case *ir.AssignVarOnceStmt:
		return instruction{op: opAssignOnce, a: a.operand(s.Source), target: a.reg(s.Target)}, nil
	case *ir.DotStmt:
		return a.dot(s), nil
	case *ir.LenStmt:
		return instruction{op: opLength, a: a.operand(s.Source), target: a.reg(s.Target)}, nil
	case *ir.ArrayAppendStmt:
		return instruction{op: opAppend, a: a.operand(s.Value), target: a.reg(s.Array)}, nil
	case *ir.SetAddStmt:
		return instruction{op: opAdd, a: a.operand(s.Value), target: a.reg(s.Set)}, nil
	case *ir.ObjectInsertStmt:
		return instruction{op: opInsert, a: a.operand(s.Key), b: a.operand(s.Value), target: a.reg(s.Object)}, nil
	case *ir.ObjectInsertOnceStmt:
		return instruction{op: opInsertOnce, a: a.operand(s.Key), b: a.operand(s.Value), target: a.reg(s.Object)}, nil
	case *ir.ObjectMergeStmt:
		return instruction{op: opMerge, a: a.local(s.A), b: a.local(s.B), target: a.reg(s.Target)}, nil
	case *ir.ReturnLocalStmt:
		return instruction{op: opReturn, a: a.local(s.Source)}, nil
	case *ir.ResultSetAddStmt:
		return instruction{op: opResult, a: a.local(s.Value)}, nil
	default:
		return a.condition(s)
	}
}

// dot assembles a lookup. One in the input, which never changes, is done once for
// each question, however many rules ask.
func (a *assembler) dot(s *ir.DotStmt) instruction {
	made := instruction{op: opDot, a: a.operand(s.Source), b: a.operand(s.Key), target: a.reg(s.Target)}
	source, ok := s.Source.Value.(ir.Local)
	above, known := a.at[source]
	key, text := s.Key.Value.(ir.StringIndex)
	if !ok || !known || !text {
		return made
	}
	name := namedLookup{above, a.policy.Static.Strings[key].Value}
	n, ok := a.by[name]
	if !ok {
		n = len(a.lookups)
		a.lookups, a.by[name] = append(a.lookups, lookup{above, made.b.term}), n
	}
	if a.folds.sets[s.Target] == 1 {
		a.at[s.Target] = n
	}
	return instruction{op: opInput, n: int32(n), target: made.target}
}

// condition assembles what only looks.
func (a *assembler) condition(s ir.Stmt) (instruction, error) {
	switch s := s.(type) {
	case *ir.EqualStmt:
		return instruction{op: opEqual, a: a.operand(s.A), b: a.operand(s.B)}, nil
	case *ir.NotEqualStmt:
		if s.B.Value == ir.Bool(false) {
			return instruction{op: opTrue, a: a.operand(s.A)}, nil
		}
		return instruction{op: opDiffers, a: a.operand(s.A), b: a.operand(s.B)}, nil
	case *ir.IsDefinedStmt:
		return instruction{op: opDefined, a: a.local(s.Source)}, nil
	case *ir.IsUndefinedStmt:
		return instruction{op: opUndefined, a: a.local(s.Source)}, nil
	case *ir.IsArrayStmt:
		return instruction{op: opType, of: shapeArray, a: a.operand(s.Source)}, nil
	case *ir.IsObjectStmt:
		return instruction{op: opType, of: shapeObject, a: a.operand(s.Source)}, nil
	case *ir.IsSetStmt:
		return instruction{op: opType, of: shapeSet, a: a.operand(s.Source)}, nil
	default:
		return a.control(s)
	}
}

// control assembles calls and what has blocks.
func (a *assembler) control(s ir.Stmt) (made instruction, err error) {
	switch s := s.(type) {
	case *ir.CallStmt:
		made = instruction{op: opCall, target: a.reg(s.Result), inner: &inner{args: a.operands(s.Args), call: a.funcs[s.Func]}}
		if made.call == nil {
			made.op, made.builtin = opBuiltin, a.built[s.Func]
		}
		if made.call == nil && made.builtin == nil {
			return made, fmt.Errorf("call %s: there is no such function", s.Func)
		}
		if made.call != nil && len(made.args) != len(made.call.params) {
			return made, fmt.Errorf("call %s: %d arguments for %d parameters", s.Func, len(made.args), len(made.call.params))
		}
	case *ir.CallDynamicStmt:
		made = instruction{op: opDynamic, target: a.reg(s.Result), inner: &inner{args: a.operands(s.Path), paths: a.paths}}
		for len(made.args) > 0 && made.args[0].term != nil && made.paths != nil {
			name, _ := made.args[0].term.Value.(ast.String)
			made.paths, made.args = made.paths.below[string(name)], made.args[1:]
		}
		if made.paths == nil {
			made.paths = &paths{} // which leads nowhere
		}
		if len(s.Args) != 2 || s.Args[0] != ir.Input || s.Args[1] != ir.Data || a.depth < dynamicDepth {
			return made, fmt.Errorf("call by a path: %w", errUnknown)
		}
	case *ir.BlockStmt:
		made.op, made.inner = opBlocks, &inner{}
		made.blocks, err = a.within(s.Blocks)
	case *ir.NotStmt:
		made.op, made.inner = opNot, &inner{}
		made.blocks, err = a.closed(s.Block)
	case *ir.ScanStmt:
		made = instruction{op: opScan, a: a.local(s.Source), target: a.reg(s.Key), n: a.reg(s.Value), inner: &inner{}}
		made.blocks, err = a.closed(s.Block)
	case *ir.BreakStmt:
		made = instruction{op: opBreak, n: int32(s.Index)}
		if int(made.n) > a.depth {
			return made, fmt.Errorf("leave %d blocks of %d: %w", made.n, a.depth, errUnknown)
		}
	default:
		return made, fmt.Errorf("%T: %w", s, errUnknown)
	}
	return made, err
}
