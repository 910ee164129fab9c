package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture

test_the_heartbeat_as_it_should_be if {
	question := fixture.heartbeat
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {
		"lease_seconds": 60,
	} with input as question
	delivery.allow == true with input as question
}

test_the_heartbeat_in_another_state if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.heartbeat needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_heartbeat_in_no_state if {
	question := json.remove(fixture.heartbeat, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; attempt.heartbeat needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_evidence_as_it_should_be if {
	question := fixture.evidence
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_the_evidence_in_another_state if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; attempt.evidence needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_evidence_in_no_state if {
	question := json.remove(fixture.evidence, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; attempt.evidence needs it to be proposed or pushed or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_artifact_as_it_should_be if {
	question := fixture.artifact
	fixture.lines(delivery.deny) == [] with input as question
	delivery.obligations == {} with input as question
	delivery.allow == true with input as question
}

test_the_artifact_in_another_state if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "failed"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is failed; artifact.put needs it to be proposed or pushed or reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_artifact_in_no_state if {
	question := json.remove(fixture.artifact, ["/attempt/state"])
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is not known; artifact.put needs it to be proposed or pushed or reserved or running",
	] with input as question
	delivery.allow == false with input as question
}

test_the_evidence_of_one_that_is_reserved if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is reserved; attempt.evidence needs it to be proposed or pushed or running",
	] with input as question
}

test_the_evidence_of_one_that_is_running if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_evidence_of_one_that_is_pushed if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_evidence_of_one_that_is_proposed if {
	question := fixture.changed(fixture.evidence, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_reserved if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_running if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_pushed if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_artifact_of_one_that_is_proposed if {
	question := fixture.changed(fixture.artifact, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_heartbeat_of_one_that_is_reserved if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "reserved"})
	fixture.lines(delivery.deny) == [
		"delivery.state: the attempt is reserved; attempt.heartbeat needs it to be proposed or pushed or running",
	] with input as question
}

test_the_heartbeat_of_one_that_is_running if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "running"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_heartbeat_of_one_that_is_pushed if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "pushed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_the_heartbeat_of_one_that_is_proposed if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "proposed"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_heartbeat_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_heartbeat_just_in_overtime if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/deadline_us": fixture.now_us - 600000000})
	fixture.lines(delivery.deny) == [] with input as question
}

test_a_heartbeat_just_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/deadline_us": fixture.now_us - 600000001})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2026-09-21T14:03:19.999999Z",
	] with input as question
}

test_a_heartbeat_of_no_known_deadline if {
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 1970-01-01T00:00:00Z",
	] with input as json.remove(fixture.heartbeat, ["/attempt/deadline_us"])
}

test_a_heartbeat_of_a_push_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "pushed", "/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [
		"delivery.out_of_time: the attempt's time was over at 2023-11-14T22:13:20Z",
	] with input as question
}

test_a_heartbeat_of_a_proposal_out_of_time if {
	question := fixture.changed(fixture.heartbeat, {"/attempt/state": "proposed", "/attempt/deadline_us": 1700000000000000})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_named_182 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name .",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "."})
}

test_an_artifact_named_183 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name ..",
	] with input as fixture.changed(fixture.artifact, {"/request/name": ".."})
}

test_an_artifact_named_184 if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.artifact, {"/request/name": "a"})
}

test_an_artifact_named_185 if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.artifact, {"/request/name": ".a"})
}

test_an_artifact_named_186 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name A",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "A"})
}

test_an_artifact_named_187 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name a b",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "a b"})
}

test_an_artifact_named_188 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name ",
	] with input as fixture.changed(fixture.artifact, {"/request/name": ""})
}

test_an_artifact_named_189 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name a/b",
	] with input as fixture.changed(fixture.artifact, {"/request/name": "a/b"})
}

test_an_artifact_named_190 if {
	question := fixture.changed(fixture.artifact, {"/request/name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_named_191 if {
	question := fixture.changed(fixture.artifact, {"/request/name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	] with input as question
}

test_an_artifact_named_192 if {
	question := fixture.changed(fixture.artifact, {"/request/name": "-_.0z"})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_without_a_name if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_name: an artifact cannot have the name ?",
	] with input as json.remove(fixture.artifact, ["/request/name"])
}

test_an_artifact_of_a_size_194 if {
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as fixture.changed(fixture.artifact, {"/request/total": 11})
}

test_an_artifact_of_a_size_195 if {
	question := fixture.changed(fixture.artifact, {"/request/offset": -1, "/request/total": 9})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as question
}

test_an_artifact_of_a_size_196 if {
	question := fixture.changed(fixture.artifact, {"/request/size": -1, "/request/total": -1})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as question
}

test_an_artifact_of_a_size_197 if {
	question := fixture.changed(fixture.artifact, {"/request/size": 0, "/request/total": 0})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_of_a_size_198 if {
	question := fixture.changed(fixture.artifact, {"/request/offset": 10485750, "/request/total": 10485760})
	fixture.lines(delivery.deny) == [] with input as question
}

test_an_artifact_of_a_size_199 if {
	question := fixture.changed(fixture.artifact, {"/request/offset": 10485751, "/request/total": 10485761})
	fixture.lines(delivery.deny) == [
		"delivery.artifact_too_large: an artifact has at most 10485760 bytes",
	] with input as question
}

test_an_artifact_of_a_size_200 if {
	fixture.lines(delivery.deny) == [] with input as fixture.changed(fixture.artifact, {"/request/count": 50})
}

test_an_artifact_of_a_size_201 if {
	fixture.lines(delivery.deny) == [
		"delivery.too_many_artifacts: an attempt leaves at most 50 artifacts",
	] with input as fixture.changed(fixture.artifact, {"/request/count": 51})
}

test_an_artifact_without_a_count if {
	fixture.lines(delivery.deny) == [
		"delivery.too_many_artifacts: an attempt leaves at most 50 artifacts",
	] with input as json.remove(fixture.artifact, ["/request/count"])
}
