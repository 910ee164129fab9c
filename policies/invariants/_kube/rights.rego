package leviathan.invariants._kube

import rego.v1

import data.leviathan.invariants._lib as lib

# rights are what a pod's service account may do at the Kubernetes API, one
# line each, such as "create secrets" and "get batch/jobs/NAME", with the place
# that gives it. What holds in the whole cluster begins with "cluster: ", and
# what holds in another namespace with that one's name.
rights(pod) := {{"right": right, "place": grant.place, "bound": _bound(grant, subject), "binding": get(input, ["documents", get(grant, ["binding"], ""), "name"], "")} |
	some subject in [
		sprintf("ServiceAccount/%s/%s", [pod.namespace, pod.service_account]),
		"Group/system:serviceaccounts", concat(":", ["Group/system:serviceaccounts", pod.namespace]), "Group/system:authenticated",
	]
	some grant in input.rbac[pod.scope][subject]
	some right in _rights(grant, _where(grant, pod))
}

# _bound is where the binding of a grant names the subject.
_bound(grant, subject) := lib.at_id(get(grant, ["binding"], ""), found[0], grant.place.file) if {
	found := [sprintf("/subjects/%d", [i]) |
		some i, s in list(input, ["documents", get(grant, ["binding"], ""), "value", "subjects"])
		endswith(subject, concat("", ["/", s.name]))
	]
	count(found) > 0
} else := lib.at_id(get(grant, ["binding"], ""), "/subjects", grant.place.file)

_where(grant, pod) := "" if grant.namespace == pod.namespace

_where(grant, pod) := "cluster: " if {
	grant.namespace == ""
	pod.namespace != ""
}

_where(grant, pod) := concat("", [grant.namespace, ": "]) if not grant.namespace in {"", pod.namespace}

_rights(grant, where) := ({concat("", [where, "everything of the unknown ", grant.role_name]) | not grant.known} | {sprintf("%s%s %s", [where, verb, url]) |
	some verb in grant.verbs
	some url in grant.urls
}) | {sprintf("%s%s %s", [where, verb, concat("/", array.concat(_group(group), array.concat([resource], name)))]) |
	some verb in grant.verbs
	some group in grant.api_groups
	some resource in grant.resources
	some name in _names(grant.resource_names)
}

_group(group) := [group] if group != ""

_group("") := []

_names(names) := [[name] | some name in names] if count(names) > 0

_names([]) := [[]]

# excess are the rights of a pod that are not on a list.
excess(pod, wanted) := {found | some found in rights(pod); not found.right in wanted}

# lacking are the rights on a list that a pod does not have.
lacking(pod, wanted) := {right | some right in wanted; not right in {found.right | some found in rights(pod)}}

# other_accounts are the faults of a pod that does not run as its own service
# account, does not say whether it gets a token of the Kubernetes API, or gets
# one against what is wanted; and of accounts that give one to every pod.
other_accounts(pod, account, token) := union({
	{_fault(pod, array.concat(pod.path, ["serviceAccountName"]), "serviceAccountName", {"what": "does not run as the service account", "field": "serviceAccountName", "wanted": account}) |
		pod.service_account != account
	},
	{_fault(pod, array.concat(pod.path, ["automountServiceAccountToken"]), "automountServiceAccountToken", {
		"what": "does not say rightly whether it gets a token of the Kubernetes API", "field": "automountServiceAccountToken", "wanted": sprintf("%v", [token]),
	}) |
		get(pod.spec, ["automountServiceAccountToken"], null) != token
	},
})

# free_accounts are service accounts of a name whose every pod gets a token.
free_accounts(scope, name) := [r |
	some r in resources(scope, "ServiceAccount", name)
	get(r.value, ["automountServiceAccountToken"], null) != false
]

# secrets are the Secrets that a pod gets something of, with where it says so.
secrets(pod) := [{"secret": get(entry, ["valueFrom", "secretKeyRef", "name"], ""), "key": get(entry, ["valueFrom", "secretKeyRef", "key"], ""), "as": entry.name, "path": array.concat(c.path, ["env", i, "name"])} |
	some c in pod.containers
	some i, entry in list(c.value, ["env"])
	get(entry, ["valueFrom", "secretKeyRef"], null) != null
]

# whole_secrets are those that a pod gets all or files of.
whole_secrets(pod) := array.concat(
	[{"secret": get(from, ["secretRef", "name"], ""), "path": array.concat(c.path, ["envFrom", i])} |
		some c in pod.containers
		some i, from in list(c.value, ["envFrom"])
		get(from, ["secretRef"], null) != null
	],
	array.concat(
		[{"secret": get(volume, ["secret", "secretName"], ""), "path": array.concat(pod.path, ["volumes", i])} |
			some i, volume in list(pod.spec, ["volumes"])
			get(volume, ["secret"], null) != null
		],
		[{"secret": get(source, ["secret", "name"], ""), "path": array.concat(pod.path, ["volumes", i])} |
			some i, volume in list(pod.spec, ["volumes"])
			some source in list(volume, ["projected", "sources"])
			get(source, ["secret"], null) != null
		],
	),
)

# token_faults are what is wrong with the token that a container shows to the
# gateway: a projected one of its service account, for an audience.
token_faults(pod, c, flag_name, audience) := union({
	{_token_fault(pod, flag_path(c, flag_name), flag_name, concat(" ", [flag_name, "names no projected token"])) |
		not _one_token(pod, c, told(c, flag_name))
	},
	{_token_fault(pod, array.concat(token.path, ["audience"]), "audience", "a token is for another audience") |
		some token in _tokens(pod, c)
		token.audience != audience
	},
	{_token_fault(pod, array.concat(token.path, ["expirationSeconds"]), "expirationSeconds", "a token is valid for more than an hour, or less than the ten minutes that Kubernetes asks for") |
		some token in _tokens(pod, c)
		not _short(token.expires)
	},
	{_token_fault(pod, token.mount.at, "readOnly", "the mount of a token can be written") |
		some token in _tokens(pod, c)
		token.mount.read_only != true
	},
})

_token_fault(pod, path, subject, what) := _fault(pod, path, subject, {"what": what})

_one_token(pod, c, told_files) if {
	count(told_files) == 1
	told_files[0] in {token.file | some token in _tokens(pod, c)}
}

_short(seconds) if {
	is_number(seconds)
	seconds >= 600
	seconds <= 3600
}

_tokens(pod, c) := [token |
	some mount in mounts(pod, c)
	some i, volume in list(pod.spec, ["volumes"])
	volume == mount.volume
	some j, source in list(volume, ["projected", "sources"])
	found := get(source, ["serviceAccountToken"], null)
	found != null
	token := {
		"mount": mount, "path": array.concat(pod.path, ["volumes", i, "projected", "sources", j, "serviceAccountToken"]),
		"file": concat("/", [mount.path, get(found, ["path"], "")]), "audience": get(found, ["audience"], ""), "expires": get(found, ["expirationSeconds"], 3600),
	}
]
