package leviathan.custom

import rego.v1

import data.leviathan.reason

# _freezes are the windows in which no new work begins and no pull request is
# opened: on these days, from this hour until before that one, on the clocks of
# that place. An hour of 24 is the day's end.
_freezes := [
	{"zone": "Europe/Berlin", "days": {"Friday"}, "from": 12, "until": 24},
	{"zone": "Europe/Berlin", "days": {"Saturday", "Sunday"}, "from": 0, "until": 24},
]

# What has begun may go on and end.
_frozen_actions := {"cycle.plan", "attempt.start", "pull_request.open"}

# METADATA
# title: A freeze window
# description: No attempt begins and no pull request is opened within a freeze window. The hours are those of the window's own time zone, with its summer time.
# custom:
#   code: custom.frozen
#   message: "it is {day}, {hour}:{minute} in {zone}, and frozen from {from}:00 until {until}:00"
#   remedy: "Wait until the window is over."
deny contains r if {
	input.action in _frozen_actions
	_time_known
	some window in _freezes
	at := [input.time.now_us * 1000, window.zone]
	[hour, minute, _] := time.clock(at)
	day := time.weekday(at)
	day in window.days
	hour >= window.from
	hour < window.until
	r := reason.of(rego.metadata.chain(), {
		"day": day, "hour": sprintf("%02d", [hour]), "minute": sprintf("%02d", [minute]),
		"zone": window.zone, "from": window.from, "until": window.until,
	})
}

# METADATA
# title: Freeze windows need the time
# description: Without the time nobody can say whether a freeze window is open, so that nothing begins.
# custom:
#   code: custom.frozen_unknown
#   message: "the question does not say what time it is"
#   remedy: "Bring gateway and policies to one release."
deny contains r if {
	input.action in _frozen_actions
	not _time_known
	r := reason.fixed(rego.metadata.chain())
}

_time_known if is_number(input.time.now_us)
