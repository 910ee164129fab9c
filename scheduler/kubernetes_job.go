package scheduler

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/gateway"
)

// What marks a worker's Job, its Pod and its Secret. Labels are for selectors;
// the annotations carry full ids, which may be longer than a label.
const (
	labelApp       = "app"
	labelManagedBy = "app.kubernetes.io/managed-by"
	appWorker      = "leviathan-worker"
	managedBy      = "leviathan-scheduler"

	annotationAttempt = "leviathan.dev/attempt-id"
	annotationTask    = "leviathan.dev/task-id"
	annotationTarget  = "leviathan.dev/target"
	annotationDigest  = "leviathan.dev/spec-digest"
	annotationStartBy = "leviathan.dev/start-deadline" // RFC 3339; none on a template
)

const (
	// DeadlineMargin is what a Job's deadline adds to the attempt's timeout: time
	// to be scheduled, to pull the image and to clone, and then to verify, push
	// and propose. The worker's own timeout comes first, and says more.
	DeadlineMargin = 15 * time.Minute

	jobTTLSeconds = 3600
	// stopSeconds is more than a worker takes to report its end to a gateway
	// that does not answer.
	stopSeconds = 45
	workerUser  = 65532

	tokenDir     = "/var/run/secrets/leviathan"
	tokenKey     = "token"
	workspaceDir = "/workspace"
	tmpSize      = "1Gi"
)

// JobOptions is what all worker Jobs of one scheduler have in common.
type JobOptions struct {
	// Target is the target whose attempts the Jobs run. Required.
	Target gateway.TargetID
	// GatewayURL is where the workers reach the gateway. Required.
	GatewayURL string
	// ServiceAccount has no rights, and its token is not mounted;
	// leviathan-worker if empty.
	ServiceAccount string
	// CPU is what a worker asks for, as Kubernetes writes quantities; 500m if
	// empty. It is no limit.
	CPU string
	// Trace has the values of TraceVariables that the workers get; those that
	// an agent's env_from names are the agent's.
	Trace map[string]string
	// WorkspaceSize is the most that a workspace may hold; 10Gi if empty.
	WorkspaceSize string
}

// withDefaults fills in what is empty.
func (o JobOptions) withDefaults() JobOptions {
	for _, f := range []struct {
		field *string
		value string
	}{{&o.ServiceAccount, appWorker}, {&o.CPU, "500m"}, {&o.WorkspaceSize, "10Gi"}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	return o
}

// JobName is the name of an attempt's Job, and of the Secret beside it: a
// DNS-1123 label of 43 characters.
func JobName(id gateway.AttemptID) string { return appWorker + "-" + strings.ToLower(string(id)) }

// WorkerJob renders the Job of a reservation. It is a pure function: the same
// reservation and options give the same Job, whose annotation
// leviathan.dev/spec-digest covers all of it. The attempt's token is not in it:
// it is in a Secret of the same name.
func WorkerJob(r gateway.Reservation, o JobOptions) (*batchv1.Job, error) {
	o = o.withDefaults()
	cpu, size, err := checkReservation(r, o)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{annotationAttempt: string(r.AttemptID), annotationTask: string(r.TaskID), annotationTarget: string(o.Target)}
	if !r.StartDeadline.IsZero() {
		annotations[annotationStartBy] = r.StartDeadline.UTC().Format(time.RFC3339)
	}
	job := &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: JobName(r.AttemptID), Namespace: r.Worker.Namespace, Labels: workerLabels(), Annotations: annotations},
		Spec: batchv1.JobSpec{
			BackoffLimit:            new(int32(0)), // another try is the policy's decision, and another attempt
			ActiveDeadlineSeconds:   new(int64(r.TimeoutSeconds) + int64(DeadlineMargin/time.Second)),
			TTLSecondsAfterFinished: new(int32(jobTTLSeconds)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: workerLabels(), Annotations: map[string]string{
					annotationAttempt: string(r.AttemptID), annotationTask: string(r.TaskID), annotationTarget: string(o.Target)}},
				Spec: workerPod(r, o, cpu, size),
			},
		},
	}
	if annotations[annotationDigest], err = specDigest(job); err != nil {
		return nil, err
	}
	return job, nil
}

// checkReservation refuses what would become a Job that means something else.
func checkReservation(r gateway.Reservation, o JobOptions) (cpu, size resource.Quantity, err error) {
	switch {
	case !r.AttemptID.Valid():
		return cpu, size, fmt.Errorf("the gateway named %q, which is no attempt", r.AttemptID)
	case !o.Target.Valid():
		return cpu, size, fmt.Errorf("%q is no target", o.Target)
	case o.GatewayURL == "":
		return cpu, size, errors.New("no URL by which workers reach the gateway")
	case r.Worker.Image == "" || r.Worker.Namespace == "":
		return cpu, size, fmt.Errorf("attempt %s has image %q and namespace %q: set worker_image and worker_namespace in the autonomy config", r.AttemptID, r.Worker.Image, r.Worker.Namespace)
	case r.Worker.MemoryMB < 1 || r.TimeoutSeconds < 1:
		return cpu, size, fmt.Errorf("attempt %s has %d MiB of memory and %d seconds: agent %q has gone from the autonomy config, or says so", r.AttemptID, r.Worker.MemoryMB, r.TimeoutSeconds, r.Agent)
	}
	if cpu, err = resource.ParseQuantity(o.CPU); err != nil {
		return cpu, size, fmt.Errorf("a worker's CPU %q: %w", o.CPU, err)
	}
	if size, err = resource.ParseQuantity(o.WorkspaceSize); err != nil {
		return cpu, size, fmt.Errorf("a workspace's size %q: %w", o.WorkspaceSize, err)
	}
	if cpu.Sign() <= 0 || size.Sign() <= 0 {
		return cpu, size, fmt.Errorf("a worker's CPU %s and a workspace's size %s are more than zero", o.CPU, o.WorkspaceSize)
	}
	return cpu, size, nil
}

func workerLabels() map[string]string {
	return map[string]string{labelApp: appWorker, "app.kubernetes.io/name": "leviathan", "app.kubernetes.io/component": "worker",
		"app.kubernetes.io/part-of": "leviathan", labelManagedBy: managedBy}
}

// workerPod is a Pod that may do nothing but compute and talk to the network:
// no rights in the cluster, nothing to write to but its workspace and /tmp.
func workerPod(r gateway.Reservation, o JobOptions, cpu, size resource.Quantity) corev1.PodSpec {
	memory := *resource.NewQuantity(int64(r.Worker.MemoryMB)<<20, resource.BinarySI)
	tmp := resource.MustParse(tmpSize)
	return corev1.PodSpec{
		ServiceAccountName:            o.ServiceAccount,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(int64(stopSeconds)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(workerUser)), RunAsGroup: new(int64(workerUser)), FSGroup: new(int64(workerUser)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name:            "worker",
			Image:           r.Worker.Image,
			ImagePullPolicy: corev1.PullIfNotPresent,
			Command:         []string{"leviathan"},
			Args: []string{"worker", "--gateway=" + o.GatewayURL, "--attempt=" + string(r.AttemptID),
				"--token-file=" + tokenDir + "/" + tokenKey, "--workspace=" + workspaceDir},
			Env: append(agentKeys(r), traceVariables(r, o)...),
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: memory},
			},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			// The end of a failed worker's log is in the Pod's status, where
			// this scheduler may read it; it may not read logs.
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			VolumeMounts: []corev1.VolumeMount{
				{Name: "token", MountPath: tokenDir, ReadOnly: true},
				{Name: "workspace", MountPath: workspaceDir},
				{Name: "tmp", MountPath: "/tmp"},
			},
		}},
		Volumes: []corev1.Volume{
			// The kubelet makes it readable for the pod's group as well.
			{Name: "token", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: JobName(r.AttemptID), DefaultMode: new(int32(0o400)),
				Items: []corev1.KeyToPath{{Key: tokenKey, Path: tokenKey}}}}},
			{Name: "workspace", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &tmp}}},
		},
	}
}

// agentSecret is the name of the Secret with an agent's own keys.
func agentSecret(agent string) string { return "leviathan-agent-" + agent }

// agentKeys are the agent's env_from names. Nobody here sees the values: the
// kubelet takes them from the agent's Secret, one key for each name.
func agentKeys(r gateway.Reservation) []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, name := range slices.Compact(slices.Sorted(slices.Values(r.Worker.EnvFrom))) {
		env = append(env, corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: agentSecret(r.Agent)}, Key: name}}})
	}
	return env
}

// traceVariables are the variables by which the worker learns where spans go.
func traceVariables(r gateway.Reservation, o JobOptions) []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, name := range TraceVariables() {
		if value := o.Trace[name]; value != "" && !slices.Contains(r.Worker.EnvFrom, name) {
			env = append(env, corev1.EnvVar{Name: name, Value: value})
		}
	}
	return env
}

// specDigest is the SHA-256 of a rendered Job without its digest. What the API
// server fills in later is not in it.
func specDigest(job *batchv1.Job) (string, error) {
	data, err := json.Marshal(job)
	if err != nil {
		return "", fmt.Errorf("writing the Job %s: %w", job.Name, err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// attemptSecret is the Secret with the attempt's token. It goes with its Job.
func attemptSecret(r gateway.Reservation, target gateway.TargetID, owner *batchv1.Job) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: owner.Name, Namespace: owner.Namespace, Labels: workerLabels(),
			Annotations:     map[string]string{annotationAttempt: string(r.AttemptID), annotationTask: string(r.TaskID), annotationTarget: string(target)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: owner.Name, UID: owner.UID, Controller: new(true)}}},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{tokenKey: []byte(r.Token)},
	}
}
