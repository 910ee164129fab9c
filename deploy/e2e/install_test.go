package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"leviathan/deploy/e2e"
)

// patch is all that these tests change of the rendered manifests: the sample
// config, which is off and of a repository that nobody has, and how long a test
// waits for the CronJob.
func patch(object *unstructured.Unstructured) error {
	switch object.GetKind() + "/" + object.GetName() {
	case "ConfigMap/" + configMapName:
		data := map[string]any{}
		for target := range targets {
			data[target+".yaml"] = configOf(target)
		}
		return unstructured.SetNestedMap(object.Object, data, "data")
	case "CronJob/" + cronJobName:
		return unstructured.SetNestedField(object.Object, "* * * * *", "spec", "schedule")
	}
	return nil
}

// render renders an overlay as kubectl does.
func render(folder string) ([]*unstructured.Unstructured, error) {
	options := krusty.MakeDefaultOptions()
	options.Reorder = krusty.ReorderOptionLegacy // the namespace first
	rendered, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, r := range rendered.Resources() {
		content, err := r.Map()
		if err != nil {
			return nil, err
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	return objects, nil
}

// install applies the overlay for kind, and makes the Secret that people make
// by hand.
func (w *world) install(ctx context.Context) error {
	objects, err := render("../overlays/kind")
	if err != nil {
		return err
	}
	for _, o := range objects {
		if w.node != nil {
			if err := patch(o); err != nil {
				return err
			}
			if err := w.patchKubelet(o); err != nil {
				return err
			}
		}
		if err := w.apply(ctx, o); err != nil {
			return err
		}
		if o.GetKind() != "Namespace" {
			continue
		}
		_, err := w.api.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "leviathan-secrets"},
			StringData: w.secrets()}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if err := w.besides(ctx); err != nil {
			return err
		}
	}
	return nil
}

// apply applies one object as `kubectl apply --server-side` does.
func (w *world) apply(ctx context.Context, o *unstructured.Unstructured) error {
	resource, err := w.resource(o)
	if err != nil {
		return err
	}
	_, err = resource.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "e2e"})
	if err != nil {
		return fmt.Errorf("applying the %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return nil
}

func (w *world) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	groups, err := restmapper.GetAPIGroupResources(w.api.Discovery())
	if err != nil {
		return nil, err
	}
	kind := o.GroupVersionKind()
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(w.config)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return client.Resource(mapping.Resource).Namespace(o.GetNamespace()), nil
	}
	return client.Resource(mapping.Resource), nil
}

// absent makes sure that nothing is there of what would be applied, and removed
// in the end.
func (w *world) absent(ctx context.Context) error {
	objects, err := render("../overlays/kind")
	if err != nil {
		return err
	}
	for _, o := range objects {
		resource, err := w.resource(o)
		if err != nil {
			return err
		}
		_, err = resource.Get(ctx, o.GetName(), metav1.GetOptions{})
		if err == nil {
			return fmt.Errorf("the cluster of KUBECONFIG has a %s %s already: these tests make their own, and remove it; use a cluster without Leviathan", o.GetKind(), o.GetName())
		}
		if !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// remove takes away what install made.
func (w *world) remove(ctx context.Context) error {
	objects, err := render("../overlays/kind")
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range objects {
		if o.GetNamespace() != "" {
			continue // goes with its namespace
		}
		resource, err := w.resource(o)
		if err == nil {
			err = resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// gatewayReady waits until gateway and spider are ready, by the word of their
// Deployments.
func (w *world) gatewayReady(ctx context.Context) error {
	for _, name := range []string{"leviathan-control-plane", "leviathan-spider"} {
		err := e2e.Eventually(ctx, 2*time.Minute, "the Deployment "+name+" is available", func(ctx context.Context) error {
			d, err := w.api.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
			if err == nil && (d.Status.ObservedGeneration != d.Generation || d.Status.AvailableReplicas != 1) {
				err = fmt.Errorf("%s", conditions(d))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	// A Deployment may not know yet that its container was killed a moment ago.
	return e2e.Eventually(ctx, 2*time.Minute, "the gateway says that it is ready", func(ctx context.Context) error {
		return w.call(ctx, http.MethodGet, "/health/ready", nil, nil)
	})
}

func conditions(d *appsv1.Deployment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d available", d.Status.AvailableReplicas, d.Status.Replicas)
	for _, c := range d.Status.Conditions {
		fmt.Fprintf(&b, "; %s is %s: %s", c.Type, c.Status, c.Message)
	}
	return b.String()
}
