package auth

import (
	"context"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// authorization is the header of requests and the key in the payload of connection_init.
const authorization = "Authorization"

// Init is for the payload of a websocket's connection_init: browsers cannot set headers on websockets, so a
// client may send {"Authorization": "Bearer …"} there. The token goes to the principal that Guard put into
// ctx; a payload without one leaves ctx as it is. It refuses nobody.
func Init(ctx context.Context, payload map[string]any) (context.Context, error) {
	credentials, _ := payload[authorization].(string) // anything else is no token
	return withToken(ctx, credentials), nil
}

// withToken gives the principal of ctx the bearer token of the credentials. The token is not verified: it is
// for peers, who do.
func withToken(ctx context.Context, credentials string) context.Context {
	token := bearer(credentials)
	if token.Empty() {
		return ctx
	}
	principal := jobmanager.PrincipalFrom(ctx)
	principal.Token = token
	return jobmanager.WithPrincipal(ctx, principal)
}

// bearer takes the token out of "Bearer …"; other credentials give none. So does a token that no header can
// carry, for it comes from a websocket's payload and could never be forwarded.
func bearer(credentials string) jobmanager.Token {
	scheme, token, _ := strings.Cut(credentials, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || strings.ContainsFunc(token, unprintable) {
		return jobmanager.Token{}
	}
	return jobmanager.NewToken(token)
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }
