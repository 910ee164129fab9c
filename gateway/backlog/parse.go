package backlog

import (
	"fmt"
	"math"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

// maxNumber is the greatest integer that the files may have.
const maxNumber = math.MaxInt32

// Parse reads a backlog: a mapping with tasks, or the list of tasks alone. It
// fails with an *Error only when the file as a whole cannot be used; a bad
// task is in File.Invalid.
func Parse(name string, data []byte) (*File, error) {
	root, diags := strictyaml.Parse(name, data, MaxBytes)
	if root == nil {
		return nil, &Error{Diagnostics: diags}
	}
	p := &fileReader{Reader: strictyaml.Reader{File: name}, out: &File{}}
	list := p.top(root)
	if list != nil && len(list.Items) > MaxTasks {
		p.Errorf(list, "the backlog has %d tasks; at most %d are read", len(list.Items), MaxTasks)
	}
	if p.Failed() {
		return nil, &Error{Diagnostics: p.Sorted()}
	}
	p.tasks(list)
	p.out.Diagnostics = p.Sorted()
	return p.out, nil
}

// A fileReader reads one backlog.
type fileReader struct {
	strictyaml.Reader
	out *File
}

// top reads what stands around the tasks and returns their list. Its errors
// are the file's.
func (p *fileReader) top(root *strictyaml.Node) *strictyaml.Node {
	if root.Kind == strictyaml.List {
		return root
	}
	o, ok := p.Object(root, "", []string{"version", "max_open_prs", "tasks", "metadata"}, true)
	if !ok {
		return nil
	}
	if n := o.Get("version"); n != nil && p.IsKind(n, "version", strictyaml.Scalar) {
		p.out.Version = n.Text
	}
	if n := o.Get("max_open_prs"); n != nil {
		p.out.MaxOpenPRs, _ = p.Integer(n, "max_open_prs", 1, maxNumber)
	}
	n := o.Get("tasks")
	if n == nil {
		p.Errorf(root, "the key tasks is missing; it is required")
		return nil
	}
	if !p.IsKind(n, "tasks", strictyaml.List) {
		return nil
	}
	return n
}

// A candidate is one entry of the list while it is looked at.
type candidate struct {
	task    gateway.Task
	node    *strictyaml.Node
	reasons []gateway.Reason
}

func (p *fileReader) tasks(list *strictyaml.Node) {
	candidates := make([]candidate, len(list.Items))
	for i, item := range list.Items {
		c := &candidates[i]
		c.node = item
		from := len(p.Diags)
		c.task = p.task(item)
		c.reasons = reasonsOf(p.Diags[from:])
	}
	p.duplicates(candidates)
	p.cycles(candidates)
	p.out.Tasks = make([]gateway.Task, 0, len(candidates))
	p.out.Invalid = []Entry{}
	for _, c := range candidates {
		if len(c.reasons) > 0 {
			p.out.Invalid = append(p.out.Invalid, Entry{ID: c.task.ID, Line: c.task.Line, Reasons: c.reasons})
			continue
		}
		c.task.Digest = Digest(c.task, "")
		p.out.Tasks = append(p.out.Tasks, c.task)
	}
}

// reasonsOf turns the errors of one task into its reasons.
func reasonsOf(diags []gateway.Diagnostic) []gateway.Reason {
	var out []gateway.Reason
	for _, d := range diags {
		if !d.Warning {
			out = append(out, gateway.Reason{Code: CodeInvalidTask, Message: fmt.Sprintf("line %d: %s", d.Line, d.Message)})
		}
	}
	return out
}

// deny sets a task aside for a reason that other tasks have a part in.
func (p *fileReader) deny(c *candidate, code, message string) {
	p.Errorf(c.node, "%s", message)
	c.reasons = append(c.reasons, gateway.Reason{Code: code, Message: message})
}

// duplicates sets aside every entry of an id that stands twice: which of them
// was meant is not known.
func (p *fileReader) duplicates(candidates []candidate) {
	byID := map[gateway.TaskID][]int{}
	for i, c := range candidates {
		if c.task.ID != "" {
			byID[c.task.ID] = append(byID[c.task.ID], i)
		}
	}
	for i := range candidates {
		c := &candidates[i]
		group := byID[c.task.ID]
		if len(group) < 2 {
			continue
		}
		var lines []string
		for _, j := range group {
			if j != i && len(lines) < 3 {
				lines = append(lines, fmt.Sprint(candidates[j].task.Line))
			}
		}
		more := ""
		if rest := len(group) - 1 - len(lines); rest > 0 {
			more = fmt.Sprintf(" and %d more", rest)
		}
		p.deny(c, CodeDuplicateID, fmt.Sprintf("the id %s stands also at line %s%s; every task with it is skipped", c.task.ID, strings.Join(lines, ", "), more))
	}
}
