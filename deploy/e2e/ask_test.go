package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// An attempt is what the gateway says of one.
type attempt struct {
	ID      string `json:"attempt_id"`
	Task    string `json:"task_id"`
	State   string `json:"state"`
	Number  int    `json:"attempt_number"`
	Failure string `json:"failure_type"`
	Summary string `json:"error_summary"`
	Pull    int    `json:"pr_number"`
}

func (a attempt) job() string { return "leviathan-worker-" + strings.ToLower(a.ID) }

// A targetStatus is what the gateway's status says of a target.
type targetStatus struct {
	Target    string `json:"target"`
	Effective bool   `json:"effective"`
	Reasons   []struct{ Code, Message string }
	Halt      *struct{ Reason string }
	Launch    *struct {
		ID      string `json:"attempt_id"`
		Message string `json:"message"`
	} `json:"launch_problem"`
}

type status struct {
	Writer struct {
		Holder string `json:"holder"`
		Epoch  int64  `json:"epoch"`
	} `json:"writer"`
	Targets []targetStatus `json:"targets"`
}

func (s status) target(id string) targetStatus {
	for _, t := range s.Targets {
		if t.Target == id {
			return t
		}
	}
	return targetStatus{}
}

// A refusal is an answer of the gateway that is no success.
type refusal struct {
	code int
	body string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.code, r.body) }

// codeOf is the status of a refusal; 0 for another error, and for none.
func codeOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return 0
}

// call asks the gateway something as the operator.
func (w *world) call(ctx context.Context, method, path string, body, out any) error {
	return call(ctx, gatewayURL, operatorToken, method, path, body, out)
}

// direct is a client whose connections are not used again: the other end may be
// killed at any time.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

func call(ctx context.Context, base, token, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := direct.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return &refusal{resp.StatusCode, string(answer)}
	case out == nil:
		return nil
	}
	if text, ok := out.(*string); ok {
		*text = string(answer)
		return nil
	}
	return json.Unmarshal(answer, out)
}

// attempts are a target's attempts, newest first.
func (w *world) attempts(ctx context.Context, target string) ([]attempt, error) {
	var list struct {
		Attempts []attempt `json:"attempts"`
	}
	err := w.call(ctx, http.MethodGet, "/v1/attempts?limit=100&target="+url.QueryEscape(target), nil, &list)
	return list.Attempts, err
}

// awaitAttempt waits until the newest attempt at a task is in one of the states,
// and returns it.
func (w *world) awaitAttempt(t *testing.T, target, task string, within time.Duration, states ...string) attempt {
	t.Helper()
	var found attempt
	eventually(t, within, fmt.Sprintf("the attempt at %s of %s is %v", task, target, states), func(ctx context.Context) error {
		all, err := w.attempts(ctx, target)
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.Task != task {
				continue
			}
			for _, state := range states {
				if a.State == state {
					found = a
					return nil
				}
			}
			return fmt.Errorf("it is %+v", a)
		}
		return fmt.Errorf("there is none among %+v", all)
	})
	return found
}

func (w *world) status(ctx context.Context) (s status, err error) {
	err = w.call(ctx, http.MethodGet, "/v1/autonomy/status", nil, &s)
	return s, err
}

// leviathan runs our binary as an operator would, outside of the cluster, as the
// owner of the gateway's files.
func (w *world) leviathan(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	path, err := binary(*leviathanBinary)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LEVIATHAN_GATEWAY=" + gatewayURL, "LEVIATHAN_CONTROL_PLANE_TOKEN=" + operatorToken}
	cmd.Dir = w.dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
