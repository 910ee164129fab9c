package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/policies"
)

// engineModule is the policy engine's module, whose version decides with us.
const engineModule = "github.com/open-policy-agent/opa"

// A build is what this binary was made of.
type build struct {
	Version        string `json:"version"`
	Commit         string `json:"commit,omitempty"`
	Modified       bool   `json:"modified,omitempty"` // the tree had uncommitted changes
	GoVersion      string `json:"go_version"`
	OPAVersion     string `json:"opa_version"`
	PolicyRevision string `json:"policy_revision"`
	PolicyDigest   string `json:"policy_digest"`
}

func (o operator) version() *cobra.Command {
	var out format
	cmd := &cobra.Command{Use: "version", Short: "The release, and what it was built with", Args: cobra.NoArgs}
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		bundle, err := engine.LoadFS(cmd.Context(), policies.FS, engine.Options{Tested: true})
		if err != nil {
			return cannotLoad(cmd, embeddedDir, err)
		}
		b := build{Version: gateway.Version, OPAVersion: "unknown", PolicyRevision: bundle.Revision(), PolicyDigest: bundle.Digest()}
		if info, ok := debug.ReadBuildInfo(); ok {
			b.read(info)
		}
		return out.show(cmd, b, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "leviathan %s\nbuilt with %s, OPA %s\npolicies %s, %s\n", b.Version, b.GoVersion, b.OPAVersion, b.PolicyRevision, b.PolicyDigest)
			return err
		})
	}
	return cmd
}

func (b *build) read(info *debug.BuildInfo) {
	b.GoVersion = info.GoVersion
	for _, m := range info.Deps {
		if m.Path == engineModule {
			b.OPAVersion = m.Version
			if m.Replace != nil {
				b.OPAVersion = m.Replace.Version
			}
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}
