package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"leviathan/gateway"
)

// The codes of the reasons that the engine itself gives, when the policy gave
// no answer that can be used.
const (
	CodeUndefined = "unknown.policy_undefined"
	CodeError     = "unknown.policy_error"
	CodeTimeout   = "unknown.policy_timeout"
	CodeResult    = "unknown.policy_result"
	CodeCancelled = "unknown.cancelled"
	CodeNoFacts   = "unknown.no_facts"
)

// rulePackage is the rule that the engine's own reasons name.
const rulePackage = "leviathan.engine"

// Failures documents the reasons that the engine itself gives.
func Failures() []Code {
	row := func(code, title, description, message, remedy string) Code {
		return Code{Code: code, Title: title, Description: description, Message: message, Remedy: remedy, Package: rulePackage}
	}
	return []Code{
		row(CodeCancelled, "Question cancelled", "The asker went away before the policy had answered.",
			"the question was cancelled", "Ask again."),
		row(CodeError, "Policy failed", "A builtin failed, two rules contradict each other, or the input is malformed.",
			"the policy failed to evaluate", "Correct the policy at the place that the message names."),
		row(CodeNoFacts, "Nothing to look at", "A check of a repository was asked for, and the facts have nothing of what it is about.",
			"the category has nothing to look at", "Check a repository that has it, or leave the category out in the settings."),
		row(CodeResult, "Malformed answer", "The policy's answer is not one object of allow, reasons and obligations.",
			"the policy gave a malformed answer", "Correct "+entrypoint+" in the bundle."),
		row(CodeTimeout, "Policy too slow", "The evaluation was ended at the deadline of the action.",
			"the policy did not answer in time", "Make the policy faster, or raise custom.deadline_ms of "+entrypoint+"."),
		row(CodeUndefined, "No answer", "The policy does not answer this question at all.",
			"the policy gave no answer", "Define "+entrypoint+" for every input, with a default."),
	}
}

// A Result is the policy's answer, checked.
type Result struct {
	// Allow is true only if the policy said so and gave no reason against it.
	Allow bool
	// Reasons are sorted by code, path and message; never nil.
	Reasons []gateway.Reason
	// Obligations is a canonical JSON object; {} if there are none.
	Obligations json.RawMessage
	// JSON is the whole answer {"allow","obligations","reasons"} in RFC 8785
	// form: equal inputs give equal bytes.
	JSON []byte

	spans       map[ast.Object]span // in Obligations
	obligations ast.Object
}

// Members are the members of the object at a place of the obligations, with
// their canonical JSON: what [Result.Obligations] says there, without decoding
// what stands around it. Members that are one value in the policy's answer may
// share their text; do not change it. There are none at a place that does not
// exist; a place that is no object is an error.
func (r Result) Members(path ...string) (map[string]json.RawMessage, error) {
	if r.obligations == nil {
		return nil, nil
	}
	var value ast.Value = r.obligations
	for _, name := range path {
		object, ok := value.(ast.Object)
		if !ok {
			break
		}
		member := object.Get(ast.StringTerm(name))
		if member == nil {
			return nil, nil
		}
		value = member.Value
	}
	object, ok := value.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("%s of the obligations is of type %s, not object", strings.Join(path, "."), ast.ValueName(value))
	}
	members := make(map[string]json.RawMessage, object.Len())
	err := object.Iter(func(k, v *ast.Term) error {
		name, ok := k.Value.(ast.String)
		if !ok {
			return fmt.Errorf("%s of the obligations has the key %s, which is not a string", strings.Join(path, "."), k)
		}
		text, err := r.text(v.Value)
		members[string(name)] = text
		return err
	})
	return members, err
}

// text is the JSON of a value of the obligations, as it was written there.
func (r Result) text(v ast.Value) (json.RawMessage, error) {
	if object, ok := v.(ast.Object); ok {
		if at, ok := r.spans[object]; ok {
			return json.RawMessage(r.Obligations[at.from:at.to:at.to]), nil
		}
	}
	return appendJSON(nil, v)
}

// failed is the deny with one of the engine's own reasons.
func failed(code, detail string) Result {
	own := Failures()
	c := own[slices.IndexFunc(own, func(c Code) bool { return c.Code == code })]
	if detail != "" {
		c.Message += ": " + detail
	}
	r := Result{
		Reasons:     []gateway.Reason{{Code: c.Code, Message: c.Message, Rule: c.Package, Remedy: c.Remedy}},
		Obligations: json.RawMessage("{}"),
	}
	r.JSON = r.encode()
	return r
}

// encode writes the canonical JSON of the result.
func (r Result) encode() []byte {
	dst := make([]byte, 0, 64+len(r.Obligations)+192*len(r.Reasons))
	dst = append(dst, `{"allow":`...)
	if r.Allow {
		dst = append(dst, `true,"obligations":`...)
	} else {
		dst = append(dst, `false,"obligations":`...)
	}
	dst = append(append(dst, r.Obligations...), `,"reasons":[`...)
	for i, reason := range r.Reasons {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(dst, `{"code":`...), reason.Code)
		dst = appendString(append(dst, `,"message":`...), reason.Message)
		for _, optional := range [][2]string{{`,"path":`, reason.Path}, {`,"remedy":`, reason.Remedy}, {`,"rule":`, reason.Rule}} {
			if optional[1] != "" {
				dst = appendString(append(dst, optional[0]...), optional[1])
			}
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// readResult takes the policy's answer. Anything but an object of exactly
// allow, reasons and obligations, of the right types, is refused.
func readResult(v ast.Value) (Result, error) {
	obj, ok := v.(ast.Object)
	if !ok {
		return Result{}, fmt.Errorf("the answer is of type %s, not object", ast.ValueName(v))
	}
	allow, reasons, obligations := member3(obj)
	if allow == nil || reasons == nil || obligations == nil || obj.Len() != 3 {
		return Result{}, errors.New("the answer has other keys than allow, obligations and reasons")
	}
	said, ok := allow.Value.(ast.Boolean)
	if !ok {
		return Result{}, fmt.Errorf("allow is of type %s, not boolean", ast.ValueName(allow.Value))
	}
	var r Result
	var err error
	if r.Reasons, err = readReasons(reasons.Value); err != nil {
		return Result{}, err
	}
	if r.obligations, ok = obligations.Value.(ast.Object); !ok {
		return Result{}, fmt.Errorf("obligations is of type %s, not object", ast.ValueName(obligations.Value))
	}
	r.spans = map[ast.Object]span{}
	if r.Obligations, err = (writer{spans: r.spans}).append(nil, r.obligations); err != nil {
		return Result{}, fmt.Errorf("write obligations: %w", err)
	}
	r.Allow = bool(said) && len(r.Reasons) == 0
	r.JSON = r.encode()
	return r, nil
}

func member3(obj ast.Object) (allow, reasons, obligations *ast.Term) {
	return obj.Get(ast.InternedTerm("allow")), obj.Get(ast.InternedTerm("reasons")), obj.Get(ast.InternedTerm("obligations"))
}

// readReasons reads the array or set of reasons, sorted, each once.
func readReasons(v ast.Value) ([]gateway.Reason, error) {
	reasons := []gateway.Reason{}
	each := func(t *ast.Term) error {
		r, err := readReason(t.Value)
		reasons = append(reasons, r)
		return err
	}
	var err error
	switch v := v.(type) {
	case ast.Set:
		err = v.Iter(each)
	case *ast.Array:
		err = v.Iter(each)
	default:
		err = fmt.Errorf("reasons is of type %s, not array or set", ast.ValueName(v))
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(reasons, func(a, b gateway.Reason) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Remedy, b.Remedy))
	})
	return slices.Compact(reasons), nil
}

// readReason reads one reason: an object of strings with a code and a message.
func readReason(v ast.Value) (gateway.Reason, error) {
	var r gateway.Reason
	obj, ok := v.(ast.Object)
	if !ok {
		return r, fmt.Errorf("a reason is of type %s, not object", ast.ValueName(v))
	}
	err := obj.Iter(func(k, t *ast.Term) error {
		text, ok := t.Value.(ast.String)
		if !ok {
			return fmt.Errorf("%s of a reason is of type %s, not string", k, ast.ValueName(t.Value))
		}
		switch {
		case k.Equal(ast.InternedTerm("code")):
			r.Code = string(text)
		case k.Equal(ast.InternedTerm("message")):
			r.Message = string(text)
		case k.Equal(ast.InternedTerm("rule")):
			r.Rule = string(text)
		case k.Equal(ast.InternedTerm("path")):
			r.Path = string(text)
		case k.Equal(ast.InternedTerm("remedy")):
			r.Remedy = string(text)
		default:
			return fmt.Errorf("a reason has the unknown key %s", k)
		}
		return nil
	})
	if err == nil && (r.Code == "" || r.Message == "") {
		err = errors.New("a reason has no code or no message")
	}
	return r, err
}
