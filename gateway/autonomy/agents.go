package autonomy

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

var (
	agentForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)
	verifyForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,30}$`)
	envForm     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	envFromForm = regexp.MustCompile(`^[A-Z_][A-Z0-9_]{0,127}$`)
)

var agentKeys = []string{"type", "command", "stdin", "env", "env_from", "sandbox", "task_selectable", "memory_mb", "output_max_kb"}

func newAgent(kind string) Agent {
	return Agent{Type: kind, Command: []string{}, Stdin: "none", Env: map[string]string{}, EnvFrom: []string{}, Sandbox: gateway.SandboxRequired,
		TaskSelectable: true, MemoryMB: 2048, OutputMaxKB: 10240}
}

func (l *loader) agents(o strictyaml.Object) {
	n := o.Get("agents")
	if n == nil {
		l.cfg.Agents[gateway.AgentScaffold] = newAgent(gateway.AgentScaffold)
	} else if pairs := l.Named(n, "agents"); len(pairs) > 0 {
		for _, p := range pairs {
			if !agentForm.MatchString(p.Key) {
				l.ErrorAt(p.Line, p.Col, "agents: the name %s must be 1 to 31 of a-z, 0-9 and '-', the first a letter or digit", strictyaml.Show(p.Key))
				continue
			}
			l.cfg.Agents[p.Key] = l.agent(p.Value, "agents."+p.Key)
		}
	} else if n.Kind == strictyaml.Map && len(n.Pairs) == 0 {
		l.Errorf(n, "agents is empty; name at least one, or remove the key")
	}
	l.defaultAgent(o)
}

func (l *loader) defaultAgent(o strictyaml.Object) {
	names := l.cfg.AgentNames()
	if n := o.Get("default_agent"); n != nil {
		if name, ok := l.OneOf(n, "default_agent", names...); ok {
			l.cfg.DefaultAgent = name
		}
		return
	}
	switch len(names) {
	case 0:
	case 1:
		l.cfg.DefaultAgent = names[0]
	default:
		l.Errorf(o.Get("agents"), "the key default_agent is missing; with several agents (%s) it is required", strings.Join(names, ", "))
	}
}

func (l *loader) agent(n *strictyaml.Node, at string) Agent {
	a := newAgent("")
	o, ok := l.Object(n, at, agentKeys, false)
	if !ok {
		return a
	}
	if t := l.required(o, "type"); t != nil {
		a.Type, _ = l.OneOf(t, o.Path+"type", gateway.AgentCommand, gateway.AgentScaffold)
	}
	l.agentCommand(o, &a)
	if s := o.Get("stdin"); s != nil {
		if word, ok := l.OneOf(s, o.Path+"stdin", "none", "prompt"); ok {
			a.Stdin = word
		}
	}
	l.agentEnv(o, &a)
	if s := o.Get("sandbox"); s != nil {
		if word, ok := l.OneOf(s, o.Path+"sandbox", gateway.SandboxRequired, gateway.SandboxOff); ok {
			a.Sandbox = word
		}
	}
	a.TaskSelectable = a.Sandbox == gateway.SandboxRequired
	if s := o.Get("task_selectable"); s != nil {
		a.TaskSelectable, _ = l.Boolean(s, o.Path+"task_selectable")
	}
	if a.Sandbox == gateway.SandboxOff {
		l.Warnf(o.Get("sandbox"), "%s runs without a sandbox: it is as trusted as the operator", at)
	}
	l.number(o, "memory_mb", 1, maxNumber, &a.MemoryMB)
	l.number(o, "output_max_kb", 1, maxNumber, &a.OutputMaxKB)
	return a
}

func (l *loader) agentCommand(o strictyaml.Object, a *Agent) {
	n := o.Get("command")
	switch {
	case a.Type == gateway.AgentScaffold:
		for _, key := range []string{"command", "stdin", "env", "env_from"} {
			if extra := o.Get(key); extra != nil {
				l.Errorf(extra, "%s%s is only for agents of type command; a scaffold runs nothing", o.Path, key)
			}
		}
	case n != nil:
		a.Command = l.argv(n, o.Path+"command")
	case a.Type == gateway.AgentCommand:
		l.Errorf(o.Node, "the key %scommand is missing; an agent of type command requires it", o.Path)
	}
}

// argv takes a command as a list; no shell ever reads it.
func (l *loader) argv(n *strictyaml.Node, at string) []string {
	if n.Kind == strictyaml.Scalar {
		l.Errorf(n, "%s must be a list of words, not %s: no shell reads it; write [\"program\", \"argument\"]", at, n.TypeName())
		return []string{}
	}
	argv, ok := l.Texts(n, at)
	switch {
	case !ok:
	case len(argv) == 0 || argv[0] == "":
		l.Errorf(n, "%s must begin with a program", at)
	default:
		for i, word := range argv {
			if strings.ContainsRune(word, 0) {
				l.Errorf(n.Items[i], "%s[%d] has a NUL in it", at, i)
			}
			if looksSecret(word) {
				l.Errorf(n.Items[i], "%s[%d] looks like a token: secrets never stand in a command; name it in env_from", at, i)
			}
		}
	}
	return argv
}

func (l *loader) agentEnv(o strictyaml.Object, a *Agent) {
	if n := o.Get("env"); n != nil {
		for _, p := range l.Named(n, o.Path+"env") {
			at := o.Path + "env." + p.Key
			if !envForm.MatchString(p.Key) {
				l.ErrorAt(p.Line, p.Col, "%senv: %s is not a name for a variable", o.Path, strictyaml.Show(p.Key))
				continue
			}
			if reservedEnv(p.Key) {
				l.ErrorAt(p.Line, p.Col, "%s is set by Leviathan or changes what runs; it cannot be given", at)
			}
			value, ok := l.publicText(p.Value, at)
			if ok {
				a.Env[p.Key] = value
			}
		}
	}
	if n := o.Get("env_from"); n != nil {
		l.envFrom(n, o.Path+"env_from", a)
	}
}

// publicText takes a value that may be public. Its messages never repeat it.
func (l *loader) publicText(n *strictyaml.Node, at string) (string, bool) {
	if n.Kind == strictyaml.Scalar && n.TypeName() != "a string" {
		l.Errorf(n, "%s must be a string, not %s; put it in quotes", at, n.TypeName())
		return "", false
	}
	s, ok := l.Text(n, at)
	switch {
	case !ok:
	case looksSecret(s):
		l.Errorf(n, "%s looks like a token; env is for values that may be public: name it in env_from and let the launcher supply it", at)
		return "", false
	case strings.ContainsRune(s, 0):
		l.Errorf(n, "%s has a NUL in it", at)
		return "", false
	}
	return s, ok
}

func (l *loader) envFrom(n *strictyaml.Node, at string, a *Agent) {
	names, _ := l.Texts(n, at)
	seen := map[string]bool{}
	for i, name := range names {
		where := at + "[" + strconv.Itoa(i) + "]"
		_, inEnv := a.Env[name]
		switch {
		case name == "" && n.Items[i].TypeName() != "a string": // said by Texts
		case looksSecret(name):
			l.Errorf(n.Items[i], "%s looks like a token; env_from has names, never values", where)
		case !envFromForm.MatchString(name):
			l.Errorf(n.Items[i], "%s %s must be a name of A-Z, 0-9 and '_', not beginning with a digit", where, strictyaml.Show(name))
		case reservedEnv(name) || name == "PATH" || name == "HOME":
			l.Errorf(n.Items[i], "%s %s is set by Leviathan or changes what runs; it cannot be passed on", where, strictyaml.Show(name))
		case seen[name]:
			l.Errorf(n.Items[i], "%s %s is there twice", where, strictyaml.Show(name))
		case inEnv:
			l.Errorf(n.Items[i], "%s %s is in env too", where, strictyaml.Show(name))
		default:
			seen[name] = true
			a.EnvFrom = append(a.EnvFrom, name)
		}
	}
}

// reservedEnv reports names that an agent never gets from a config: those of
// Leviathan itself, the gateway's token, and the dynamic linker's.
func reservedEnv(name string) bool {
	upper := strings.ToUpper(name)
	return strings.HasPrefix(upper, "LEVIATHAN_") || strings.HasPrefix(upper, "LD_") || upper == "GITHUB_TOKEN"
}

func (l *loader) verifications(o strictyaml.Object) {
	n := o.Get("verify")
	if n == nil {
		return
	}
	for _, p := range l.Named(n, "verify") {
		at := "verify." + p.Key
		if !verifyForm.MatchString(p.Key) {
			l.ErrorAt(p.Line, p.Col, "verify: the name %s must be 1 to 31 of a-z, 0-9, '.', '_' and '-', the first a letter or digit", strictyaml.Show(p.Key))
			continue
		}
		v := Verify{Command: []string{}, TimeoutSeconds: 300}
		in, ok := l.Object(p.Value, at, []string{"command", "timeout_seconds"}, false)
		if !ok {
			continue
		}
		if c := l.required(in, "command"); c != nil {
			v.Command = l.argv(c, at+".command")
		}
		l.number(in, "timeout_seconds", 1, 86400, &v.TimeoutSeconds)
		l.cfg.Verify[p.Key] = v
	}
}

func (l *loader) sandbox(o strictyaml.Object) {
	n := o.Get("sandbox")
	if n == nil {
		return
	}
	in, ok := l.Object(n, "sandbox", []string{"mode", "read", "connect_ports"}, false)
	if !ok {
		return
	}
	s := &l.cfg.Sandbox
	if m := in.Get("mode"); m != nil {
		if word, ok := l.OneOf(m, "sandbox.mode", gateway.SandboxRequired, gateway.SandboxOptional); ok {
			s.Mode = word
		}
	}
	if r := in.Get("read"); r != nil {
		paths, good := l.Texts(r, "sandbox.read")
		for i, p := range paths {
			if good && (!path.IsAbs(p) || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" || strings.ContainsFunc(p, hidden)) {
				l.Errorf(r.Items[i], "sandbox.read[%d] %s must be an absolute path without empty, . or .. components", i, strictyaml.Show(p))
			}
		}
		s.Read = paths
	}
	if p := in.Get("connect_ports"); p != nil && l.IsKind(p, "sandbox.connect_ports", strictyaml.List) {
		for i, item := range p.Items {
			if port, ok := l.Integer(item, "sandbox.connect_ports["+strconv.Itoa(i)+"]", 1, 65535); ok {
				s.ConnectPorts = append(s.ConnectPorts, port)
			}
		}
	}
}
