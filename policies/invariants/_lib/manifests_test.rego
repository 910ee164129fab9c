package leviathan.invariants._lib_test

import rego.v1

import data.leviathan.invariants._lib as lib

_file(id, kind) := {
	"id": id, "file": split(id, "#")[0], "kind": kind, "api_version": "v1", "name": "n", "namespace": "", "value": {}, "within": null,
	"at": {"": [1, 1]},
}

_tree := {
	"documents": {
		"base/a.yaml#0": _file("base/a.yaml#0", "Service"), "base/patch.yaml#0": _file("base/patch.yaml#0", "Service"),
		"extra/b.yaml#0": _file("extra/b.yaml#0", "Service"), "extra/p.yaml#0": _file("extra/p.yaml#0", "Service"),
		"base/a.yaml#1": object.union(_file("base/a.yaml#1", "Service"), {"within": {"document": "x"}}),
		"k.yaml#0": _file("k.yaml#0", "Component"),
	},
	"kinds": {"": ["z"], "Component": ["k.yaml#0"], "Service": ["base/a.yaml#0", "base/a.yaml#1", "base/patch.yaml#0", "extra/b.yaml#0", "extra/p.yaml#0"]},
	"rendered": {
		"base": {
			"file": "base/kustomization.yaml", "kind": "Kustomization", "ok": true, "names": {"base/a.yaml": "resources", "base/patch.yaml": "patches"},
			"reads": ["base/a.yaml", "base/kustomization.yaml", "base/patch.yaml"], "documents": [{"document": "base/a.yaml#0", "kind": "Service"}],
		},
		"extra": {
			"file": "extra/kustomization.yaml", "kind": "Component", "ok": false, "names": {"extra/b.yaml": "resources", "extra/p.yaml": "patches"},
			"reads": [], "documents": [],
		},
	},
	"workloads": {
		"base": [{"name": "w", "place": {"file": "base/a.yaml"}}],
		"source": [{"name": "v", "place": {"file": "base/a.yaml"}}, {"name": "x", "place": {"file": "extra/b.yaml"}}, {"name": "y", "place": {"file": "extra/p.yaml"}}],
	},
}

test_what_is_applied_is_rendered_or_read_by_nobody if {
	[[r.scope, r.document, r.file] | some r in lib.applied] == [["base", "base/a.yaml#0", "base/kustomization.yaml"], ["source", "extra/b.yaml#0", "extra/b.yaml"]] with input as _tree
	[w.name | some w in lib.workloads] == ["w", "x"] with input as _tree
}

test_an_overlay_is_composed_of_kustomizations if {
	lib.composed(_tree.rendered.base) == {"base"} with input as _tree
	lib.component("extra/b.yaml") == "extra" with input as _tree
	not lib.component("base/a.yaml") with input as _tree
	lib.resource_place({"document": "extra/b.yaml#0", "file": "k"}, "/x").file == "extra/b.yaml" with input as _tree
}

test_paths_are_taken_apart if {
	lib.folder("a/b/c.yaml") == "a/b"
	lib.folder("c.yaml") == "."
	lib.base("a/b/c.yaml") == "c.yaml"
	lib.in_folders("a/b.yaml", [])
	lib.in_folders("a/b.yaml", ["x", "a/"])
	not lib.in_folders("ab/b.yaml", ["a"])
}

test_addresses_are_taken_apart if {
	lib.url_host("http://user@gate.apps:80/x") == "gate.apps"
	lib.url_port("http://gate:8000/x") == "8000"
	lib.url_port("https://gate/x:1") == "443"
	lib.url_port("http://gate") == "80"
}

test_groups_of_kubernetes_are_known if {
	every group in ["v1", "apps/v1", "networking.k8s.io/v1"] {
		lib.own_group(group)
	}
	not lib.own_group("monitoring.coreos.com/v1")
}
