package leviathan.limits

import rego.v1

# not_before is when a task may be tried again, in microseconds.
not_before(failures, last_us) := last_us + (1000000 * doubled(backoff_base, failures, backoff_max))

# doubled is how many seconds follow the nth time: base·2^(n−1), at most the
# maximum. There is no jitter, because a decision must come out the same when it
# is replayed.
doubled(base, n, maximum) := min({maximum, base * bits.lsh(1, min({n - 1, _doublings}))})

# Doubling the smallest base this often is beyond every maximum.
_doublings := 30
