package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/openapi"
	"leviathan/gateway/server"
)

const madeBy = "<!-- Made by `make docs` from what it describes. Do not edit. -->\n\n"

// openAPI is the document of the HTTP routes for machines, with the comments of
// the source's types.
func openAPI(source fs.FS) ([]byte, error) {
	doc, err := server.Describe()
	if err != nil {
		return nil, fmt.Errorf("describing the routes: %w", err)
	}
	doc.Comments = openapi.Comments{}
	for _, folder := range []string{"gateway", "gateway/engine", "gateway/journal", "gateway/server"} {
		sub, err := fs.Sub(source, folder)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", folder, err)
		}
		comments, err := openapi.ReadComments(sub)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
		maps.Copy(doc.Comments, comments)
	}
	return doc.YAML()
}

// routesOf is the page of the HTTP routes.
func routesOf(routes []server.RouteInfo, kinds []gateway.Kind) []byte {
	var b bytes.Buffer
	b.WriteString("# HTTP routes\n\n" + madeBy)
	b.WriteString("`Authorization: Bearer TOKEN`; git also sends the token as the password of basic authentication. Every route with an action asks the\n" +
		"policy about it, with the role of the token: see the rules of `leviathan.access` in [policies.md](policies.md). *any* is the action that the question\n" +
		"names. Bodies and answers are JSON; times are RFC 3339 UTC with microseconds; lists page with `limit` and `page_token`.\n\n")
	b.WriteString("| method | path | action | what it does |\n| --- | --- | --- | --- |\n")
	for _, r := range routes {
		action := "`" + r.Action + "`"
		switch r.Action {
		case "":
			action = "open"
		case "any":
			action = "any"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", r.Method, r.Path, action, r.Summary)
	}
	b.WriteString("\nErrors are `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, `field`, `decision_id`, `reasons` and `retry_after`.\n\n")
	b.WriteString("| kind | status | title |\n| --- | --- | --- |\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", k, k.Status(), k.Title())
	}
	return b.Bytes()
}

// codesOf is the page of every code that a decision may carry.
func codesOf(codes, failures []engine.Code) []byte {
	var b bytes.Buffer
	b.WriteString("# Codes of decisions\n\n" + madeBy)
	b.WriteString("Every reason against something has one of these codes. The texts stand once, in the METADATA of the rule that gives the reason.\n")
	section := ""
	all := slices.Concat(codes, failures)
	slices.SortFunc(all, func(a, b engine.Code) int { return strings.Compare(a.Code, b.Code) })
	for _, c := range all {
		if name, _, _ := strings.Cut(c.Code, "."); name != section {
			section = name
			fmt.Fprintf(&b, "\n## %s\n", section)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s. %s\n\n- says: %s\n- do: %s\n", c.Code, strings.TrimSuffix(c.Title, "."), oneLine(c.Description), oneLine(c.Message), oneLine(c.Remedy))
		if c.File != "" {
			fmt.Fprintf(&b, "- rule: [`%s`](../policies/%s)\n", c.Package, c.File)
		}
	}
	return b.Bytes()
}

// oneLine joins the lines of a text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
