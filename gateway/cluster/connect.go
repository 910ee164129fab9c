package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"leviathan/gateway"
)

// podNamespace is where a Pod finds the name of its own namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// An API is the Kubernetes API and the one namespace in which the gateway has
// its objects. It is safe for concurrent use.
type API struct {
	client    kubernetes.Interface
	namespace string
	log       *slog.Logger
}

// Connect makes a client of the API that a kubeconfig names, or, without a
// file's name, of the cluster that this process is a Pod of. The namespace is
// that of the kubeconfig's context, or the Pod's own. It asks the server
// nothing.
func Connect(kubeconfig string, logger *slog.Logger) (*API, error) {
	config, namespace, err := configOf(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent = "leviathan-gateway/" + gateway.Version
	// A renewal must not wait for its turn behind token reviews; those are
	// limited where they are made. Every request has a deadline of its own.
	config.QPS, config.Timeout = -1, 0
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client of the Kubernetes API: %w", err)
	}
	return &API{client: client, namespace: namespace, log: logger}, nil
}

func configOf(kubeconfig string) (*rest.Config, string, error) {
	if kubeconfig != "" {
		loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{})
		config, err := loader.ClientConfig()
		if err != nil {
			return nil, "", fmt.Errorf("reading the kubeconfig %s: %w", kubeconfig, err)
		}
		namespace, _, err := loader.Namespace()
		if err != nil {
			return nil, "", fmt.Errorf("reading the namespace of the kubeconfig %s: %w", kubeconfig, err)
		}
		return config, namespace, nil
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, "", fmt.Errorf("finding the cluster that this process runs in (outside of one, name a kubeconfig): %w", err)
	}
	text, err := os.ReadFile(podNamespace)
	if err != nil {
		return nil, "", fmt.Errorf("reading the namespace of this Pod: %w", err)
	}
	return config, strings.TrimSpace(string(text)), nil
}

// Namespace is where the gateway's objects are.
func (a *API) Namespace() string { return a.namespace }

// refused reports whether the API answered that it will not do this, now or
// later: asking again is no use.
func refused(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err)
}

// briefly names an API that did not answer, in place of an error that repeats
// a URL.
func briefly(err error) error {
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return errors.New("the Kubernetes API did not answer in time")
	case !errors.As(err, &status):
		return fmt.Errorf("the Kubernetes API cannot be reached: %w", err)
	}
	return err
}

// pause waits for d, or for the end of ctx, whose error it returns.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
