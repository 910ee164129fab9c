package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Processes are the first processes of the running containers of the Pods whose
// names begin so, as containerd has them.
func (k *Kubelet) Processes(prefix string) (pids []int) {
	files, err := filepath.Glob(filepath.Join(k.path("containerd-state"), "io.containerd.runtime.v2.task", "k8s.io", "*", "config.json"))
	if err != nil {
		return nil
	}
	for _, file := range files {
		var spec struct {
			Annotations map[string]string `json:"annotations"`
		}
		text, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(text, &spec) != nil {
			continue // it ends just now
		}
		if spec.Annotations["io.kubernetes.cri.container-type"] != "container" || !strings.HasPrefix(spec.Annotations["io.kubernetes.cri.sandbox-name"], prefix) {
			continue
		}
		id, err := os.ReadFile(filepath.Join(filepath.Dir(file), "init.pid"))
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(id))); err == nil && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive reports whether a process runs, and has not merely not been collected.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && !strings.HasPrefix(state, "Z")
}

// Logs is what the containers of the Pods whose names begin so have written, as
// far as their Pods are there still.
func (k *Kubelet) Logs(prefix string) string {
	// NAMESPACE_POD_UID/CONTAINER/RESTART.log
	files, err := filepath.Glob(filepath.Join(k.path("pod-logs"), "*_"+prefix+"*", "*", "*.log"))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		fmt.Fprintf(&b, "== %s\n", strings.TrimPrefix(name, k.path("pod-logs")+"/"))
		for line := range strings.Lines(string(text)) {
			// TIME STREAM F|P TEXT, where P goes on in the next line
			fields := strings.SplitN(line, " ", 4)
			if len(fields) < 4 {
				continue
			}
			if fields[2] == "P" {
				fields[3] = strings.TrimSuffix(fields[3], "\n")
			}
			b.WriteString(fields[3])
		}
		if err != nil {
			fmt.Fprintln(&b, err)
		}
	}
	return b.String()
}
