package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var accounts = []string{"leviathan-control-plane", "leviathan-scheduler", "leviathan-spider", "leviathan-worker"}

// verbs are all that RBAC knows of.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind", "escalate"}

// A right is what an account may do with every object of a resource in a
// namespace, or with those of one name.
type right struct{ account, namespace, resource, name, verb string }

// allowed is all that any account may. What is in it and is not allowed, and
// what is allowed and not in it, is a failure. Everybody who is known to the API
// may ask it what he may do himself.
func allowed() map[right]bool {
	may := map[right]bool{}
	add := func(account, in, resource, name string, with ...string) {
		for _, verb := range with {
			may[right{account, in, resource, name, verb}] = true
		}
	}
	add("leviathan-scheduler", namespace, "batch/jobs", "", "create", "get", "list", "delete")
	add("leviathan-scheduler", namespace, "/secrets", "", "create")
	add("leviathan-scheduler", namespace, "/pods", "", "list")
	add("leviathan-control-plane", namespace, "coordination.k8s.io/leases", "leviathan-control-plane", "get", "update")
	add("leviathan-control-plane", namespace, "/configmaps", configMapName, "get", "list", "watch")
	for _, in := range []string{namespace, metav1.NamespaceDefault} {
		add("leviathan-control-plane", in, "authentication.k8s.io/tokenreviews", "", "create")
		for _, account := range accounts {
			add(account, in, "authentication.k8s.io/selfsubjectreviews", "", "create")
			add(account, in, "authorization.k8s.io/selfsubjectaccessreviews", "", "create")
			add(account, in, "authorization.k8s.io/selfsubjectrulesreviews", "", "create")
		}
	}
	return may
}

// names are those of objects for which an account may have a right of its own.
var names = []string{"", "leviathan-control-plane", configMapName, "leviathan-secrets"}

// Every account may do what its component needs, and of all that the API has
// nothing else, in our namespace and in another. A subresource such as pods/exec
// is a resource here.
func TestNobodyMayDoMoreThanItsComponentMust(t *testing.T) {
	_, lists, err := cluster.api.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	resources := map[string]bool{}
	for _, list := range lists {
		group, _, inGroup := strings.Cut(list.GroupVersion, "/")
		if !inGroup {
			group = ""
		}
		for _, r := range list.APIResources {
			resources[group+"/"+r.Name] = true
		}
	}
	for _, want := range []string{"/secrets", "/pods/exec", "/serviceaccounts/token", "batch/cronjobs", "rbac.authorization.k8s.io/rolebindings"} {
		if !resources[want] {
			t.Fatalf("the API has no %s: its resources were not all found", want)
		}
	}
	asked := make(chan right)
	var mu sync.Mutex
	got := map[right]bool{}
	var askers sync.WaitGroup
	for range 8 {
		askers.Go(func() {
			for r := range asked {
				may, err := cluster.may(t.Context(), r)
				if err != nil {
					t.Error(err)
				}
				if may {
					mu.Lock()
					got[r] = true
					mu.Unlock()
				}
			}
		})
	}
	n := 0
	for resource := range resources {
		for _, account := range accounts {
			for _, in := range []string{namespace, metav1.NamespaceDefault} {
				for _, name := range namesFor(resource) {
					for _, verb := range verbs {
						asked <- right{account, in, resource, name, verb}
						n++
					}
				}
			}
		}
	}
	close(asked)
	askers.Wait()
	t.Logf("asked %d times about %d resources", n, len(resources))
	want := allowed()
	for _, r := range slices.SortedFunc(maps.Keys(got), byText) {
		// Who may do it with every object may do it with one.
		if !want[r] && !want[right{r.account, r.namespace, r.resource, "", r.verb}] {
			t.Errorf("%+v is allowed", r)
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(want), byText) {
		if !got[r] {
			t.Errorf("%+v is not allowed", r)
		}
	}
}

func byText(a, b right) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }

// namesFor spares most resources the questions about single names.
func namesFor(resource string) []string {
	switch resource {
	case "/secrets", "/configmaps", "coordination.k8s.io/leases":
		return names
	}
	return []string{""}
}

// may asks the API whether an account may do something.
func (w *world) may(ctx context.Context, r right) (bool, error) {
	group, resource, _ := strings.Cut(r.resource, "/")
	resource, sub, _ := strings.Cut(resource, "/")
	review, err := w.api.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   "system:serviceaccount:" + namespace + ":" + r.account,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: r.namespace, Group: group, Version: "*", Resource: resource, Subresource: sub,
			Name: r.name, Verb: r.verb}}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking about %+v: %w", r, err)
	}
	return review.Status.Allowed, nil
}

// as is a client with a real token of an account, for an audience; "" is the
// API's own.
func (w *world) as(t *testing.T, account, audience string) (kubernetes.Interface, string) {
	t.Helper()
	spec := authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(600))}
	if audience != "" {
		spec.Audiences = []string{audience}
	}
	got, err := w.api.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, &authenticationv1.TokenRequest{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(w.config)
	config.BearerToken = got.Status.Token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, got.Status.Token
}

// What the accounts must not do is refused when they try, with tokens as their
// Pods have them.
func TestTheAPIRefusesWhatAComponentMustNotDo(t *testing.T) {
	scheduler, _ := cluster.as(t, "leviathan-scheduler", "")
	gateway, _ := cluster.as(t, "leviathan-control-plane", "")
	worker, _ := cluster.as(t, "leviathan-worker", "")
	spider, _ := cluster.as(t, "leviathan-spider", "")
	ctx := t.Context()
	get, list, create := metav1.GetOptions{}, metav1.ListOptions{}, metav1.CreateOptions{}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "leviathan-secrets"}, StringData: map[string]string{"GITHUB_TOKEN": "another"}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "of-nobody"}, Spec: restrictedPod("worker", workerImage, "true")}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "of-nobody"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: pod.Spec}}}
	for what, try := range map[string]func() error{
		"scheduler: read the gateway's Secret": func() error {
			_, err := scheduler.CoreV1().Secrets(namespace).Get(ctx, "leviathan-secrets", get)
			return err
		},
		"scheduler: list Secrets": func() error { _, err := scheduler.CoreV1().Secrets(namespace).List(ctx, list); return err },
		"scheduler: write over the gateway's Secret": func() error {
			_, err := scheduler.CoreV1().Secrets(namespace).Update(ctx, secret, metav1.UpdateOptions{})
			return err
		},
		"scheduler: make a Pod": func() error { _, err := scheduler.CoreV1().Pods(namespace).Create(ctx, pod, create); return err },
		"scheduler: read a log": func() error {
			return scheduler.CoreV1().Pods(namespace).GetLogs("any", &corev1.PodLogOptions{}).Do(ctx).Error()
		},
		"scheduler: run something in a Pod": func() error {
			return scheduler.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name("any").SubResource("exec").Param("command", "true").Do(ctx).Error()
		},
		"scheduler: make a Job elsewhere": func() error { _, err := scheduler.BatchV1().Jobs("default").Create(ctx, job, create); return err },
		"scheduler: take up its CronJob": func() error {
			_, err := scheduler.BatchV1().CronJobs(namespace).Patch(ctx, cronJobName, "application/merge-patch+json", []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{})
			return err
		},
		"scheduler: change the autonomy config": func() error {
			_, err := scheduler.CoreV1().ConfigMaps(namespace).Patch(ctx, configMapName, "application/merge-patch+json", []byte(`{"data":{}}`), metav1.PatchOptions{})
			return err
		},
		"scheduler: make itself a token of the gateway": func() error {
			_, err := scheduler.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "leviathan-control-plane", &authenticationv1.TokenRequest{}, create)
			return err
		},
		"gateway: make a Job": func() error { _, err := gateway.BatchV1().Jobs(namespace).Create(ctx, job, create); return err },
		"gateway: read its own Secret by the API": func() error {
			_, err := gateway.CoreV1().Secrets(namespace).Get(ctx, "leviathan-secrets", get)
			return err
		},
		"gateway: change its own autonomy config": func() error {
			_, err := gateway.CoreV1().ConfigMaps(namespace).Patch(ctx, configMapName, "application/merge-patch+json", []byte(`{"data":{}}`), metav1.PatchOptions{})
			return err
		},
		"gateway: delete its Lease": func() error {
			return gateway.CoordinationV1().Leases(namespace).Delete(ctx, "leviathan-control-plane", metav1.DeleteOptions{})
		},
		"gateway: list Pods":               func() error { _, err := gateway.CoreV1().Pods(namespace).List(ctx, list); return err },
		"worker: list Secrets":             func() error { _, err := worker.CoreV1().Secrets(namespace).List(ctx, list); return err },
		"worker: read the autonomy config": func() error { _, err := worker.CoreV1().ConfigMaps(namespace).Get(ctx, configMapName, get); return err },
		"worker: make a Job":               func() error { _, err := worker.BatchV1().Jobs(namespace).Create(ctx, job, create); return err },
		"spider: list Pods":                func() error { _, err := spider.CoreV1().Pods(namespace).List(ctx, list); return err },
		"spider: read a Secret": func() error {
			_, err := spider.CoreV1().Secrets(namespace).Get(ctx, "leviathan-secrets", get)
			return err
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want 403", what, err)
		}
	}
	if _, err := scheduler.BatchV1().Jobs(namespace).List(ctx, list); err != nil {
		t.Errorf("scheduler: list Jobs: %v", err)
	}
	_, outside := cluster.as(t, "leviathan-scheduler", "leviathan")
	config := rest.AnonymousClientConfig(cluster.config)
	config.BearerToken = outside
	stranger, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.BatchV1().Jobs(namespace).List(ctx, list); !apierrors.IsUnauthorized(err) {
		t.Errorf("the API takes a token that is made for the gateway: %v", err)
	}
}

// The gateway knows the accounts that its flags name, by tokens that are made
// for it, and gives each no more than its role.
func TestTheGatewayKnowsServiceAccountsByTheirTokens(t *testing.T) {
	needNode(t)
	token := func(account, audience string) string { _, token := cluster.as(t, account, audience); return token }
	for _, test := range []struct {
		what, token, method, path string
		body                      any
		want                      int
	}{
		{"scheduler", token("leviathan-scheduler", "leviathan"), "GET", "/v1/attempts", nil, 200},
		{"spider", token("leviathan-spider", "leviathan"), "GET", "/v1/events/recent", nil, 200},
		{"scheduler with a token for the API", token("leviathan-scheduler", ""), "GET", "/v1/attempts", nil, 401},
		{"worker", token("leviathan-worker", "leviathan"), "GET", "/v1/attempts", nil, 401},
		{"nobody", "made-up", "GET", "/v1/attempts", nil, 401},
		{"scheduler, to lift a halt", token("leviathan-scheduler", "leviathan"), "POST", "/v1/autonomy/resume", map[string]any{"target": "dev", "reason": "none"}, 403},
		{"scheduler, to make a token", token("leviathan-scheduler", "leviathan"), "POST", "/v1/tokens", map[string]any{"role": "reader"}, 403},
		{"spider, to plan", token("leviathan-spider", "leviathan"), "POST", "/v1/targets/dev/cycle", map[string]any{}, 403},
	} {
		err := call(t.Context(), gatewayURL, test.token, test.method, test.path, test.body, nil)
		if code := codeOf(err); test.want == 200 && err != nil || test.want != 200 && code != test.want {
			t.Errorf("%s: %v, want %d", test.what, err, test.want)
		}
	}
}
