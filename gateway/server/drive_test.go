package server_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"leviathan/gateway"
)

func (w *world) cycle() gateway.CycleResult {
	w.t.Helper()
	result, err := w.client(operator).Cycle(context.Background(), "demo", gateway.CycleRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// reservation is the cycle's reservation of a task.
func reservation(t testing.TB, result gateway.CycleResult, task gateway.TaskID) gateway.Reservation {
	t.Helper()
	for _, r := range result.Reserved {
		if r.TaskID == task {
			return r
		}
	}
	t.Fatalf("task %s was not reserved: outcome %s, reasons %v, skipped %v", task, result.Outcome, result.Reasons, result.Skipped)
	return gateway.Reservation{}
}

// codes are the codes for which a cycle skipped a task.
func codes(result gateway.CycleResult, task gateway.TaskID) []string {
	for _, s := range result.Skipped {
		if s.TaskID == task {
			return reasonCodes(s.Reasons)
		}
	}
	return nil
}

func reasonCodes(reasons []gateway.Reason) []string {
	list := []string{}
	for _, r := range reasons {
		list = append(list, r.Code)
	}
	return list
}

// startAttempt begins an attempt as its worker would.
func (w *world) startAttempt(r gateway.Reservation) gateway.StartResult {
	w.t.Helper()
	started, err := w.client(r.Token).Start(context.Background(), r.AttemptID, gateway.StartRequest{Instance: "instance-" + string(r.AttemptID)})
	if err != nil {
		w.t.Fatal(err)
	}
	return started
}

// checkout clones the target with the attempt's token.
func (w *world) checkout(r gateway.Reservation) string {
	w.t.Helper()
	tree := filepath.Join(w.t.TempDir(), "checkout")
	w.git(w.dir, "clone", "--quiet", w.remote(r), tree)
	return tree
}

// remote is the clone URL with the token as password.
func (w *world) remote(r gateway.Reservation) string {
	return strings.Replace(w.http.URL, "http://", "http://attempt:"+r.Token+"@", 1) + r.CloneURL
}

// push commits files in a fresh clone exactly as start demands and pushes
// them with stock git.
func (w *world) push(r gateway.Reservation, started gateway.StartResult, files map[string]string) (string, error) {
	w.t.Helper()
	tree := w.checkout(r)
	w.write(tree, files)
	w.git(tree, "add", "--all")
	return w.pushTree(tree, r, started)
}

func (w *world) pushTree(tree string, r gateway.Reservation, started gateway.StartResult) (string, error) {
	w.t.Helper()
	author := started.Commit.Author
	w.git(tree, "-c", "user.name="+author.Name, "-c", "user.email="+author.Email, "commit", "--quiet", "--allow-empty",
		"--author", author.Name+" <"+author.Email+">", "--cleanup=verbatim", "--message", started.Commit.Message)
	return w.tryGit(tree, "push", "origin", "HEAD:refs/heads/"+r.Branch)
}

// state is the attempt's state as the API shows it.
func (w *world) state(id gateway.AttemptID) gateway.AttemptState {
	w.t.Helper()
	detail, err := w.client(operator).Attempt(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if detail.Node == nil {
		w.t.Fatalf("attempt %s is not known", id)
	}
	state, _ := detail.Node.Properties["state"].(string)
	return gateway.AttemptState(state)
}

// deliver takes an attempt from reserved to succeeded.
func (w *world) deliver(r gateway.Reservation, files map[string]string) gateway.PullRequestResult {
	w.t.Helper()
	started := w.startAttempt(r)
	if out, err := w.push(r, started, files); err != nil {
		w.t.Fatalf("push: %v\n%s", err, out)
	}
	pr, err := w.client(r.Token).OpenPullRequest(context.Background(), r.AttemptID, gateway.PullRequestRequest{Summary: "Done."})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.client(r.Token).Finish(context.Background(), r.AttemptID, gateway.FinishRequest{Outcome: "succeeded"}); err != nil {
		w.t.Fatal(err)
	}
	return pr
}

// fail starts an attempt and ends it with a failure of the agent.
func (w *world) fail(r gateway.Reservation, kind gateway.FailureType) {
	w.t.Helper()
	w.startAttempt(r)
	_, err := w.client(r.Token).Finish(context.Background(), r.AttemptID, gateway.FinishRequest{Outcome: "failed", FailureType: kind, ErrorSummary: "it did not work"})
	if err != nil {
		w.t.Fatal(err)
	}
}

// giveUp ends an attempt that runs already.
func (w *world) giveUp(r gateway.Reservation) {
	w.t.Helper()
	_, err := w.client(r.Token).Finish(context.Background(), r.AttemptID, gateway.FinishRequest{Outcome: "failed", FailureType: gateway.Timeout})
	if err != nil {
		w.t.Fatal(err)
	}
}
