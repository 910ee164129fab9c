package journal_test

import (
	"testing"

	"leviathan/gateway/journal"
)

// What is told of a verification only grows, and ends at the end of the log.
func TestAVerificationTellsHowFarItIs(t *testing.T) {
	file, key, _, _ := written(t)
	var last, total int64
	rep, err := journal.Verify(t.Context(), file, journal.VerifyOptions{Key: key, Progress: func(done, of int64) {
		if done < last || done > of || total != 0 && of != total {
			t.Errorf("after %d of %d comes %d of %d", last, total, done, of)
		}
		last, total = done, of
	}})
	if err != nil || rep.Problem != nil {
		t.Fatal(err, rep.Problem)
	}
	if last != rep.Records || total != rep.Records || last == 0 {
		t.Errorf("the last that is told is %d of %d, of %d records", last, total, rep.Records)
	}
}
