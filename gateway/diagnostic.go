package gateway

import "strconv"

// A Diagnostic is a problem at a place in a file that somebody wrote: a
// config, a backlog, a policy.
type Diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0 if the problem has no line
	Col     int    `json:"col,omitempty"`  // from 1; 0 if the problem has no column
	Message string `json:"message"`
	// Warning marks what is reported and refuses nothing.
	Warning bool `json:"warning,omitempty"`
}

// String is "file:line:col: message", without the parts that are not known.
func (d Diagnostic) String() string {
	place := d.File
	if d.Line > 0 {
		place += ":" + strconv.Itoa(d.Line)
		if d.Col > 0 {
			place += ":" + strconv.Itoa(d.Col)
		}
	}
	kind := ""
	if d.Warning {
		kind = "warning: "
	}
	if place == "" {
		return kind + d.Message
	}
	return place + ": " + kind + d.Message
}
