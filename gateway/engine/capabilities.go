package engine

import (
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// unmarked builtins depend on something outside the input although OPA does
// not mark them so: a certificate is verified against the current time, and
// one of the signature versions is randomized.
var unmarked = []string{
	"crypto.x509.parse_and_verify_certificates",
	"crypto.x509.parse_and_verify_certificates_with_options",
	"providers.aws.sign_req",
}

// hermetic is what a policy may use: every builtin whose result follows from
// its arguments, and no network. Parser, compiler and tester get the same.
func hermetic() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool { return forbidden(b) })
	caps.AllowNet = []string{} // nil would mean any host
	return caps
}

// forbidden reports whether the builtin's result may differ between two
// evaluations of the same input.
func forbidden(b *ast.Builtin) bool {
	return b.Nondeterministic || slices.Contains(unmarked, b.Name)
}

// Builtins names what a policy may call, sorted; for the documentation.
func Builtins() []string {
	var names []string
	for _, b := range hermetic().Builtins {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return names
}

var undefinedFunction = regexp.MustCompile(`undefined function (\S+)`)

// explain adds to a compiler's "undefined function" that the function exists
// and is left out on purpose.
func explain(message string) string {
	m := undefinedFunction.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	b, ok := ast.BuiltinMap[strings.TrimSuffix(m[1], ":")]
	if !ok || !forbidden(b) {
		return message
	}
	return message + ": " + b.Name + " is forbidden, because its result would not follow from the input alone"
}
