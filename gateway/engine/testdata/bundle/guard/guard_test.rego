package leviathan.guard_test

import data.leviathan.guard

test_denies_when_switched_off if {
	"guard.switched_off" in _codes({"config": {"values": {"autonomy_enabled": false}}, "state": {"running": 0}})
}

test_denies_when_full if {
	_codes({"config": {"values": {"autonomy_enabled": true}}, "state": {"running": 2}}) == {"limits.running"}
}

test_says_nothing_when_fine if {
	_codes({"config": {"values": {"autonomy_enabled": true}}, "state": {"running": 1}}) == set()
}

_codes(asked) := {reason.code | some reason in guard.deny with input as asked}
