package facts

import (
	"regexp"
	"strings"
)

var (
	dockerDirective = regexp.MustCompile(`^#\s*escape\s*=\s*(\S)\s*$`)
	dockerHeredoc   = regexp.MustCompile(`<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)
	dockerVariable  = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?`)
)

// parseDockerfile reads a Dockerfile: continued lines, comments between them,
// here-documents, the escape directive and ARG defaults.
func parseDockerfile(file, text string) (*Dockerfile, []Problem) {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	escape := `\`
	for _, line := range lines {
		if m := dockerDirective.FindStringSubmatch(strings.ToLower(line)); m != nil {
			escape = m[1]
		}
		if !strings.HasPrefix(line, "#") {
			break
		}
	}
	out := &Dockerfile{}
	args := map[string]string{}
	var problems []Problem
	for i := 0; i < len(lines); i++ {
		trimmed := strings.TrimSpace(lines[i])
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		in := Instruction{Place: Place{file, i + 1, 1 + strings.Index(lines[i], trimmed)}}
		var whole string
		whole, i = joinLines(lines, i, escape)
		in.Keyword, in.Args, _ = strings.Cut(whole, " ")
		in.Keyword, in.Args = strings.ToUpper(in.Keyword), strings.TrimSpace(in.Args)
		if in.Keyword == "RUN" || in.Keyword == "COPY" || in.Keyword == "ADD" {
			i = skipDockerHeredocs(lines, i, in.Args)
		}
		out.add(&in, args)
	}
	if len(out.Stages) == 0 {
		problems = append(problems, Problem{Place{file, 1, 1}, "dockerfile_syntax", "no FROM: this builds nothing"})
	}
	return out, problems
}

// joinLines joins the instruction that begins at line i with those that
// continue it, and returns the last one's index.
func joinLines(lines []string, i int, escape string) (string, int) {
	var parts []string
	for ; i < len(lines); i++ {
		trimmed := strings.TrimSpace(lines[i])
		if len(parts) > 0 && (trimmed == "" || trimmed[0] == '#') {
			continue
		}
		rest, more := strings.CutSuffix(trimmed, escape)
		parts = append(parts, strings.TrimSpace(rest))
		if !more {
			break
		}
	}
	return strings.Join(parts, " "), min(i, len(lines)-1)
}

func skipDockerHeredocs(lines []string, i int, args string) int {
	for _, m := range dockerHeredoc.FindAllStringSubmatch(args, -1) {
		for i+1 < len(lines) {
			i++
			if strings.TrimSpace(lines[i]) == m[1] {
				break
			}
		}
	}
	return i
}

// add adds an instruction, and a stage if it begins one.
func (d *Dockerfile) add(in *Instruction, args map[string]string) {
	switch in.Keyword {
	case "ARG":
		if name, value, ok := strings.Cut(in.Args, "="); ok && len(d.Stages) == 0 {
			args[name] = strings.Trim(value, `"'`)
		}
	case "FROM":
		stage := Stage{Place: in.Place}
		words := strings.Fields(in.Args)
		for len(words) > 0 && strings.HasPrefix(words[0], "--") {
			words = words[1:]
		}
		if len(words) > 2 && strings.EqualFold(words[1], "as") {
			stage.Name = words[2]
		}
		if len(words) > 0 {
			stage.Image = parseImage(dockerVariable.ReplaceAllStringFunc(words[0], func(v string) string {
				if value, ok := args[strings.Trim(v, "${}")]; ok {
					return value
				}
				return v
			}))
		}
		stage.Internal = stage.Image.Reference == "scratch"
		for _, earlier := range d.Stages {
			stage.Internal = stage.Internal || earlier.Name != "" && strings.EqualFold(earlier.Name, stage.Image.Reference)
		}
		d.Stages = append(d.Stages, stage)
	}
	in.Stage = len(d.Stages) - 1
	d.Instructions = append(d.Instructions, *in)
}
