# METADATA
# title: Manifests
# description: What is asked of each manifest.
# custom:
#   needs: [workloads]
package leviathan.invariants.bench

import rego.v1

import data.leviathan.custom.kube
import data.leviathan.invariants._lib as lib

# METADATA
# title: A manifest is not sound
# description: A manifest breaks one of the rules.
# custom:
#   code: bench.unsound
#   message: "{problem}"
#   remedy: "Correct the manifest."
deny contains v if {
	some document in input.documents
	some problem in kube.problems(document.value)
	v := lib.violation(rego.metadata.chain(), lib.at(document, ""), {"problem": problem, "subject": document.name})
}
