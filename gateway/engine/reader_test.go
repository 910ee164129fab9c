package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"leviathan/gateway/engine"
)

// What is not JSON is refused, and what is reads as encoding/json reads it.
func FuzzPart(f *testing.F) {
	for _, seed := range []string{
		`null`, ` [ 1 , -2.50e+3,true,false , null ] `, `{"a":{"b":[{}]},"a":2}`, `{"":"","a\u0062":1,"ab":2}`, `"\ud83d\ude00 \ud800 \"\\\/"`,
		"\"\xff\"", "{\"\xff\":1,\"\xfe\":2}", `{"\ue000":1,"😀":{"\ue000":[],"😀":2}}`, `{`, `[1,]`, `1 2`, ``, `01`, `"` + "\n" + `"`, `[1e999]`, `nul`, `{"a" : "b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		part, err := engine.NewPart("part", json.RawMessage(text))
		var want any
		decoder := json.NewDecoder(bytes.NewReader(text))
		if json.Valid(text) {
			if wrong := decoder.Decode(&want); wrong != nil {
				if err == nil {
					t.Fatalf("%q is read as %s, against %v", text, part.JSON, wrong)
				}
				return // a number beyond what a double can hold
			}
		} else if err == nil {
			t.Fatalf("%q is read as %s", text, part.JSON)
		}
		if err != nil {
			return
		}
		again, err := engine.NewPart("part", want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(part.JSON, again.JSON) {
			t.Fatalf("%q is read as %s, want %s", text, part.JSON, again.JSON)
		}
	})
}

func TestTheLastOfEqualKeysCounts(t *testing.T) {
	many := "{" + strings.Repeat(`"a":1,"b":2,`, 20) + `"a":{"x":1},"b":3}`
	for text, want := range map[string]string{
		`{"a":1,"b":2,"a":3}`:      `{"a":3,"b":2}`,
		`{"a":1,"\u0061":2}`:       `{"a":2}`,
		`[{"a":1,"a":1},{"a":[]}]`: `[{"a":1},{"a":[]}]`,
		many:                       `{"a":{"x":1},"b":3}`,
	} {
		p, err := engine.NewPart("part", json.RawMessage(text))
		if err != nil || string(p.JSON) != want {
			t.Errorf("%s: %s, %v; want %s", text, p.JSON, err, want)
		}
	}
}

// Keys that OPA sorts otherwise than RFC 8785 cost no more at any depth.
func TestDeepKeysInAnotherOrder(t *testing.T) {
	const depth = 64
	text := strings.Repeat("{\"\ue000\":", depth) + "0" + strings.Repeat(",\"\U0001F600\":1}", depth)
	want := strings.Repeat("{\"\U0001F600\":1,\"\ue000\":", depth) + "0" + strings.Repeat("}", depth)
	p, err := engine.NewPart("part", json.RawMessage(text))
	if err != nil || string(p.JSON) != want {
		t.Errorf("%s, %v", p.JSON, err)
	}
}

func TestPartKeepsTheErrorOfTheValue(t *testing.T) {
	if _, err := engine.NewPart("part", failing{}); !errors.Is(err, errFailing) {
		t.Errorf("got %v", err)
	}
}

var errFailing = errors.New("no JSON today")

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errFailing }
