package cluster

import (
	"log/slog"
	"net/http"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Over is the API behind a transport.
func Over(transport http.RoundTripper, namespace string, logger *slog.Logger) (*API, error) {
	client, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: "http://api.test", QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, &http.Client{Transport: transport})
	return &API{client: client, namespace: namespace, log: logger}, err
}

// Kept is how many answers about tokens are kept.
func (r *Reviewer) Kept() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.answers)
}
