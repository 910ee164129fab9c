package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"leviathan/gateway"
)

const (
	// apiTimeout bounds one request to the API server.
	apiTimeout = 30 * time.Second
	// podNamespace is where a Pod finds the name of its own namespace.
	podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// ConnectKubernetes makes a client of the API server that a kubeconfig names,
// or, without a file's name, of the cluster that this process is a Pod of. The
// namespace is that of the kubeconfig's context, or the Pod's own. It asks the
// server nothing. What the server warns of is logged.
func ConnectKubernetes(kubeconfig string, logger *slog.Logger) (client kubernetes.Interface, namespace string, err error) {
	config, namespace, err := restConfig(kubeconfig)
	if err != nil {
		return nil, "", err
	}
	config.Timeout = apiTimeout
	config.UserAgent = "leviathan-scheduler/" + gateway.Version
	config.WarningHandlerWithContext = warnings{logger}
	if client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, "", fmt.Errorf("making a client of the Kubernetes API: %w", err)
	}
	return client, namespace, nil
}

func restConfig(kubeconfig string) (*rest.Config, string, error) {
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

// warnings logs what the API server warns of, such as a Job whose Pods Pod
// Security will refuse.
type warnings struct{ log *slog.Logger }

func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _, text string) {
	if code == 299 && text != "" { // RFC 7234: a warning that stays true
		w.log.WarnContext(ctx, "the Kubernetes API warns", "warning", text)
	}
}
