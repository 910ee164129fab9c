package journal_test

import (
	"fmt"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func attempt(n int) gateway.AttemptID { return gateway.AttemptID(fmt.Sprintf("01J%023d", n)) }

func oid(n int) gateway.OID { return gateway.OID(fmt.Sprintf("%040x", n)) }

func registered(target gateway.TargetID) journal.TargetRegistered {
	return journal.TargetRegistered{
		Subject: journal.Subject{TargetID: target}, Name: string(target), RepoURL: "/srv/" + string(target) + ".git", DefaultBranch: "main",
	}
}

func about(target gateway.TargetID, task gateway.TaskID, id gateway.AttemptID) journal.Subject {
	return journal.Subject{TargetID: target, TaskID: task, AttemptID: id}
}

func created(s journal.Subject, number int, digest string) journal.AttemptCreated {
	return journal.AttemptCreated{
		Subject: s, AttemptNumber: number, Status: gateway.Reserved, Digest: digest, Agent: "scaffold", BaseCommit: oid(1),
		Branch: s.AttemptID.Branch(), TimeoutSeconds: 900, LeaseSeconds: 60,
		Task: gateway.Task{ID: s.TaskID, Title: "a task", AllowedPaths: []string{"docs/"}, Digest: digest},
	}
}

func create(tx *journal.Tx, target gateway.TargetID, task gateway.TaskID, id gateway.AttemptID, number int) error {
	_, err := tx.Append(journal.NewEvent("scheduler", created(about(target, task, id), number, "sha256:d1")))
	return err
}

func started(s journal.Subject) journal.AttemptStarted {
	return journal.AttemptStarted{Subject: s, Status: gateway.Running, Instance: "i1"}
}

func ended(s journal.Subject, state gateway.AttemptState, failure gateway.FailureType) journal.AttemptEnded {
	return journal.AttemptEnded{Subject: s, End: journal.End{Status: state, FailureType: failure}}
}

// toPushed are the events that bring a reserved attempt to pushed.
func toPushed(s journal.Subject) []journal.Payload {
	return []journal.Payload{
		started(s),
		journal.PushIntended{Subject: s, PushIntent: journal.PushIntent{RefName: "refs/heads/" + s.AttemptID.Branch(), Old: gateway.ZeroOID, New: oid(2), Tree: oid(3)}},
		journal.AttemptPushed{Subject: s, Status: gateway.Pushed, CommitSHA: oid(2), Tree: oid(3)},
	}
}

func toProposed(s journal.Subject, number int) []journal.Payload {
	return append(toPushed(s),
		journal.PullIntended{Subject: s, PullIntent: journal.PullIntent{BranchName: s.AttemptID.Branch(), CommitSHA: oid(2), Title: "a task"}},
		journal.PullCreated{Subject: s, PRNumber: number, PRURL: fmt.Sprintf("https://forge/%d", number), BranchName: s.AttemptID.Branch(), CommitSHA: oid(2), Title: "a task", State: "open", TextDigest: textDigest(number)},
	)
}

// textDigest is that of an odd pull request's text; the receipts of the even
// ones are as older releases wrote them.
func textDigest(number int) string {
	if number%2 == 0 {
		return ""
	}
	return fmt.Sprintf("sha256:%064x", number)
}

func state(t testing.TB, j *journal.Journal, target gateway.TargetID) *journal.State {
	t.Helper()
	s, err := j.State(target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
