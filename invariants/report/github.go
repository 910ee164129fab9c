package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"leviathan/gateway"
)

// commands of GitHub's runner, by severity.
var commands = map[gateway.Severity]string{gateway.SeverityError: "error", gateway.SeverityWarning: "warning", gateway.SeverityNote: "notice"}

// data and property escape as the runner's own toolkit does.
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeGitHub writes workflow commands, which the runner shows at the lines of
// a pull request.
func writeGitHub(to io.Writer, r *Report) error {
	w := bufio.NewWriter(to)
	for _, c := range r.Categories {
		if c.Verdict == Unknown {
			fmt.Fprintf(w, "::error title=%s::%s\n", githubProperty.Replace(c.Name), githubData.Replace("could not run: "+c.Why))
		}
		for _, v := range c.Violations {
			fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", commands[v.Severity], githubProperty.Replace(v.File),
				v.Line, v.Column, githubProperty.Replace(v.Code), githubData.Replace(oneLine(v.Message+". "+v.Remedy)))
		}
	}
	return w.Flush()
}
