package leviathan.custom

import rego.v1

import data.leviathan.reason

# _hourly is how many attempts of a target may be reserved within an hour; below
# 256, for so many of the last reservations are told.
_hourly := 12

_hour_us := 3600 * 1000000

# METADATA
# title: The hourly rate is used up
# description: Within any hour no more attempts are reserved than the rate allows. A reservation leaves the count an hour after it was made.
# custom:
#   code: custom.hourly_rate
#   message: "{used} attempts were reserved in the last hour, the rate is {rate}"
#   remedy: "Wait; the oldest of them leaves the count at {free}."
room contains {"left": _hourly - count(_last_hour), "reason": r} if {
	input.action == "cycle.plan"
	r := reason.of(rego.metadata.chain(), {"used": count(_last_hour), "rate": _hourly, "free": _free})
}

# METADATA
# title: The hourly rate needs the last reservations
# description: Without the time, or the times of the last reservations, nobody can say how many an hour saw.
# custom:
#   code: custom.hourly_rate_unknown
#   message: "the question does not say when the last attempts were reserved"
#   remedy: "Bring gateway and policies to one release."
deny contains r if {
	input.action == "cycle.plan"
	not _reservations_known
	r := reason.fixed(rego.metadata.chain())
}

_reservations_known if {
	is_number(input.time.now_us)
	is_array(input.state.reserved_us)
	every us in input.state.reserved_us {
		is_number(us)
	}
}

# Those with a time to come count too: the clock went back.
_last_hour := [us | some us in input.state.reserved_us; us > input.time.now_us - _hour_us]

default _free := "no time"

_free := time.format((min(_last_hour) + _hour_us) * 1000) if count(_last_hour) > 0
