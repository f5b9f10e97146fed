package jobmanager

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
)

// Tenant is whose a group is. Every group, job, resource and event carries it.
type Tenant string

// DefaultTenant is the one that everything belongs to until tenants are configured.
const DefaultTenant Tenant = "default"

// Role is what a principal may do.
type Role string

// The roles.
const (
	RoleAdmin         Role = "ADMIN"
	RoleIntegrator    Role = "INTEGRATOR"
	RoleViewer        Role = "VIEWER"
	RoleAgent         Role = "AGENT"
	RolePolicyManager Role = "POLICY_MANAGER"
)

// Principal is who is calling, with rights. Every service method takes one.
type Principal struct {
	Name   string
	Tenant Tenant
	Roles  []Role
	// Token is the caller's own, to be forwarded to peers that want it.
	Token Token
}

// LocalAdmin is the one principal of a server without authentication, which serves loopback only.
func LocalAdmin() Principal {
	return Principal{Name: "local-admin", Tenant: DefaultTenant, Roles: []Role{RoleAdmin}}
}

// System acts for the server itself: expiry, rematching, deletion of stopped groups.
func System() Principal {
	return Principal{Name: "job-manager", Tenant: DefaultTenant, Roles: []Role{RoleAdmin}}
}

type principalKey struct{}

// WithPrincipal puts the caller into the context, where a door finds it.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom gives the caller; nobody, who may do nothing, when the context has none.
func PrincipalFrom(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal) // absent: the zero Principal
	return p
}

// Need answers FORBIDDEN unless the principal is an admin or has one of the roles, and UNAUTHENTICATED when
// nobody is calling at all.
func (p Principal) Need(roles ...Role) error {
	if p.Name == "" {
		return Errorf(CodeUnauthenticated, "no valid credentials were sent")
	}
	if p.Is(RoleAdmin) {
		return nil
	}
	if slices.ContainsFunc(roles, p.Is) {
		return nil
	}
	return Errorf(CodeForbidden, "%s may not do this: one of the roles %v is needed", p.Name, roles)
}

// Is says whether the principal has the role itself.
func (p Principal) Is(role Role) bool { return slices.Contains(p.Roles, role) }

// Scope is what a store query may see. The zero value sees nothing.
type Scope struct {
	Tenant Tenant
	// All opens every tenant: admins and the server itself.
	All bool
}

// Scope of the principal: its own tenant; admins and agents all. What agents see beyond that is bounded by
// what is executable for them and what they own.
func (p Principal) Scope() Scope {
	return Scope{Tenant: p.Tenant, All: p.Is(RoleAdmin) || p.Is(RoleAgent)}
}

// Token is a bearer token. It prints as nothing everywhere: in logs, errors, JSON and debuggers' %v.
type Token struct{ secret string }

// NewToken takes the secret in.
func NewToken(secret string) Token { return Token{secret} }

// Reveal gives the secret, for the one place that puts it into a request to a peer.
func (t Token) Reveal() string { return t.secret }

// Empty says that the caller sent none.
func (t Token) Empty() bool { return t.secret == "" }

// String prints nothing.
func (t Token) String() string { return "" }

// GoString prints nothing, for %#v.
func (t Token) GoString() string { return "" }

// Format prints nothing, whatever the verb.
func (t Token) Format(fmt.State, rune) {}

// MarshalText gives nothing, for JSON and the like.
func (t Token) MarshalText() ([]byte, error) { return []byte{}, nil }

// LogValue logs nothing.
func (t Token) LogValue() slog.Value { return slog.StringValue("") }
