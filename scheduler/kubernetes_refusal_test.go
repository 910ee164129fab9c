package scheduler_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"leviathan/gateway"
	"leviathan/scheduler"
)

// Each way in which the API server says no has a name. What says nothing about
// the attempt leaves it reserved for the next cycle; the rest ends it, once.
func TestEachRefusalHasAName(t *testing.T) {
	jobKind := schema.GroupResource{Group: "batch", Resource: "jobs"}
	forbidden := func(why string) error { return apierrors.NewForbidden(jobKind, "x", errors.New(why)) }
	status := func(code int32, reason metav1.StatusReason, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message}}
	}
	terminating := forbidden("because it is being terminated").(*apierrors.StatusError)
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, c := range map[string]struct {
		err   error
		again bool
	}{
		"api_unreachable":       {&url.Error{Op: "Post", URL: "https://10.0.0.1/", Err: syscall.ECONNREFUSED}, true},
		"api_timeout":           {&url.Error{Op: "Post", URL: "https://10.0.0.1/", Err: context.DeadlineExceeded}, true},
		"api_busy":              {apierrors.NewTooManyRequests("slow down", 1), true},
		"api_error":             {apierrors.NewInternalError(errors.New("etcd is away")), true},
		"webhook_unreachable":   {apierrors.NewInternalError(errors.New(`failed calling webhook "a.b": connection refused`)), true},
		"api_unauthorized":      {apierrors.NewUnauthorized("Unauthorized"), true},
		"api_conflict":          {apierrors.NewConflict(schema.GroupResource{Resource: "resourcequotas"}, "leviathan", errors.New("the object has been modified")), true},
		"quota_exceeded":        {forbidden("exceeded quota: leviathan, requested: count/jobs.batch=1, used: 200, limited: 200"), false},
		"pod_security":          {forbidden(`violates PodSecurity "restricted:latest": runAsNonRoot != true`), false},
		"admission_denied":      {status(http.StatusBadRequest, "", `admission webhook "policy.example" denied the request: no`), false},
		"admission_denied ":     {status(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `ValidatingAdmissionPolicy 'digests' with binding 'b' denied request: an image must be pinned`), false},
		"forbidden":             {forbidden(`User "system:serviceaccount:leviathan:x" cannot create resource "jobs"`), false},
		"namespace_missing":     {apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "leviathan"), false},
		"namespace_terminating": {terminating, false},
		"invalid_job":           {apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "x", nil), false},
		"refused":               {status(http.StatusTeapot, "", "short and stout"), false},
	} {
		for _, resource := range []string{"jobs", "secrets"} {
			t.Run(resource+" "+name, func(t *testing.T) {
				openYard(t, func(t *testing.T, y *yard) {
					y.reserve(first)
					y.refuse("create", resource, c.err)
					_, err := y.cycle(t.Context())
					said := strings.TrimSpace(name) + ": "
					if c.again {
						if !errors.Is(err, gateway.ErrUnknown) || !strings.Contains(err.Error(), said) || !strings.Contains(err.Error(), string(first)) {
							t.Errorf("the cycle's error is %v", err)
						}
						if len(y.gateway.lost) > 0 || len(y.deleted()) > 0 {
							t.Errorf("reported %v, deleted %v", y.gateway.lost, y.deleted())
						}
						return
					}
					if err != nil {
						t.Errorf("the cycle's error is %v", err)
					}
					if y.gateway.wasLost(first) != "job_failed" || !strings.HasPrefix(y.gateway.details[0], said) || !strings.Contains(y.gateway.details[0], scheduler.JobName(first)) {
						t.Errorf("reported %v: %q", y.gateway.lost, y.gateway.details)
					}
					if y.job(first) != nil {
						t.Error("a Job without its Secret is left")
					}
				})
			})
		}
	}
}

// One attempt that waits keeps no other from its Job.
func TestAnUnknownLaunchKeepsNoOtherBack(t *testing.T) {
	openYard(t, func(t *testing.T, y *yard) {
		y.reserve(first, second)
		y.once("create", "jobs", apierrors.NewTooManyRequests("slow down", 1))
		if _, err := y.cycle(t.Context()); !errors.Is(err, gateway.ErrUnknown) || strings.Contains(err.Error(), string(second)) {
			t.Errorf("the cycle's error is %v", err)
		}
		if y.job(first) != nil || y.job(second) == nil {
			t.Error("the first is launched, or the second is not")
		}
	})
}

// Two who make something at once meet at the count of a quota, which is no
// reason to wait for the next cycle.
func TestAConflictIsTriedAgainAtOnce(t *testing.T) {
	for _, resource := range []string{"jobs", "secrets"} {
		openYard(t, func(t *testing.T, y *yard) {
			y.reserve(first)
			y.once("create", resource, apierrors.NewConflict(schema.GroupResource{Resource: "resourcequotas"}, "leviathan", errors.New("the object has been modified")))
			if _, err := y.cycle(t.Context()); err != nil {
				t.Errorf("the cycle's error is %v", err)
			}
			if y.job(first) == nil || y.secret(first) == nil {
				t.Error("the Job or its Secret was not made")
			}
		})
	}
}

// Unknown is not zero: when Jobs or Pods cannot be listed nothing is reported,
// deleted, reserved or launched, whatever the reason is.
func TestWhatCannotBeSeenFailsTheCycle(t *testing.T) {
	for name, err := range map[string]error{"api_unreachable": errors.New("connection refused"), "forbidden": apierrors.NewForbidden(schema.GroupResource{Resource: "x"}, "", errors.New("no rights"))} {
		for _, resource := range []string{"jobs", "pods"} {
			t.Run(resource+" "+name, func(t *testing.T) {
				openYard(t, func(t *testing.T, y *yard) {
					y.reserve(first)
					y.run()
					y.reserve(second)
					y.gateway.say(func(w *wire) { w.live = []string{string(third) + " running"} })
					y.refuse("list", resource, err)
					if _, err := y.cycle(t.Context()); !errors.Is(err, gateway.ErrUnknown) || !strings.Contains(err.Error(), name+": listing the ") {
						t.Errorf("the cycle's error is %v", err)
					}
					if len(y.gateway.lost) > 0 || len(y.deleted()) > 0 || y.gateway.asked() != 1 || y.job(second) != nil {
						t.Errorf("reported %v, deleted %v, %d cycles", y.gateway.lost, y.deleted(), y.gateway.asked())
					}
				})
			})
		}
	}
}
