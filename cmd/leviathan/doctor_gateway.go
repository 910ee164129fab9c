package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"leviathan/gateway"
)

// checkGateway asks a running gateway for its health, then, with a token, for
// what keeps it from working.
func checkGateway(ctx context.Context, cmd *cobra.Command, conn *connection) []finding {
	const check topic = "gateway"
	const start = "start it with `leviathan up` or `leviathan gateway`, or name another with --gateway"
	options := gateway.ClientOptions{MaxTries: 1, Timeout: doctorTimeout / 2}
	url, named := conn.address()
	anybody, err := gateway.NewClient(url, "", options)
	if err != nil {
		return []finding{check.fail("address from "+named+": "+err.Error(), "correct --gateway or $"+gatewayVariable)}
	}
	if err := anybody.Health(ctx); err != nil {
		return []finding{check.warn(fmt.Sprintf("%s does not answer: %v", anybody.URL(), err), start)}
	}
	findings := []finding{check.ok("%s answers", anybody.URL())}
	token, from, err := conn.findToken(cmd.InOrStdin())
	if errors.Is(err, errNoToken) {
		return append(findings, topic("token").warn(err.Error(), "name its file with --token-file, or the gateway's state folder with --state"))
	}
	if err != nil {
		return append(findings, topic("token").fail(err.Error(), "name a readable file with --token-file"))
	}
	client, err := gateway.NewClient(url, token, options)
	if err != nil {
		return append(findings, topic("token").fail(from+": "+err.Error(), "write the token alone into the file"))
	}
	st, err := client.Status(ctx)
	switch {
	case errors.Is(err, gateway.ErrUnauthenticated), errors.Is(err, gateway.ErrDenied):
		return append(findings, topic("token").fail(fmt.Sprintf("the gateway does not take the token from %s: %v", from, err),
			"use the operator's token, or make one with `leviathan token create --role reader`"))
	case err != nil:
		return append(findings, check.fail(fmt.Sprintf("the status cannot be had: %v", err), "see the gateway's log"))
	}
	findings = append(findings, topic("token").ok("the token from %s is good", from))
	return append(findings, checkStatus(st)...)
}

// checkStatus reads what a gateway says of itself.
func checkStatus(st gateway.Status) []finding {
	var findings []finding
	if st.Version != gateway.Version {
		findings = append(findings, topic("gateway").warn(fmt.Sprintf("it is release %s, this is %s", orDash(st.Version), gateway.Version), "use one release for both"))
	}
	if st.Clock != "ok" {
		findings = append(findings, topic("clock").fail(orDash(st.Clock), "set the clock right; or, when it is right, `leviathan clock accept --reason TEXT`"))
	} else {
		findings = append(findings, topic("clock").ok("not behind the last record"))
	}
	if st.PolicyProblem != "" {
		findings = append(findings, topic("policy").fail(st.PolicyProblem, "correct the policies; check them with `leviathan policy test DIR`"))
	} else {
		findings = append(findings, topic("policy").ok("revision %s is active", orDash(st.PolicyRevision)))
	}
	findings = append(findings, checkSwitch(st.KillSwitch))
	for _, t := range st.Targets {
		findings = append(findings, checkFacts(t)...)
	}
	return findings
}
