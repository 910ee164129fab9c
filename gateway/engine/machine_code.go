package engine

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// The code of a machine follows OPA's plan statement by statement: what a
// statement means is written at https://www.openpolicyagent.org/docs/ir and in
// the package v1/ir. What is constant is built once, and what is called is
// found once.

// A block is a list of statements. It ends early where one is undefined.
type block []instruction

// A function is one rule or function of the policy.
type function struct {
	name   string
	index  int
	params []int
	size   int // registers
	body   []block
	// memo: it has no parameters but input and data, and one value for each
	// question.
	memo bool
	// nested: its value is built of objects in objects, in place.
	nested bool
}

// An operand is a constant or a register.
type operand struct {
	term *ast.Term // of a constant
	reg  int32
	list bool // the register may hold a list that is still growing
}

// An opcode says what an instruction does.
type opcode uint8

const (
	opConst opcode = iota // target = a
	opNew                 // target = a new set or object
	opList                // target = a new list of capacity n
	opReset
	opDot   // target = a[b]
	opInput // target = what lookup n finds in the input
	opEqual // a == b
	opDiffers
	opTrue // a is not false
	opDefined
	opUndefined
	opType   // a is of the shape
	opLength // target = count(a)
	opAssign // target = a
	opAssignOnce
	opAppend     // list target
	opAdd        // set target
	opInsert     // object target
	opInsertOnce // object target
	opMerge
	opCall
	opBuiltin
	opDynamic
	opBlocks
	opNot
	opScan // a, each key into target, each value into n
	opBreak
	opReturn
	opResult
)

// A shape is what opNew makes and opType looks for.
type shape uint8

const (
	shapeArray shape = iota
	shapeObject
	shapeSet
)

// An instruction is one statement. It is small, because a question goes through
// thousands of them, and what they take of the processor's memory is what they
// cost.
type instruction struct {
	op     opcode
	of     shape
	target int32
	n      int32
	a, b   operand
	*inner // of calls, and of what has blocks
}

// An inner is what few instructions have.
type inner struct {
	blocks  []block
	args    []operand
	call    *function
	builtin *builtin
	paths   *paths
}

// A builtin is one that the policy calls.
type builtin struct {
	name     string
	f        topdown.BuiltinFunc
	bare     bool                        // it does not look at its context
	void     bool                        // it has no value
	relation bool                        // it has any number of values
	direct   func([]*ast.Term) *ast.Term // the short way; nil: there is none
}

// A lookup is one that the policy makes in the input: of a member of what another
// one finds. The first one finds the input itself.
type lookup struct {
	above int
	key   *ast.Term
}

// paths are the rules that a path of strings may lead to.
type paths struct {
	call  *function
	below map[string]*paths
}

// add registers a function.
func (p *paths) add(path []string, f *function) {
	for _, name := range path {
		if p.below == nil {
			p.below = map[string]*paths{}
		}
		next := p.below[name]
		if next == nil {
			next = &paths{}
			p.below[name] = next
		}
		p = next
	}
	p.call = f
}
