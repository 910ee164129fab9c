package leviathan.invariants._kube

import rego.v1

# selected are the pods of a resource's scope and namespace that a selector of
# labels finds. An empty one finds none.
selected(r, labels) := {concat("/", [pod.kind, pod.name]) |
	count(labels) > 0
	some pod in all_pods(r.scope)
	pod.namespace == r.namespace
	every key, value in labels {
		pod.labels[key] == value
	}
}

# ports are a Service's, with the container's that each leads to: a name is
# looked up, a number is itself, and nothing is the Service's own.
ports(service, container) := [port |
	some i, declared in list(service.value, ["spec", "ports"])
	port := {
		"path": ["spec", "ports", i],
		"port": get(declared, ["port"], 0),
		"target": get(declared, ["targetPort"], get(declared, ["port"], 0)),
		"reached": [array.concat(container.path, ["ports", j, "containerPort"]) |
			some j, own in list(container.value, ["ports"])
			get(declared, ["targetPort"], get(declared, ["port"], 0)) in {own.containerPort, get(own, ["name"], own.containerPort)}
		],
		"reaches": container_ports(container, get(declared, ["targetPort"], get(declared, ["port"], 0))),
	}
]

# address is the number behind the last colon, 0 if there is none.
address(text) := to_number(found[0][1]) if {
	found := regex.find_all_string_submatch_n(`:([0-9]{1,5})/?$`, text, 1)
	count(found) == 1
} else := 0

# listened is the port at which others reach who listens at an address, 0 where
# nobody does: the loopback is the container's own.
listened(text) := 0 if {
	regex.match(`^(127\.|localhost:|\[::1\]:)`, text)
} else := address(text)

# url is the address of a Service for pods of its namespace.
url(name, port) := sprintf("http://%s:%v", [name, port])

# misdirected are the places where a container does not have a flag once with
# one value.
misdirected(c, name, wanted) := [found.path | some found in flag(c, name); trim_right(found.value, "/") != wanted] if {
	count(told(c, name)) == 1
}

misdirected(c, name, _) := [flag_path(c, name)] if count(told(c, name)) != 1
