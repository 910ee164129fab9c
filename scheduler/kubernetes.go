package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"leviathan/gateway"
)

// KubernetesConfig is what the launcher of a cluster is made of.
type KubernetesConfig struct {
	// Client is the API server; see ConnectKubernetes. Required. In the
	// namespace it needs jobs create, get, list, delete; secrets create; pods
	// list.
	Client kubernetes.Interface
	// Namespace is the only one in which Jobs are made, seen and deleted: a
	// reservation for another one is refused, so that no autonomy config
	// reaches further than its scheduler. Required.
	Namespace string
	// Jobs is what all Jobs have in common. Its Target says which Jobs are
	// this launcher's.
	Jobs JobOptions
	// Gateway is told of each Job (the event job.submitted) and of why one does
	// not start (job.waiting); nil tells nobody.
	Gateway *gateway.Client
	// Patience is how long a Pod may wait for its image and its configuration
	// before that is reported as the end of its attempt; 2 minutes if 0. To be
	// scheduled it has until its reservation's start deadline.
	Patience time.Duration
	Logger   *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// pollGone is how often Cancel looks whether a Job is gone.
const pollGone = time.Second

// Kubernetes runs each worker as a Job. All that it knows is in the cluster:
// two of them, or one that starts again, see the same and make one Job for an
// attempt. It never touches a Job that does not carry the labels and
// annotations of its own target.
type Kubernetes struct {
	KubernetesConfig
}

// NewKubernetes makes a launcher of Jobs. It asks the API server nothing.
func NewKubernetes(c KubernetesConfig) (*Kubernetes, error) {
	switch {
	case c.Client == nil:
		return nil, errors.New("launcher config: no Client")
	case c.Namespace == "":
		return nil, errors.New("launcher config: no Namespace")
	case !c.Jobs.Target.Valid():
		return nil, fmt.Errorf("launcher config: %q is no target", c.Jobs.Target)
	case c.Jobs.GatewayURL == "":
		return nil, errors.New("launcher config: no GatewayURL by which workers reach the gateway")
	}
	c.Jobs = c.Jobs.withDefaults()
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Kubernetes{KubernetesConfig: c}, nil
}

// Exits tells of nothing: what became of a Job is observed each cycle.
func (k *Kubernetes) Exits() <-chan Exit { return nil }

// Launch makes the Job of a reservation, or adopts the one that it made
// before, and then the Secret with the attempt's token, which the Job's Pod
// waits for. Whatever is missing of the two after a crash is made at the next
// call. An error that is gateway.ErrUnknown says nothing about the attempt.
func (k *Kubernetes) Launch(ctx context.Context, r gateway.Reservation) error {
	if r.Worker.Namespace != k.Namespace {
		return fmt.Errorf("wrong_namespace: worker_namespace of the autonomy config is %q, and this scheduler makes Jobs in %q alone: change one of them", r.Worker.Namespace, k.Namespace)
	}
	want, err := WorkerJob(r, k.Jobs)
	if err != nil {
		return fmt.Errorf("invalid_job: %w", err)
	}
	var job *batchv1.Job
	err = settled(ctx, func() (err error) {
		job, err = k.jobs().Create(ctx, want, metav1.CreateOptions{})
		return err
	})
	switch {
	case apierrors.IsAlreadyExists(err):
		if job, err = k.adopt(ctx, r.AttemptID, want); err != nil {
			return err
		}
	case err != nil:
		return apiError("creating the Job "+want.Name, err)
	}
	secret := attemptSecret(r, k.Jobs.Target, job)
	err = settled(ctx, func() error {
		_, err := k.Client.CoreV1().Secrets(k.Namespace).Create(ctx, secret, metav1.CreateOptions{})
		return err
	})
	// One that is there is ours, with the same token, or was left by a Job
	// before this one: then the cluster's collector takes it away, and the next
	// cycle makes it. A right to write over Secrets would reach the gateway's.
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return apiError("writing the Secret "+secret.Name+" with the attempt's token", err)
	}
	k.submitted(ctx, r, job)
	return nil
}

// settled tries again, for half a second, what another writer was faster with:
// two who make something at once meet at the count of the quota.
func settled(ctx context.Context, create func() error) (err error) {
	for pause := 20 * time.Millisecond; ; pause *= 2 {
		if err = create(); !apierrors.IsConflict(err) || pause > 320*time.Millisecond {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
	}
}

func (k *Kubernetes) jobs() jobClient { return k.Client.BatchV1().Jobs(k.Namespace) }

// A jobClient is what this launcher does with Jobs.
type jobClient interface {
	Create(ctx context.Context, job *batchv1.Job, o metav1.CreateOptions) (*batchv1.Job, error)
	Get(ctx context.Context, name string, o metav1.GetOptions) (*batchv1.Job, error)
	List(ctx context.Context, o metav1.ListOptions) (*batchv1.JobList, error)
	Delete(ctx context.Context, name string, o metav1.DeleteOptions) error
}

// adopt is the Job of that name if it is the very one that would have been
// made. Another one is left as it is, and gets no token.
func (k *Kubernetes) adopt(ctx context.Context, id gateway.AttemptID, want *batchv1.Job) (*batchv1.Job, error) {
	job, err := k.jobs().Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, gateway.Errorf(gateway.Unknown, "the Job %s was there and went while it was looked at", want.Name)
	case err != nil:
		return nil, apiError("looking at the Job "+want.Name, err)
	case k.attemptOf(job) != id:
		return nil, fmt.Errorf("job_conflict: a Job %s is there that is not of attempt %s of target %s: see what made it, and delete it", want.Name, id, k.Jobs.Target)
	case job.DeletionTimestamp != nil:
		return nil, gateway.Errorf(gateway.Unknown, "the Job %s is being deleted; a new one can be made when it is gone", want.Name)
	case job.Annotations[annotationDigest] != want.Annotations[annotationDigest]:
		return nil, fmt.Errorf("job_conflict: the Job %s of this attempt is another one (spec-digest %s, want %s): what the autonomy config or this scheduler's flags say of workers has changed since",
			want.Name, job.Annotations[annotationDigest], want.Annotations[annotationDigest])
	}
	return job, nil
}

// attemptOf is the attempt whose Job this is; "" for a Job that is not of this
// launcher's target, or not a worker's at all.
func (k *Kubernetes) attemptOf(job *batchv1.Job) gateway.AttemptID {
	id := gateway.AttemptID(job.Annotations[annotationAttempt])
	if job.Labels[labelApp] != appWorker || job.Labels[labelManagedBy] != managedBy ||
		job.Annotations[annotationTarget] != string(k.Jobs.Target) || !id.Valid() || job.Name != JobName(id) {
		return ""
	}
	return id
}

// submitted says that a Job is there, under an id that is the Job's own: said
// again, it is the same. It is a claim that nothing depends on, so that it
// cannot be said is no reason not to run the worker.
func (k *Kubernetes) submitted(ctx context.Context, r gateway.Reservation, job *batchv1.Job) {
	if k.Gateway == nil {
		return
	}
	payload, err := json.Marshal(map[string]any{"attempt_id": r.AttemptID, "task_id": r.TaskID, "target_id": k.Jobs.Target,
		"job_name": job.Name, "namespace": job.Namespace, "job_uid": job.UID, "image": r.Worker.Image})
	if err == nil {
		id := "job.submitted:" + string(job.UID)
		_, err = k.Gateway.Ingest(ctx, gateway.IngestRequest{Target: k.Jobs.Target, BundleID: id, Events: []gateway.Event{{
			EventID: id, EventType: gateway.EventJobSubmitted, Timestamp: gateway.At(job.CreationTimestamp.Time), ActorID: managedBy,
			SchemaVersion: gateway.SchemaVersion, Target: k.Jobs.Target, TaskID: r.TaskID, AttemptID: r.AttemptID, Payload: payload}}})
	}
	if err != nil {
		k.Logger.Warn("telling the gateway of a Job", "attempt", r.AttemptID, "job", job.Name, "error", err)
	}
}

// Dismiss deletes the Job of an attempt, its Pod first, and returns when the
// API server has taken that on. A Job that is not there is no error.
func (k *Kubernetes) Dismiss(ctx context.Context, id gateway.AttemptID) error {
	_, err := k.dismiss(ctx, id)
	return err
}

// dismiss is Dismiss, and says which Job it was; "" if there is none.
func (k *Kubernetes) dismiss(ctx context.Context, id gateway.AttemptID) (types.UID, error) {
	name := JobName(id)
	job, err := k.jobs().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", apiError("looking at the Job "+name, err)
	case k.attemptOf(job) != id:
		return "", fmt.Errorf("job_conflict: the Job %s is not of attempt %s of target %s: it is left", name, id, k.Jobs.Target)
	case job.DeletionTimestamp != nil:
		return job.UID, nil
	}
	err = k.jobs().Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground),
		Preconditions: &metav1.Preconditions{UID: &job.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return "", apiError("deleting the Job "+name, err)
	}
	return job.UID, nil
}

// Cancel deletes the Job of an attempt and waits until it has seen Job and Pod
// gone; nil says so. It waits as long as ctx allows: at the end of it the
// error says what is still there.
func (k *Kubernetes) Cancel(ctx context.Context, id gateway.AttemptID) error {
	uid, err := k.dismiss(ctx, id)
	if err != nil || uid == "" {
		return err
	}
	tick := time.NewTicker(pollGone)
	defer tick.Stop()
	state := "it was not seen again since"
	for {
		job, err := k.jobs().Get(ctx, JobName(id), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && job.UID != uid:
			return nil
		case err != nil:
			state = strings.TrimSpace(err.Error())
		default:
			state = fmt.Sprintf("%d of its Pods are not gone", job.Status.Active+deref(job.Status.Terminating))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Job %s was told to end and has not been seen gone: %s: %w", JobName(id), state, ctx.Err())
		case <-tick.C:
		}
	}
}

func deref(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}
