package repository_test

import (
	"fmt"
	"testing"
)

// Git answers a fetch that tells of a commit and of its parent with two
// acknowledgements. Which order they are told in is open, so this goes round
// often enough to see both.
func TestFetchWithAPinnedParent(t *testing.T) {
	w := newWorld(t)
	for i := range 8 {
		if err := w.m.Pin("attempt", w.head()); err != nil {
			t.Fatal(err)
		}
		for j := range 2 {
			want := w.commit(w.seed, "more", map[string]string{"more.txt": fmt.Sprint(i, j)})
			w.run(w.seed, "push", "-q", w.upstream, "HEAD:main")
			w.fetch()
			if got := w.head(); got != want {
				t.Fatalf("round %d: the mirror is at %s, the upstream at %s", i, got, want)
			}
		}
	}
	w.fsck(w.dir)
}
