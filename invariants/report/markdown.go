package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// cell makes text safe inside a table of Markdown.
var cell = strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "`", "'")

// writeMarkdown writes a summary, such as GitHub shows of a job.
func writeMarkdown(to io.Writer, r *Report) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "## Invariants: %s\n\n%s.\n\n| category | verdict | errors and warnings |\n| --- | --- | --- |\n", r.Verdict, r.summary())
	for _, c := range r.Categories {
		fmt.Fprintf(w, "| %s | %s | %d |\n", cell.Replace(c.Name), c.Verdict, len(c.Violations))
	}
	if len(r.Off) > 0 {
		fmt.Fprintf(w, "\nOff, as nothing asks for them: %s.\n", strings.Join(r.Off, ", "))
	}
	for _, c := range r.Categories {
		if c.Verdict == Unknown {
			fmt.Fprintf(w, "\n**%s** could not run: %s\n", cell.Replace(c.Name), cell.Replace(oneLine(c.Why)))
		}
	}
	if len(r.Violations()) > 0 {
		fmt.Fprint(w, "\n| place | code | what | what to do |\n| --- | --- | --- | --- |\n")
	}
	for _, v := range r.Violations() {
		fmt.Fprintf(w, "| `%s` | `%s` | %s | %s |\n", cell.Replace(place(v)), v.Code, cell.Replace(oneLine(v.Message)), cell.Replace(oneLine(v.Remedy)))
	}
	return w.Flush()
}
