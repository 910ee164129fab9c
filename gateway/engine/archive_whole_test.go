package engine_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"leviathan/gateway/engine"
)

func TestAnArchiveThatIsNotWholeIsRefused(t *testing.T) {
	data, err := load(t, smallBundle(t)).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(data)
	damaged[len(damaged)-6] ^= 1 // of the checksum
	for name, archive := range map[string][]byte{
		"one byte less":     data[:len(data)-1],
		"no checksum":       data[:len(data)-8],
		"half of it":        data[:len(data)/2],
		"another checksum":  damaged,
		"something behind":  append(slices.Clone(data), "more"...),
		"another behind it": bytes.Repeat(data, 2),
		"nothing":           nil,
	} {
		_, err := engine.LoadBytes(t.Context(), archive, engine.Options{})
		var refused *engine.LoadError
		if !errors.As(err, &refused) || refused.Step != engine.StepRead {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := engine.LoadBytes(t.Context(), data, engine.Options{}); err != nil {
		t.Errorf("the whole archive: %v", err)
	}
}
