package worker

import (
	"io"
	"os"

	"leviathan/gateway"
)

// Redact writes pieces through a redactor and returns what came out after
// each, and at the end.
func Redact(values []string, pieces ...string) (out string, err error) {
	var to writer
	r := redactor{secrets: newSecrets(values...), to: &to}
	for _, piece := range pieces {
		if _, err := io.WriteString(&r, piece); err != nil {
			return "", err
		}
	}
	err = r.Close()
	return string(to), err
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) { *w = append(*w, p...); return len(p), nil }

// OpenPath is what an allowed path opens.
func OpenPath(allowed string) (path string, dir bool, err error) {
	o, err := openPathOf(allowed)
	return o.path, o.dir, err
}

// Scaffold runs the built-in agent.
func Scaffold(root *os.Root, t gateway.Task) ([]string, error) { return scaffold(root, t) }

// Prompt is the task as text.
func Prompt(t gateway.Task) string { return string(prompt(t)) }

// CheckRead is the check of sandbox.read.
func CheckRead(read []string, workspace string) error { return checkRead(read, workspace) }

// PushFailure is how an attempt ends whose push git says was refused: what git
// prints on stdout and stderr.
func PushFailure(stdout, stderr string) gateway.FailureType {
	return refusalOf(&gitError{stdout: []byte(stdout), stderr: stderr}).failure()
}
