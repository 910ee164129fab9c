# What is asked of one manifest, by whoever asks: each answer is a sentence.
package leviathan.custom.kube

import rego.v1

problems(resource) := union({_of_pod(resource), _of_containers(resource), _of_selector(resource)})

_pod(resource) := resource.spec.template.spec

_containers(resource) := [c | some list in ["initContainers", "containers"]; some c in object.get(_pod(resource), list, [])]

_of_pod(resource) := {problem |
	pod := _pod(resource)
	some [path, want, problem] in [
		[["securityContext", "runAsNonRoot"], true, "the pod may run as root"],
		[["securityContext", "seccompProfile", "type"], "RuntimeDefault", "the pod has no seccomp profile"],
		[["automountServiceAccountToken"], false, "the pod gets a token that it does not need"],
	]
	object.get(pod, path, null) != want
}

_of_containers(resource) := {problem |
	some c in _containers(resource)
	some problem in _of_container(c)
}

_of_container(c) := {sprintf("the container %s %s", [c.name, problem]) |
	some [path, want, problem] in [
		[["securityContext", "allowPrivilegeEscalation"], false, "may gain privileges"],
		[["securityContext", "readOnlyRootFilesystem"], true, "writes to its image"],
		[["securityContext", "capabilities", "drop"], ["ALL"], "keeps capabilities"],
	]
	object.get(c, path, null) != want
} | {sprintf("the container %s is not pinned by digest", [c.name]) | not contains(c.image, "@sha256:")}

_of_selector(resource) := {"the selector matches other pods than the template's" |
	wanted := resource.spec.selector.matchLabels
	labels := resource.spec.template.metadata.labels
	some key, value in wanted
	object.get(labels, key, null) != value
}
