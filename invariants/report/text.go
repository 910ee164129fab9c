package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// writeText writes for people: by category, each violation with its place and
// what to do.
func writeText(to io.Writer, r *Report) error {
	w := bufio.NewWriter(to)
	for _, c := range r.Categories {
		switch {
		case c.Verdict == Unknown:
			fmt.Fprintf(w, "%s: could not run: %s\n", c.Name, oneLine(c.Why))
		case len(c.Violations) > 0:
			fmt.Fprintf(w, "%s: %s\n", c.Name, oneLine(c.Title))
		}
		for _, v := range c.Violations {
			fmt.Fprintf(w, "  %s: %s: %s (%s)\n", place(v), v.Severity, oneLine(v.Message), v.Code)
			if v.Remedy != "" {
				fmt.Fprintf(w, "      %s\n", oneLine(v.Remedy))
			}
		}
	}
	if len(r.Off) > 0 {
		fmt.Fprintf(w, "off, as nothing asks for them: %s\n", strings.Join(r.Off, ", "))
	}
	fmt.Fprintf(w, "%s: %s\n", r.Verdict, r.summary())
	return w.Flush()
}
