package deploy_test

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// onEKS runs a test on the overlay for EKS.
func onEKS(t *testing.T, test func(*testing.T, *cluster)) {
	t.Helper()
	each(t, func(t *testing.T, c *cluster) {
		if overlayOf(c) == "eks" {
			test(t, c)
		}
	})
}

func TestTheStateOutlivesItsClaim(t *testing.T) {
	onEKS(t, func(t *testing.T, c *cluster) {
		classes := of[*storagev1.StorageClass](c)
		if len(classes) != 1 {
			t.Fatalf("%d StorageClasses", len(classes))
		}
		class, claim := classes[0], named[*corev1.PersistentVolumeClaim](t, c, "leviathan-state")
		if claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName != class.Name {
			t.Errorf("the claim is of the class %v", claim.Spec.StorageClassName)
		}
		if class.ReclaimPolicy == nil || *class.ReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
			t.Error("the journal is deleted with its claim")
		}
		if class.VolumeBindingMode == nil || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer || !is(class.AllowVolumeExpansion, true) {
			t.Error("the volume may be in a zone without a node, or can never grow")
		}
		want := map[string]string{"type": "gp3", "encrypted": "true", "csi.storage.k8s.io/fstype": "ext4"}
		if diff := cmp.Diff(want, class.Parameters); diff != "" || class.Provisioner != "ebs.csi.aws.com" {
			t.Errorf("the volume is of %s: %s", class.Provisioner, diff)
		}
	})
}

var celVariable = regexp.MustCompile(`variables\.([a-z]+)`)

// Whatever runs a pod in the namespace is asked for its images' digests, and
// nothing in another namespace is. What the expressions say is tried on a real
// API server; here it is that they are complete and in force.
func TestUnpinnedImagesAreRefused(t *testing.T) {
	onEKS(t, func(t *testing.T, c *cluster) {
		policy := named[*admissionregistrationv1.ValidatingAdmissionPolicy](t, c, "leviathan-pinned-images").Spec
		if policy.FailurePolicy == nil || *policy.FailurePolicy != admissionregistrationv1.Fail || len(policy.MatchConditions) > 0 {
			t.Error("what cannot be judged is let in")
		}
		both := []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
		asked := map[string]bool{}
		for _, r := range policy.MatchConstraints.ResourceRules {
			if !slices.Equal(r.Operations, both) || !slices.Equal(r.APIVersions, []string{"v1"}) || len(r.APIGroups) != 1 || len(r.ResourceNames) > 0 {
				t.Errorf("asked is %v of %v %v", r.Operations, r.APIGroups, r.APIVersions)
			}
			for _, resource := range r.Resources {
				asked[r.APIGroups[0]+"/"+resource] = true
			}
		}
		if diff := cmp.Diff(map[string]bool{"/pods": true, "apps/deployments": true, "batch/cronjobs": true, "batch/jobs": true}, asked); diff != "" {
			t.Error(diff)
		}
		defined, used := map[string]bool{}, map[string]bool{}
		uses := func(expressions ...string) {
			for _, e := range expressions {
				if e == "" {
					t.Error("an expression is missing")
				}
				for _, m := range celVariable.FindAllStringSubmatch(e, -1) {
					used[m[1]] = true
				}
			}
		}
		for _, v := range policy.Variables {
			uses(v.Expression)
			if defined[v.Name] {
				t.Errorf("%s is there twice", v.Name)
			}
			defined[v.Name] = true
		}
		if len(policy.Validations) != 1 {
			t.Fatalf("%d validations", len(policy.Validations))
		}
		v := policy.Validations[0]
		uses(v.Expression, v.MessageExpression)
		if v.Message == "" {
			t.Error("a refusal has no message when its expression fails")
		}
		if !maps.Equal(defined, used) {
			t.Errorf("defined are %v, used %v", defined, used)
		}
		binding := named[*admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, c, "leviathan-pinned-images").Spec
		if binding.PolicyName != "leviathan-pinned-images" || !slices.Equal(binding.ValidationActions, []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}) {
			t.Errorf("the binding is to %s, and does %v", binding.PolicyName, binding.ValidationActions)
		}
		if m := binding.MatchResources; m == nil || m.NamespaceSelector == nil || !maps.Equal(m.NamespaceSelector.MatchLabels, map[string]string{"kubernetes.io/metadata.name": namespace}) {
			t.Error("it is not for the namespace alone")
		}
	})
}
