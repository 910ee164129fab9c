package autonomy

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"leviathan/gateway"
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

func (l *loader) agents(o object) {
	n := o.has("agents")
	if n == nil {
		l.cfg.Agents[gateway.AgentScaffold] = newAgent(gateway.AgentScaffold)
	} else if pairs := l.named(n, "agents"); len(pairs) > 0 {
		for _, p := range pairs {
			if !agentForm.MatchString(p.key) {
				l.errorAt(p.line, p.col, "agents: the name %s must be 1 to 31 of a-z, 0-9 and '-', the first a letter or digit", show(p.key))
				continue
			}
			l.cfg.Agents[p.key] = l.agent(p.value, "agents."+p.key)
		}
	} else if n.kind == mapNode && len(n.pairs) == 0 {
		l.errorf(n, "agents is empty; name at least one, or remove the key")
	}
	l.defaultAgent(o)
}

func (l *loader) defaultAgent(o object) {
	names := l.cfg.AgentNames()
	if n := o.has("default_agent"); n != nil {
		if name, ok := l.oneOf(n, "default_agent", names...); ok {
			l.cfg.DefaultAgent = name
		}
		return
	}
	switch len(names) {
	case 0:
	case 1:
		l.cfg.DefaultAgent = names[0]
	default:
		l.errorf(o.has("agents"), "the key default_agent is missing; with several agents (%s) it is required", strings.Join(names, ", "))
	}
}

func (l *loader) agent(n *node, at string) Agent {
	a := newAgent("")
	o, ok := l.object(n, at, agentKeys, false)
	if !ok {
		return a
	}
	if t := l.required(o, "type"); t != nil {
		a.Type, _ = l.oneOf(t, o.path+"type", gateway.AgentCommand, gateway.AgentScaffold)
	}
	l.agentCommand(o, &a)
	if s := o.has("stdin"); s != nil {
		if word, ok := l.oneOf(s, o.path+"stdin", "none", "prompt"); ok {
			a.Stdin = word
		}
	}
	l.agentEnv(o, &a)
	if s := o.has("sandbox"); s != nil {
		if word, ok := l.oneOf(s, o.path+"sandbox", gateway.SandboxRequired, gateway.SandboxOff); ok {
			a.Sandbox = word
		}
	}
	a.TaskSelectable = a.Sandbox == gateway.SandboxRequired
	if s := o.has("task_selectable"); s != nil {
		a.TaskSelectable, _ = l.boolean(s, o.path+"task_selectable")
	}
	if a.Sandbox == gateway.SandboxOff {
		l.warnf(o.has("sandbox"), "%s runs without a sandbox: it is as trusted as the operator", at)
	}
	l.number(o, "memory_mb", 1, maxNumber, &a.MemoryMB)
	l.number(o, "output_max_kb", 1, maxNumber, &a.OutputMaxKB)
	return a
}

func (l *loader) agentCommand(o object, a *Agent) {
	n := o.has("command")
	switch {
	case a.Type == gateway.AgentScaffold:
		for _, key := range []string{"command", "stdin", "env", "env_from"} {
			if extra := o.has(key); extra != nil {
				l.errorf(extra, "%s%s is only for agents of type command; a scaffold runs nothing", o.path, key)
			}
		}
	case n != nil:
		a.Command = l.argv(n, o.path+"command")
	case a.Type == gateway.AgentCommand:
		l.errorf(o.node, "the key %scommand is missing; an agent of type command requires it", o.path)
	}
}

// argv takes a command as a list; no shell ever reads it.
func (l *loader) argv(n *node, at string) []string {
	if n.kind == scalarNode {
		l.errorf(n, "%s must be a list of words, not %s: no shell reads it; write [\"program\", \"argument\"]", at, n.typeName())
		return []string{}
	}
	argv, ok := l.texts(n, at)
	switch {
	case !ok:
	case len(argv) == 0 || argv[0] == "":
		l.errorf(n, "%s must begin with a program", at)
	default:
		for i, word := range argv {
			if strings.ContainsRune(word, 0) {
				l.errorf(n.items[i], "%s[%d] has a NUL in it", at, i)
			}
			if looksSecret(word) {
				l.errorf(n.items[i], "%s[%d] looks like a token: secrets never stand in a command; name it in env_from", at, i)
			}
		}
	}
	return argv
}

func (l *loader) agentEnv(o object, a *Agent) {
	if n := o.has("env"); n != nil {
		for _, p := range l.named(n, o.path+"env") {
			at := o.path + "env." + p.key
			if !envForm.MatchString(p.key) {
				l.errorAt(p.line, p.col, "%senv: %s is not a name for a variable", o.path, show(p.key))
				continue
			}
			if reservedEnv(p.key) {
				l.errorAt(p.line, p.col, "%s is set by Leviathan or changes what runs; it cannot be given", at)
			}
			value, ok := l.publicText(p.value, at)
			if ok {
				a.Env[p.key] = value
			}
		}
	}
	if n := o.has("env_from"); n != nil {
		l.envFrom(n, o.path+"env_from", a)
	}
}

// publicText takes a value that may be public. Its messages never repeat it.
func (l *loader) publicText(n *node, at string) (string, bool) {
	if n.kind == scalarNode && n.typeName() != "a string" {
		l.errorf(n, "%s must be a string, not %s; put it in quotes", at, n.typeName())
		return "", false
	}
	s, ok := l.text(n, at)
	switch {
	case !ok:
	case looksSecret(s):
		l.errorf(n, "%s looks like a token; env is for values that may be public: name it in env_from and let the launcher supply it", at)
		return "", false
	case strings.ContainsRune(s, 0):
		l.errorf(n, "%s has a NUL in it", at)
		return "", false
	}
	return s, ok
}

func (l *loader) envFrom(n *node, at string, a *Agent) {
	names, _ := l.texts(n, at)
	seen := map[string]bool{}
	for i, name := range names {
		where := at + "[" + strconv.Itoa(i) + "]"
		_, inEnv := a.Env[name]
		switch {
		case name == "" && n.items[i].typeName() != "a string": // said by texts
		case looksSecret(name):
			l.errorf(n.items[i], "%s looks like a token; env_from has names, never values", where)
		case !envFromForm.MatchString(name):
			l.errorf(n.items[i], "%s %s must be a name of A-Z, 0-9 and '_', not beginning with a digit", where, show(name))
		case reservedEnv(name) || name == "PATH" || name == "HOME":
			l.errorf(n.items[i], "%s %s is set by Leviathan or changes what runs; it cannot be passed on", where, show(name))
		case seen[name]:
			l.errorf(n.items[i], "%s %s is there twice", where, show(name))
		case inEnv:
			l.errorf(n.items[i], "%s %s is in env too", where, show(name))
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

func (l *loader) verifications(o object) {
	n := o.has("verify")
	if n == nil {
		return
	}
	for _, p := range l.named(n, "verify") {
		at := "verify." + p.key
		if !verifyForm.MatchString(p.key) {
			l.errorAt(p.line, p.col, "verify: the name %s must be 1 to 31 of a-z, 0-9, '.', '_' and '-', the first a letter or digit", show(p.key))
			continue
		}
		v := Verify{Command: []string{}, TimeoutSeconds: 300}
		in, ok := l.object(p.value, at, []string{"command", "timeout_seconds"}, false)
		if !ok {
			continue
		}
		if c := l.required(in, "command"); c != nil {
			v.Command = l.argv(c, at+".command")
		}
		l.number(in, "timeout_seconds", 1, 86400, &v.TimeoutSeconds)
		l.cfg.Verify[p.key] = v
	}
}

func (l *loader) sandbox(o object) {
	n := o.has("sandbox")
	if n == nil {
		return
	}
	in, ok := l.object(n, "sandbox", []string{"mode", "read", "connect_ports"}, false)
	if !ok {
		return
	}
	s := &l.cfg.Sandbox
	if m := in.has("mode"); m != nil {
		if word, ok := l.oneOf(m, "sandbox.mode", gateway.SandboxRequired, gateway.SandboxOptional); ok {
			s.Mode = word
		}
	}
	if r := in.has("read"); r != nil {
		paths, good := l.texts(r, "sandbox.read")
		for i, p := range paths {
			if good && (!path.IsAbs(p) || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" || strings.ContainsFunc(p, hidden)) {
				l.errorf(r.items[i], "sandbox.read[%d] %s must be an absolute path without empty, . or .. components", i, show(p))
			}
		}
		s.Read = paths
	}
	if p := in.has("connect_ports"); p != nil && l.isKind(p, "sandbox.connect_ports", listNode) {
		for i, item := range p.items {
			if port, ok := l.integer(item, "sandbox.connect_ports["+strconv.Itoa(i)+"]", 1, 65535); ok {
				s.ConnectPorts = append(s.ConnectPorts, port)
			}
		}
	}
}
