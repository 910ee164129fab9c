package facts

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isWorkflow reports whether GitHub takes the file for a workflow.
func isWorkflow(file string) bool {
	return path.Dir(file) == ".github/workflows" && (strings.HasSuffix(file, ".yml") || strings.HasSuffix(file, ".yaml"))
}

// A workflowReader reads one workflow.
type workflowReader struct {
	source   *source
	doc      *Document
	comments map[string]bool // the text of every comment line, as the parser saw it
}

// readWorkflow reads a workflow as GitHub does.
func readWorkflow(s *source, d *Document) *Workflow {
	r := workflowReader{source: s, doc: d, comments: map[string]bool{}}
	r.collect(s.nodes[d.ID], 0)
	w := &Workflow{Document: d.ID, Name: textAt(d.Value, "name"), Triggers: map[string]Trigger{}, Permissions: r.permissions("", d.Value)}
	switch on := find(d.Value, "on").(type) {
	case map[string]any:
		for event, value := range on {
			w.Triggers[event] = r.trigger("/on/"+escape(event), value)
		}
	default:
		for _, event := range texts(on) {
			w.Triggers[event] = r.trigger("/on", nil)
		}
	}
	shell := textAt(d.Value, "defaults", "run", "shell")
	for _, id := range r.keys("/jobs", object(d.Value, "jobs")) {
		w.Jobs = append(w.Jobs, r.job(id, object(d.Value, "jobs")[id], shell))
	}
	w.Commented = r.commented()
	return w
}

// keys are the keys of a mapping in the order of the file.
func (r workflowReader) keys(pointer string, m map[string]any) []string {
	keys := sortedKeys(m)
	at := func(key string) [2]int { return r.doc.At[pointer+"/"+escape(key)] }
	for i := range keys { // few, and nearly sorted
		for j := i; j > 0 && (at(keys[j])[0] < at(keys[j-1])[0] || at(keys[j])[0] == at(keys[j-1])[0] && at(keys[j])[1] < at(keys[j-1])[1]); j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

func (r workflowReader) trigger(pointer string, value any) Trigger {
	t := Trigger{Place: r.doc.place(pointer), Value: value, Branches: texts(find(value, "branches")), BranchesIgnore: texts(find(value, "branches-ignore")),
		Paths: texts(find(value, "paths")), PathsIgnore: texts(find(value, "paths-ignore")), Types: texts(find(value, "types"))}
	for _, filter := range []string{"branches", "branches-ignore", "paths", "paths-ignore"} {
		t.Filtered = t.Filtered || find(value, filter) != nil
	}
	return t
}

func (r workflowReader) permissions(pointer string, holder any) Permissions {
	p := Permissions{Place: r.doc.place(pointer + "/permissions"), Scopes: map[string]string{}}
	switch v := find(holder, "permissions").(type) {
	case string:
		p.Given, p.All = true, v
	case map[string]any:
		p.Given, p.Scopes = true, textMap(v)
	}
	return p
}

func (r workflowReader) job(id string, value any, shell string) Job {
	pointer := "/jobs/" + escape(id)
	j := Job{Place: r.doc.place(pointer), ID: id, Pointer: pointer, Name: textAt(value, "name"), Needs: texts(find(value, "needs")),
		RunsOn: texts(find(value, "runs-on")), Timeout: number(find(value, "timeout-minutes")), Permissions: r.permissions(pointer, value),
		Image: textAt(value, "container")}
	if image := textAt(value, "container", "image"); image != "" {
		j.Image = image
	}
	if len(j.RunsOn) == 0 {
		j.RunsOn = texts(find(value, "runs-on", "labels"))
	}
	j.If, j.Never = condition(find(value, "if"))
	j.ContinueOnError = tolerant(find(value, "continue-on-error"))
	j.Uses = r.action(pointer+"/uses", textAt(value, "uses"))
	if own := textAt(value, "defaults", "run", "shell"); own != "" {
		shell = own
	}
	for i, step := range list(value, "steps") {
		j.Steps = append(j.Steps, r.step(i, pointer+"/steps/"+strconv.Itoa(i), step, shell))
	}
	return j
}

func (r workflowReader) step(index int, pointer string, value any, shell string) Step {
	s := Step{Place: r.doc.place(pointer), Index: index, Pointer: pointer, Name: textAt(value, "name"), ID: textAt(value, "id"),
		ContinueOnError: tolerant(find(value, "continue-on-error")), With: find(value, "with"), Env: find(value, "env"),
		Run: textAt(value, "run"), Shell: shell, Uses: r.action(pointer+"/uses", textAt(value, "uses"))}
	if own := textAt(value, "shell"); own != "" {
		s.Shell = own
	}
	s.If, s.Never = condition(find(value, "if"))
	if s.Run == "" {
		return s
	}
	// GitHub's own default is bash -e without pipefail; shell: bash has both.
	script := parseScript(s.File, s.Run, 1, s.Shell == "bash" || strings.Contains(s.Shell, "pipefail"))
	move := r.inside(pointer + "/run")
	for i := range script.Commands {
		script.Commands[i].Place = moved(script.Commands[i].Place, move)
	}
	for i := range script.Swallowed {
		script.Swallowed[i].Place = moved(script.Swallowed[i].Place, move)
	}
	s.Commands, s.Swallowed = script.Commands, script.Swallowed
	return s
}

func moved(p Place, by placing) Place {
	at := by.at(p.Line, p.Column)
	return Place{p.File, at[0], at[1]}
}

// inside is where the text of the scalar at the pointer stands.
func (r workflowReader) inside(pointer string) placing {
	n := r.source.nodes[r.doc.ID]
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = unescape(part)
		for n != nil && n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		switch {
		case n == nil:
		case n.Kind == yaml.SequenceNode:
			if i, err := strconv.Atoi(part); err == nil && i < len(n.Content) {
				n = n.Content[i]
			}
		default:
			n = member(n, part)
		}
	}
	at := r.doc.At[pointer]
	if n == nil {
		return placing{line: at[0], column: at[1], fixed: true}
	}
	return r.source.inside(n, at)
}

var expression = regexp.MustCompile(`^\s*\$\{\{(.*)\}\}\s*$`)

// condition is an if's expression, and whether it is constantly false.
func condition(value any) (text string, never bool) {
	if value == nil {
		return "", false
	}
	text = strings.TrimSpace(plain(value))
	if m := expression.FindStringSubmatch(text); m != nil {
		text = strings.TrimSpace(m[1])
	}
	bare := strings.ReplaceAll(strings.Trim(text, "() "), " ", "")
	switch bare {
	case "false", "''", "0", "null", "!true", "1==0", "0==1", "true==false", "false==true":
		return text, true
	}
	return text, strings.HasPrefix(bare, "false&&") || strings.HasSuffix(bare, "&&false")
}

// tolerant reports whether a continue-on-error may be true: what is not
// plainly false is.
func tolerant(value any) bool {
	return value != nil && value != false && plain(value) != "${{ false }}"
}

var (
	commitHash  = regexp.MustCompile(`^[0-9a-f]{40}$|^[0-9a-f]{64}$`)
	imageDigest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
)

// action takes a uses apart; nil if there is none.
func (r workflowReader) action(pointer, reference string) *Action {
	if reference == "" {
		return nil
	}
	a := &Action{Place: r.doc.place(pointer), Reference: reference, Local: strings.HasPrefix(reference, "./")}
	a.Name, a.Ref, _ = strings.Cut(reference, "@")
	a.Pinned = commitHash.MatchString(a.Ref) || strings.HasPrefix(reference, "docker://") && imageDigest.MatchString(reference)
	if a.Line <= len(r.source.lines) {
		if _, comment, ok := strings.Cut(r.source.lines[a.Line-1], reference); ok {
			a.Comment = strings.TrimSpace(strings.TrimLeft(comment, "'\" #"))
		}
	}
	return a
}

// collect gathers the comments that the parser saw: a line of a script that
// begins with # is none.
func (r workflowReader) collect(n *yaml.Node, depth int) {
	if n == nil || depth > maxYAMLDepth {
		return
	}
	for _, text := range []string{n.HeadComment, n.LineComment, n.FootComment} {
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				r.comments[line] = true
			}
		}
	}
	for _, child := range n.Content {
		r.collect(child, depth+1)
	}
}

// workflowLine is what a line of a job or a step looks like.
var workflowLine = regexp.MustCompile(`^(?:- *)?(?:name|uses|run|if|with|env|id|steps|needs|runs-on|shell|continue-on-error|permissions|timeout-minutes|strategy)\s*:(?:\s|$)`)

// commented finds the comment lines that would be parts of the workflow.
func (r workflowReader) commented() (out []Comment) {
	for i, line := range r.source.lines {
		trimmed := strings.TrimSpace(line)
		if !strings.HasPrefix(trimmed, "#") || !r.comments[trimmed] {
			continue
		}
		text := strings.TrimSpace(strings.TrimLeft(trimmed, "#"))
		if workflowLine.MatchString(text) {
			out = append(out, Comment{Place{r.doc.File, i + 1, 1 + strings.IndexByte(line, '#')}, text})
		}
	}
	return out
}
