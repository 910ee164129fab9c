package server_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"leviathan/gateway"
)

// command is one line of a push as receive-pack takes it.
func command(old, new, ref string) string { return old + " " + new + " " + ref }

// pkt is a line as git frames it.
func pkt(line string) string { return fmt.Sprintf("%04x%s", len(line)+4, line) }

// packOf is a pack of what source has and the attempt's base lacks.
func (w *world) packOf(tree string, r gateway.Reservation, source string) []byte {
	w.t.Helper()
	cmd := exec.Command("git", "pack-objects", "--revs", "--stdout", "--quiet")
	cmd.Dir, cmd.Stdin = tree, strings.NewReader(source+"\n^"+string(r.BaseCommit)+"\n")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	pack, err := cmd.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return pack
}

// rawPush sends commands and a pack by hand, and gives the report.
func (w *world) rawPush(token string, pack []byte, commands ...string) string {
	w.t.Helper()
	var body bytes.Buffer
	for i, line := range commands {
		if i == 0 {
			line += "\x00 report-status side-band-64k agent=hand"
		}
		body.WriteString(pkt(line))
	}
	body.WriteString("0000")
	body.Write(pack)
	a := w.ask("POST", "/git/demo.git/git-receive-pack", token, body.String(), "Content-Type", "application/x-git-receive-pack-request")
	return a.body
}

// hash writes an object of the kind into the tree's repository, whatever git
// thinks of it.
func (w *world) hash(tree, kind string, data []byte) string {
	w.t.Helper()
	cmd := exec.Command("git", "hash-object", "-t", kind, "-w", "--literally", "--stdin")
	cmd.Dir, cmd.Stdin = tree, bytes.NewReader(data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("hash-object: %v %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// entry is one entry of a raw tree object.
func entry(mode, name, id string) []byte {
	raw := []byte(mode + " " + name + "\x00")
	for i := 0; i < len(id); i += 2 {
		var b byte
		fmt.Sscanf(id[i:i+2], "%02x", &b)
		raw = append(raw, b)
	}
	return raw
}
