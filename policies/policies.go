// Package policies embeds the Rego that decides everything. It owns the
// policies, their tests and the bundle's manifest; it never evaluates them:
// that is gateway/engine.
package policies

import "embed"

// FS holds the bundle as it stands in this folder: the manifest, every policy
// and every test. It is read-only and safe for concurrent use.
//
//go:embed .manifest all:*/*.rego all:*/*/*.rego
var FS embed.FS
