package replay_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/plugins/logs"
)

// decodeLogEvent reads an event with the type that OPA's own decision log
// has: a key that it does not know is an error.
func decodeLogEvent(t *testing.T, line []byte) logs.EventV1 {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var event logs.EventV1
	if err := dec.Decode(&event); err != nil {
		t.Fatal(err)
	}
	return event
}
