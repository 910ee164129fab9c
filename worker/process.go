package worker

import (
	"io"
	"maps"
	"slices"

	"leviathan/gateway"
)

// A command is something that runs below a supervisor.
type command struct {
	spec   sandboxSpec
	stdin  []byte
	output io.Writer // gets stdout and stderr, in the order in which they came
}

// agentEnv is the environment of an agent, and there is nothing else in it.
// Later names win.
func (r *run) agentEnv() []string {
	env := baseEnv(r.dir("tmp"))
	maps.Copy(env, r.start.Agent.Env)
	for _, name := range r.start.Agent.EnvFrom {
		if value, ok := r.Env[name]; ok {
			env[name] = value
		}
	}
	env["HOME"], env["TMPDIR"] = r.dir("tmp"), r.dir("tmp")
	env["LEVIATHAN_ATTEMPT"] = string(r.Attempt)
	env["LEVIATHAN_TASK_ID"] = string(r.start.Task.ID)
	env["LEVIATHAN_TASK_FILE"] = r.dir("tmp", taskFile)
	env["LEVIATHAN_SUMMARY_FILE"] = r.dir("tmp", summaryFile)
	return list(env)
}

// baseEnv is what every sandboxed command has. Git is told to leave the
// system's config alone, which the sandbox does not show: it takes a file that
// it may not read for a failure.
func baseEnv(tmp string) map[string]string {
	return map[string]string{"PATH": searchPath, "LANG": "C.UTF-8", "TZ": "UTC", "USER": "agent", "LOGNAME": "agent",
		"HOME": tmp, "TMPDIR": tmp, "GIT_CONFIG_NOSYSTEM": "1"}
}

func list(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}

// missingEnv lists the env_from names for which the launcher gave no value.
func missingEnv(agent gateway.AgentSpec, env map[string]string) []string {
	return slices.DeleteFunc(slices.Clone(agent.EnvFrom), func(name string) bool {
		_, ok := env[name]
		return ok
	})
}
