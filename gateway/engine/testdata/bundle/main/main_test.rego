package leviathan.main_test

import data.leviathan.main

test_allows_what_nothing_speaks_against if {
	main.decision.allow with input as {
		"action": "cycle.plan",
		"config": {"values": {"autonomy_enabled": true}},
		"state": {"running": 0},
	}
}

test_denies_an_unknown_action if {
	not main.decision.allow with input as {
		"action": "pull_request.merge",
		"config": {"values": {"autonomy_enabled": true}},
		"state": {"running": 0},
	}
}
