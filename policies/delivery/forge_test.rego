package leviathan.delivery_test

import rego.v1

import data.leviathan.delivery
import data.leviathan.fixture_test as fixture
import data.leviathan.main

# _safe is what is seen of a repository with nothing to say against.
_safe := {
	"known": true, "reason": "", "age_seconds": 60, "credential": "app", "protected": "yes", "review_required": "yes",
	"can_merge": "no", "administers": "no", "extra": [], "exposed": [],
}

_workflow := {"file": "ci.yml", "event": "push", "why": "it uses secrets"}

_on_forge(question, probe) := object.union(question, {"forge": object.union(fixture.plan.forge, {"probe": probe})})

_with(field, value) := _on_forge(fixture.plan, object.union(_safe, {field: value}))

_warned(question) := {r.code | some r in warnings} if {
	warnings := delivery.warnings with input as question
}

_refused(question) := {r.code | some r in reasons} if {
	reasons := delivery.settings with input as question
}

_allowed(question) if {
	d := main.decision with input as question
	d.allow
}

test_a_repository_without_settings_has_no_weakness if {
	every question in [fixture.plan, fixture.push, _on_forge(fixture.plan, null), _on_forge(fixture.plan, _safe), _on_forge(fixture.push, _safe)] {
		_warned(question) == set()
		_refused(question) == set()
		_allowed(question)
	}
}

test_a_credential_that_administers_denies_new_work_as_shipped if {
	every answer in ["yes", "unknown", 7, null] {
		question := _with("administers", answer)
		_refused(question) == {"delivery.forge_administers"}
		_warned(question) == set()
		not _allowed(question)
	}
	_allowed(_on_forge(fixture.push, object.union(_safe, {"administers": "yes"})))
}

test_a_personal_token_whose_owner_administers_is_a_warning_as_shipped if {
	question := _on_forge(fixture.plan, object.union(_safe, {"administers": "yes", "credential": "token"}))
	_warned(question) == {"delivery.owner_administers", "delivery.personal_token"}
	_refused(question) == set()
	_allowed(question)
	"the owner of the gateway's personal token can administer the repository: yes" in {r.message | some r in delivery.weaknesses with input as question}
}

test_the_other_weaknesses_are_warnings_as_shipped if {
	every field, values in {
		"review_required": {"delivery.unprotected_branch": ["no", "unknown", true]},
		"credential": {"delivery.personal_token": ["token", "", null]},
		"extra": {"delivery.extra_permissions": [["workflows: write"], null, "x"]},
		"exposed": {"delivery.ci_exposed": [[_workflow], null, "x", {}]},
	} {
		some code, wrong in values
		every value in wrong {
			_warned(_with(field, value)) == {code}
			_refused(_with(field, value)) == set()
			_allowed(_with(field, value))
		}
	}
}

test_what_the_probe_does_not_say_is_a_weakness if {
	every field, code in {
		"administers": "delivery.forge_administers", "review_required": "delivery.unprotected_branch", "credential": "delivery.personal_token",
		"extra": "delivery.extra_permissions", "exposed": "delivery.ci_exposed",
	} {
		question := _on_forge(fixture.plan, object.remove(_safe, [field]))
		_warned(question) | _refused(question) == {code}
	}
}

test_the_plan_says_the_warnings if {
	d := main.decision with input as _with("credential", "token")
	d.allow
	[r.message | some r in d.obligations.warnings] == ["GitHub is spoken to by a personal token"]
	safe := main.decision with input as _on_forge(fixture.plan, _safe)
	not safe.obligations.warnings
	other := main.decision with input as _on_forge(fixture.push, object.union(_safe, {"exposed": [_workflow]}))
	other.obligations == {}
}

test_a_weakness_says_what_was_seen if {
	texts := {r.message |
		some field, value in {"extra": ["workflows: write", "admin:org"], "exposed": [_workflow], "review_required": "no", "administers": "yes"}
		some r in delivery.weaknesses with input as _with(field, value)
	}
	texts == {
		"the gateway's credential has permissions that it does not need: workflows: write, admin:org",
		"workflow ci.yml, on push, would run an agent's branch before review: it uses secrets",
		"a merge into the target branch needs an approving review: no",
		"the gateway's credential has the permission administration: yes",
	}
}

test_each_exposed_workflow_is_a_reason if {
	question := _with("exposed", [_workflow, {"file": "b.yml", "event": "create", "why": "w"}])
	count(delivery.warnings) == 2 with input as question
}

# The line that an operator edits.
_strict := {"delivery.forge_administers", "delivery.ci_exposed"}

test_an_operator_has_exposed_workflows_deny if {
	exposed := object.union(_safe, {"exposed": [_workflow]})
	every question in [fixture.plan, fixture.push] {
		d := main.decision with input as _on_forge(question, exposed) with delivery._denying as _strict
		not d.allow
		{r.code | some r in d.reasons} == {"delivery.ci_exposed"}
		safe := main.decision with input as _on_forge(question, _safe) with delivery._denying as _strict
		safe.allow
		local := main.decision with input as question with delivery._denying as _strict
		local.allow
	}
	heartbeat := main.decision with input as _on_forge(fixture.heartbeat, exposed) with delivery._denying as _strict
	heartbeat.allow
}

test_where_exposed_workflows_deny_unknown_ones_do_too if {
	every probe in [{"known": false, "reason": "r"}, object.union(_safe, {"known": false}), object.remove(_safe, ["exposed"]), "x"] {
		d := main.decision with input as _on_forge(fixture.push, probe) with delivery._denying as _strict
		not d.allow
		[r.message | some r in d.reasons] == ["workflow ?, on ?, would run an agent's branch before review: which workflows there are is not known"]
	}
}

test_a_push_asked_by_hand_runs_no_workflow if {
	question := object.union(json.remove(_on_forge(fixture.push, object.union(_safe, {"exposed": [_workflow]})), ["/push"]), {"resource": {"properties": {"changes": []}}})
	_warned(question) == set()
}

test_an_operator_has_nothing_deny if {
	d := main.decision with input as _with("administers", "yes") with delivery._denying as set()
	d.allow
	[r.code | some r in d.obligations.warnings] == ["delivery.forge_administers"]
}

test_a_weakness_says_that_something_was_not_seen if {
	texts := {r.message |
		some field, kept in {"administers": {}, "review_required": {}, "extra": {}, "credential": {"administers": "yes"}}
		some r in delivery.weaknesses with input as _on_forge(fixture.plan, object.union(object.remove(_safe, [field]), kept))
	}
	personal := {r.message |
		some r in delivery.weaknesses with input as _on_forge(fixture.plan, object.union(object.remove(_safe, ["administers"]), {"credential": "token"}))
	}
	texts | personal == {
		"the gateway's credential has the permission administration: unknown",
		"the gateway's credential has the permission administration: yes",
		"the owner of the gateway's personal token can administer the repository: unknown",
		"a merge into the target branch needs an approving review: unknown",
		"the gateway's credential has permissions that it does not need: not known",
		"GitHub is spoken to by a personal token",
	}
}
