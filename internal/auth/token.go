package auth

import (
	"context"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// authorization is the header of requests and the key in the payload of connection_init.
const authorization = "Authorization"

// scheme is the word before a token.
const scheme = "Bearer"

type callerKey struct{}

// withCaller puts a verified caller into the context: its principal for the doors, and all of it for Init.
func withCaller(ctx context.Context, who caller) context.Context {
	return context.WithValue(jobmanager.WithPrincipal(ctx, who.principal), callerKey{}, who)
}

func callerFrom(ctx context.Context) (caller, bool) {
	who, known := ctx.Value(callerKey{}).(caller)
	return who, known
}

// withToken gives the principal of ctx the bearer token of the credentials, where there is one. The token is not
// verified: it is for peers, who do. One that no header can carry is left out, for it comes from a websocket's
// payload and could never be forwarded.
func withToken(ctx context.Context, credentials string) context.Context {
	token, _ := bearer(credentials)
	if token == "" || strings.ContainsFunc(token, unprintable) {
		return ctx
	}
	principal := jobmanager.PrincipalFrom(ctx)
	principal.Token = jobmanager.NewToken(token)
	return jobmanager.WithPrincipal(ctx, principal)
}

// bearer takes the token out of "Bearer …"; sent says whether that word is there at all. The old service looked for
// the word only, so a token may follow without a space.
func bearer(credentials string) (token string, sent bool) {
	credentials = strings.TrimSpace(credentials)
	if len(credentials) < len(scheme) || !strings.EqualFold(credentials[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(credentials[len(scheme):]), true
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }
