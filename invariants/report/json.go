package report

import (
	"encoding/json"
	"io"
)

// writeJSON writes the Report itself.
func writeJSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
