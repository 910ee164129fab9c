package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"leviathan/gateway"
)

// An Outcome is what was seen of one thing that was to stop, or to go on.
type Outcome string

// The outcomes. Only what was seen is called stopped or resumed.
const (
	Stopped Outcome = "stopped"
	Resumed Outcome = "resumed"
	NotSeen Outcome = "not_seen" // it goes on, or nobody can tell
	Nothing Outcome = "none"     // there was nothing to do, and the detail says why
)

// A Finding is what became of one thing: halt, attempt/ID, cronjob/NAME,
// job/NAME, or one of the words gateway, attempts and cluster where that is as
// far as anything was seen.
type Finding struct {
	What    string  `json:"what"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail"`
}

// EmergencyConfig says what an emergency stop is about and what it may use.
// Gateway and Cluster are independent: where one is missing or fails, the other
// is used all the same.
type EmergencyConfig struct {
	// Gateway is the operator's client. Where there is none, GatewayProblem
	// says why.
	Gateway        *gateway.Client
	GatewayProblem error
	// Cluster is the API server of the CronJobs and Jobs; see
	// ConnectKubernetes. Where there is none, ClusterProblem says why one that
	// should be there cannot be used, and is nil on a machine without one.
	Cluster        kubernetes.Interface
	ClusterProblem error
	Namespace      string
	// CronJobs must be found where this is set; else a namespace without any is
	// taken for one that has nothing of Leviathan.
	CronJobExpected bool
	// CronJob is the name of the only CronJob that is touched; without it, all
	// of Target are.
	CronJob string
	// Target is the only target that is stopped; all are if empty.
	Target gateway.TargetID
	// Reason is why, for the journal. Required.
	Reason string
	// Cancel ends attempts that have not ended by themselves within Grace. A
	// worker that reports its own end is the best proof that it has ended.
	Cancel bool
	Grace  time.Duration
	// DeleteJobs has the Jobs deleted, of workers and of scheduler runs.
	DeleteJobs bool
	// Wait is how long to look for what does not stop.
	Wait time.Duration
	// Poll is the pause between two looks; a second if 0.
	Poll time.Duration
}

// An Emergency stops what runs, and undoes that. It says that something
// stopped only when it has seen that, and what it could not see.
type Emergency struct{ EmergencyConfig }

// NewEmergency checks the config. It asks nothing of anybody.
func NewEmergency(c EmergencyConfig) (*Emergency, error) {
	switch {
	case c.Gateway == nil && c.GatewayProblem == nil:
		return nil, errors.New("emergency config: no Gateway, and no GatewayProblem that says why")
	case c.Cluster != nil && c.Namespace == "":
		return nil, errors.New("emergency config: no Namespace")
	case c.Target != "" && !c.Target.Valid():
		return nil, fmt.Errorf("emergency config: %q is not the id of a target", c.Target)
	case c.Reason == "":
		return nil, errors.New("emergency config: no Reason")
	case c.Grace < 0 || c.Wait < 0 || c.Poll < 0:
		return nil, errors.New("emergency config: a duration is negative")
	}
	if c.Poll == 0 {
		c.Poll = time.Second
	}
	return &Emergency{c}, nil
}

// Stop halts, suspends the CronJobs, ends attempts and Jobs, and waits until
// all was seen to stop or Wait is over. It tries every part whatever becomes of
// the others, and returns what was seen of each; when ctx ends, what was seen
// until then.
func (e *Emergency) Stop(ctx context.Context) []Finding {
	deadline := time.Now().Add(e.Wait)
	var attempts attemptsSeen
	var jobs clusterSeen
	var both sync.WaitGroup
	both.Go(func() { attempts = e.stopAttempts(ctx, deadline) })
	both.Go(func() { jobs = e.stopCluster(ctx, deadline) })
	both.Wait()
	found := slices.Clone(attempts.findings)
	for _, a := range attempts.attempts {
		found = append(found, a.finding(jobs))
	}
	return append(found, jobs.findings...)
}

// AllSeen reports whether nothing is left that was not seen.
func AllSeen(found []Finding) bool {
	return !slices.ContainsFunc(found, func(f Finding) bool { return f.Outcome == NotSeen })
}

// pause waits for the next look; false says that there is none.
func (e *Emergency) pause(ctx context.Context, deadline time.Time) bool {
	left := time.Until(deadline)
	if left <= 0 || ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(min(e.Poll, left))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// whom names what is stopped.
func (e *Emergency) whom() string {
	if e.Target == "" {
		return "every target"
	}
	return "target " + string(e.Target)
}
