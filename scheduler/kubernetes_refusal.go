package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/gateway"
)

// apiError gives an error of the API server a name, which it begins with. What
// says nothing about what was asked (a server that cannot be reached, is busy
// or fails) is gateway.ErrUnknown: the next cycle asks again. All else is an
// answer, which would be the same the next time.
func apiError(doing string, err error) error {
	reason, again := nameOf(err)
	if again {
		return &gateway.Error{Kind: gateway.Unknown, Detail: fmt.Sprintf("%s: %s: %v", reason, doing, err), Err: err}
	}
	return fmt.Errorf("%s: %s: %w", reason, doing, err)
}

// nameOf is the one table from the API server's errors to names, and whether
// to ask again can help.
func nameOf(err error) (reason string, again bool) {
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return "api_timeout", true
	case !errors.As(err, &status):
		return "api_unreachable", true
	case apierrors.IsTooManyRequests(err):
		return "api_busy", true
	case apierrors.IsUnauthorized(err): // it is about the scheduler, not about what it asked
		return "api_unauthorized", true
	case status.Status().Code >= http.StatusInternalServerError && strings.Contains(err.Error(), "failed calling webhook"):
		return "webhook_unreachable", true
	case status.Status().Code >= http.StatusInternalServerError:
		return "api_error", true
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return "namespace_terminating", false
	case strings.Contains(err.Error(), "admission webhook"), strings.Contains(err.Error(), "ValidatingAdmissionPolicy"):
		return "admission_denied", false
	case apierrors.IsConflict(err): // two writers met at a quota's count
		return "api_conflict", true
	case apierrors.IsNotFound(err):
		return missing(status.Status()), false
	case apierrors.IsForbidden(err):
		return forbidden(err.Error()), false
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return "invalid_job", false
	}
	return "refused", false
}

func missing(s metav1.Status) string {
	if s.Details != nil && s.Details.Kind == "namespaces" {
		return "namespace_missing"
	}
	return "not_found"
}

// forbidden tells the refusals apart that share a status: only their texts do.
func forbidden(message string) string {
	switch {
	case strings.Contains(message, "exceeded quota"):
		return "quota_exceeded"
	case strings.Contains(message, "violates PodSecurity"):
		return "pod_security"
	}
	return "forbidden"
}
