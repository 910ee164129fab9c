package cluster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	authentication "k8s.io/api/authentication/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"leviathan/gateway/cluster"
)

const (
	namespace = "leviathan"
	leaseName = "leviathan-control-plane"
	mapName   = "leviathan-autonomy-config"
)

// An api is the part of an API server that a gateway asks, with resource
// versions that conflict as they do there. It is the transport of its clients,
// so that its tests have a clock of their own and no network.
type api struct {
	mu      sync.Mutex
	version int
	lease   *coordination.Lease
	config  *core.ConfigMap
	gone    int // watches from before this version are answered 410
	history []json.RawMessage
	since   []int
	changed chan struct{}
	review  func(authentication.TokenReviewSpec) authentication.TokenReviewStatus
	asked   map[string]int // requests by method and kind

	// fault, if it is not nil, is asked for each request.
	fault func(*http.Request) fault
}

// A fault is what goes wrong with one request.
type fault int

const (
	none    fault = iota
	down          // it does not arrive
	lost          // it is carried out, and the answer does not arrive
	silent        // nothing ever comes back
	refused       // 403
)

func newAPI() *api {
	a := &api{asked: map[string]int{}, changed: make(chan struct{})}
	a.makeLease()
	return a
}

func (a *api) makeLease() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.lease = &coordination.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName, Namespace: namespace, ResourceVersion: strconv.Itoa(a.version), UID: "u"}}
}

func (a *api) setFault(f func(*http.Request) fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = f
}

// editLease changes something else in the Lease, as kubectl label does.
func (a *api) editLease() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.lease.ResourceVersion, a.lease.Labels = strconv.Itoa(a.version), map[string]string{"edited": strconv.Itoa(a.version)}
}

func (a *api) spec() coordination.LeaseSpec {
	a.mu.Lock()
	defer a.mu.Unlock()
	return *a.lease.Spec.DeepCopy()
}

func (a *api) count(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[what]
}

// client connects to the API.
func (a *api) client(t testing.TB, logs io.Writer) *cluster.API {
	t.Helper()
	c, err := cluster.Over(a, namespace, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// RoundTrip carries a request out, with its fault.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.asked[r.Method+" "+kindOf(r)]++
	wrong := none
	if a.fault != nil {
		wrong = a.fault(r)
	}
	a.mu.Unlock()
	switch wrong {
	case down:
		return nil, errors.New("connection refused")
	case silent:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case refused:
		code, body := failed(http.StatusForbidden, metav1.StatusReasonForbidden, "not for you")
		return answerOf(r, code, body)
	}
	if r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1" {
		return a.watch(r)
	}
	code, body := a.serve(r)
	if wrong == lost {
		return nil, errors.New("connection reset by peer")
	}
	return answerOf(r, code, body)
}

func kindOf(r *http.Request) string {
	for _, kind := range []string{"leases", "configmaps", "tokenreviews"} {
		if strings.Contains(r.URL.Path, "/"+kind) {
			return kind
		}
	}
	return "other"
}

func answerOf(r *http.Request, code int, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, err
}

func failed(code int, reason metav1.StatusReason, message string) (int, any) {
	return code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message}
}

// serve answers all but watches.
func (a *api) serve(r *http.Request) (int, any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "GET /apis/coordination.k8s.io/v1/namespaces/leviathan/leases/" + leaseName:
		if a.lease == nil {
			return failed(http.StatusNotFound, metav1.StatusReasonNotFound, "no such Lease")
		}
		return http.StatusOK, a.lease
	case "PUT /apis/coordination.k8s.io/v1/namespaces/leviathan/leases/" + leaseName:
		return a.putLease(r)
	case "GET /api/v1/namespaces/leviathan/configmaps":
		if got := r.URL.Query().Get("fieldSelector"); got != "metadata.name="+mapName {
			return failed(http.StatusForbidden, metav1.StatusReasonForbidden, "the right is for one name, not for "+got)
		}
		list := core.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(a.version)}}
		if a.config != nil {
			list.Items = append(list.Items, *a.config)
		}
		return http.StatusOK, list
	case "POST /apis/authentication.k8s.io/v1/tokenreviews":
		var review authentication.TokenReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			return failed(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		}
		review.Status = a.review(review.Spec)
		return http.StatusCreated, review
	}
	return failed(http.StatusForbidden, metav1.StatusReasonForbidden, "a gateway has no right to "+r.Method+" "+r.URL.Path)
}

func (a *api) putLease(r *http.Request) (int, any) {
	var put coordination.Lease
	if err := json.NewDecoder(r.Body).Decode(&put); err != nil {
		return failed(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
	}
	switch {
	case a.lease == nil:
		return failed(http.StatusNotFound, metav1.StatusReasonNotFound, "no such Lease")
	case put.ResourceVersion == "":
		return failed(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "an update without a resource version overwrites anything")
	case put.ResourceVersion != a.lease.ResourceVersion || put.UID != a.lease.UID:
		return failed(http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
	}
	a.version++
	put.ResourceVersion = strconv.Itoa(a.version)
	a.lease = &put
	return http.StatusOK, put
}

// setConfig changes the ConfigMap; nil deletes it.
func (a *api) setConfig(files map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	was := a.config
	kind, object := "MODIFIED", was
	switch {
	case files == nil:
		kind, a.config = "DELETED", nil
	default:
		if was == nil {
			kind = "ADDED"
		}
		object = &core.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: files,
			ObjectMeta: metav1.ObjectMeta{Name: mapName, Namespace: namespace, ResourceVersion: strconv.Itoa(a.version)}}
		a.config = object
	}
	text, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		panic(err)
	}
	a.history, a.since = append(a.history, text), append(a.since, a.version)
	close(a.changed)
	a.changed = make(chan struct{})
}

// forget drops the history: whoever watches from before must list again, and
// those that watch now are cut off.
func (a *api) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.gone, a.history, a.since = a.version, nil, nil
	close(a.changed)
	a.changed = make(chan struct{})
}

// watch streams what happens after the version.
func (a *api) watch(r *http.Request) (*http.Response, error) {
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		return nil, fmt.Errorf("a watch from the version %w", err)
	}
	out, in := io.Pipe()
	go func() {
		for {
			a.mu.Lock()
			var lines []json.RawMessage
			for i, version := range a.since {
				if version > from {
					lines, from = append(lines, a.history[i]), version
				}
			}
			cut, changed := from < a.gone, a.changed
			a.mu.Unlock()
			if cut {
				_, status := failed(http.StatusGone, metav1.StatusReasonExpired, "too old resource version")
				text, err := json.Marshal(map[string]any{"type": "ERROR", "object": status})
				lines = append(lines, text)
				if err != nil {
					in.CloseWithError(err)
				}
			}
			for _, line := range lines {
				if _, err := in.Write(append(line, '\n')); err != nil {
					return
				}
			}
			if cut {
				in.Close()
				return
			}
			select {
			case <-changed:
			case <-r.Context().Done():
				in.CloseWithError(r.Context().Err())
				return
			}
		}
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: out, Request: r}, nil
}
