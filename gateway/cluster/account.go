package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"leviathan/gateway"
)

// An Account is a service account and what its token is good for.
type Account struct {
	Namespace, Name string
	// Role is one that a component may have: scheduler, reader, ingest or
	// operator.
	Role gateway.Role
	// Target binds the account to one target; empty if it is not bound.
	Target gateway.TargetID
}

// accountRoles are the roles that an account may have: an attempt's token is
// the gateway's own, and the gateway asks nobody.
var accountRoles = []gateway.Role{gateway.RoleScheduler, gateway.RoleReader, gateway.RoleIngest, gateway.RoleOperator}

// objectName is a DNS label or subdomain, as the API names objects.
var objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)

// ParseAccount reads NAMESPACE/NAME=ROLE[@TARGET].
func ParseAccount(text string) (Account, error) {
	wrong := func(why string) (Account, error) {
		return Account{}, fmt.Errorf("the service account %q is not NAMESPACE/NAME=ROLE[@TARGET]: %s", text, why)
	}
	who, what, ok := strings.Cut(text, "=")
	if !ok {
		return wrong("it names no role")
	}
	namespace, name, ok := strings.Cut(who, "/")
	if !ok || !objectName.MatchString(namespace) || !objectName.MatchString(name) {
		return wrong("NAMESPACE/NAME is not one of a service account")
	}
	role, target, bound := strings.Cut(what, "@")
	if !slices.Contains(accountRoles, gateway.Role(role)) {
		return wrong("the role must be scheduler, reader, ingest or operator")
	}
	if bound && !gateway.TargetID(target).Valid() {
		return wrong("TARGET is not the id of a target")
	}
	return Account{Namespace: namespace, Name: name, Role: gateway.Role(role), Target: gateway.TargetID(target)}, nil
}

// ID is the account's name as the API tells it, and as audit logs show it.
func (a Account) ID() string { return "system:serviceaccount:" + a.Namespace + ":" + a.Name }
