package journal_test

import (
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func TestProofs(t *testing.T) {
	j := open(t, t.TempDir(), newClock())
	const n = 1400 // five tiles and a rest
	leaves := make([][32]byte, n+1)
	roots := map[int64][32]byte{}
	at := map[int]bool{1: true, 2: true, 255: true, 256: true, 257: true, 700: true, 1024: true, 1025: true, 1300: true, n: true}
	for i := 1; i <= n; {
		commit(t, j, func(tx *journal.Tx) error {
			for {
				a, err := tx.Append(journal.NewEvent("x", journal.GatewayStarted{}))
				if err != nil {
					return err
				}
				leaves[i] = a.Leaf
				if i++; at[i-1] {
					return nil
				}
			}
		})
		signed, err := j.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := journal.ParseCheckpoint(signed, nil)
		if err != nil {
			t.Fatal(err)
		}
		roots[c.Size] = c.Root
	}
	if len(roots) != len(at) {
		t.Fatalf("%d roots", len(roots))
	}
	for size, root := range roots {
		for _, seq := range []int64{1, 2, size/2 + 1, size} {
			if seq > size {
				continue
			}
			proof, err := j.InclusionProof(t.Context(), seq, size)
			if err != nil {
				t.Fatalf("record %d of %d: %v", seq, size, err)
			}
			if err := journal.CheckInclusion(proof, size, root, seq, leaves[seq]); err != nil {
				t.Error(err)
			}
			if err := journal.CheckInclusion(proof, size, root, seq, leaves[seq%n+1]); err == nil {
				t.Errorf("record %d of %d: another leaf is proved", seq, size)
			}
			if size > 1 && journal.CheckInclusion(proof, size, root, seq%size+1, leaves[seq]) == nil {
				t.Errorf("record %d of %d: another place is proved", seq, size)
			}
		}
		for old, was := range roots {
			if old > size {
				continue
			}
			proof, err := j.ConsistencyProof(t.Context(), old, size)
			if err != nil {
				t.Fatalf("%d in %d: %v", old, size, err)
			}
			if err := journal.CheckConsistency(proof, size, root, old, was); err != nil {
				t.Error(err)
			}
			was[3] ^= 1
			if err := journal.CheckConsistency(proof, size, root, old, was); err == nil {
				t.Errorf("%d in %d: another root is proved", old, size)
			}
		}
	}
	for _, bad := range [][2]int64{{0, 5}, {6, 5}, {1, n + 1}, {1, 0}, {-1, -1}} {
		if _, err := j.InclusionProof(t.Context(), bad[0], bad[1]); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("record %d of %d: %v", bad[0], bad[1], err)
		}
		if _, err := j.ConsistencyProof(t.Context(), bad[0], bad[1]); gateway.KindOf(err) != gateway.Invalid {
			t.Errorf("%d in %d: %v", bad[0], bad[1], err)
		}
	}
}
