package repository

import "time"

// Limits bound what one push may cost and how much is kept of refused ones.
// A zero field means the default that stands beside it.
type Limits struct {
	// MaxPackBytes is the size of the pack as it arrives; 64 MiB.
	MaxPackBytes int64
	// MaxInflatedBytes is the sum of the sizes of all objects in the pack,
	// deltas counted with their result; 1 GiB.
	MaxInflatedBytes int64
	// MaxObjectBytes is the size of one object, inflated; 64 MiB.
	MaxObjectBytes int64
	// MaxObjects is the number of objects in the pack; 200,000.
	MaxObjects int
	// MaxChanges is the number of changed paths; 10,000.
	MaxChanges int
	// StoreBytes is the size of the store of refused pushes; 1 GiB.
	StoreBytes int64
	// StoreAge is how long a refused push is kept; 30 days.
	StoreAge time.Duration
}

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// withDefaults fills in the fields that are zero or negative.
func (l Limits) withDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.MaxPackBytes, 64*mebibyte)
	set(&l.MaxInflatedBytes, gibibyte)
	set(&l.MaxObjectBytes, 64*mebibyte)
	set(&l.StoreBytes, gibibyte)
	if l.MaxObjects <= 0 {
		l.MaxObjects = 200_000
	}
	if l.MaxChanges <= 0 {
		l.MaxChanges = 10_000
	}
	if l.StoreAge <= 0 {
		l.StoreAge = 30 * 24 * time.Hour
	}
	return l
}
