package release04

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What Python 3 writes with json.dumps(json.loads(text), sort_keys=True,
// separators=(",", ":")).
func TestDocumentsAreWrittenAsPythonWritesThem(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":1,"a":{"d":[],"c":{}}}`: `{"a":{"c":{},"d":[]},"b":1}`,
		`1.0`:                         `1.0`,
		`-0`:                          `0`,
		`-0.0`:                        `-0.0`,
		`1e5`:                         `100000.0`,
		`1e15`:                        `1000000000000000.0`,
		`1e16`:                        `1e+16`,
		`123456789012345678`:          `123456789012345678`,
		`1.5e300`:                     `1.5e+300`,
		`0.0001`:                      `0.0001`,
		`0.00001`:                     `1e-05`,
		`1.25e-7`:                     `1.25e-07`,
		`0.1`:                         `0.1`,
		`1e400`:                       `Infinity`,
		`-1e400`:                      `-Infinity`,
		`1e-400`:                      `0.0`,
		`"\u007f\u0080é€😀"`:           `"\u007f\u0080\u00e9\u20ac\ud83d\ude00"`,
		`"\/\b\f\n\r\t\u0001'<&>"`:    `"/\b\f\n\r\t\u0001'<&>"`,
		`[true,false,null]`:           `[true,false,null]`,
	} {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		var w bytes.Buffer
		if err := canonical(&w, v); err != nil || w.String() != want {
			t.Errorf("%s is written as %s, %v, want %s", text, w.String(), err, want)
		}
	}
}
