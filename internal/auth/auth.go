// Package auth says who is calling: it turns a request into one with a jobmanager.Principal in its context,
// or has its door refuse it. With the public key of a Keycloak realm every caller needs a token that the realm
// signed. Without, there is one principal, the built-in admin, and only loopback gets it. The token that a caller
// sends is kept for the peers. It knows nothing of rights beyond the roles that it gives. Start with New and
// Gate.Guard.
package auth

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Mode is how callers are told apart.
type Mode int

// The modes.
const (
	// Closed refuses every caller: the server is reachable from elsewhere and nothing says who may call.
	Closed Mode = iota
	// Loopback makes every caller on this machine the built-in admin.
	Loopback
	// Open makes every caller the built-in admin, wherever it comes from.
	Open
	// RealmKey makes every caller the client that its token was issued for; the realm's key verifies the token.
	RealmKey
)

// ModeFor chooses the mode for a listening address when no authentication is configured.
func ModeFor(host string, insecure bool) Mode {
	if insecure {
		return Open
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return Loopback
	}
	return Closed
}

// Config is what a Gate is made of.
type Config struct {
	// Mode without a key, from ModeFor. A key makes it RealmKey.
	Mode Mode
	// Key of the realm whose tokens are accepted; nil when there is none.
	Key *Key
	// Clock by which tokens expire. Only a gate with a key uses it.
	Clock jobmanager.Clock
}

// Gate lets callers in.
type Gate struct {
	mode   Mode
	clock  jobmanager.Clock
	tokens *verifier // nil without a key
}

// New makes a gate. It starts nothing.
func New(c Config) *Gate {
	if c.Key == nil {
		return &Gate{mode: c.Mode}
	}
	return &Gate{mode: RealmKey, clock: c.Clock, tokens: newVerifier(c.Key, c.Clock)}
}

// Mode is how the gate tells callers apart.
func (g *Gate) Mode() Mode { return g.mode }

// What callers are told who are not let in.
const (
	closedSentence = "this server answers nobody on this address, because nothing says who may call: set KEYCLOAK_PUBLIC_KEY to the " +
		"public key of the realm whose tokens callers send (OIDC_ISSUER_URL comes with a later version), or serve on loopback with " +
		"LISTEN_HOST=127.0.0.1, or on a closed network with --insecure-no-auth"
	// reboundSentence is for a web page that reached loopback under a name of its own.
	reboundSentence = "this server has no authentication and answers only requests to localhost, 127.0.0.1 or [::1]"
	// missingSentence fits into the close frame of a websocket too, as all sentences about tokens must.
	missingSentence = "no token was sent: send one of the realm as \"Authorization: Bearer ...\""
)

// Guard lets callers in with their principal; the others get the door's refusal.
func (g *Gate) Guard(door Door, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		credentials := r.Header.Get(authorization)
		switch token, sent := bearer(credentials); {
		case g.mode == Closed:
			door.Shut(w, r, jobmanager.Errorf(jobmanager.CodeUnauthenticated, closedSentence))
		case g.mode == Loopback && !isLocal(r.Host):
			door.Shut(w, r, jobmanager.Errorf(jobmanager.CodeForbidden, reboundSentence))
		case g.mode != RealmKey:
			ctx := jobmanager.WithPrincipal(r.Context(), jobmanager.LocalAdmin())
			next.ServeHTTP(w, r.WithContext(withToken(ctx, credentials)))
		case !sent:
			door.MissingToken(w, r, jobmanager.Errorf(jobmanager.CodeUnauthenticated, missingSentence))
		default:
			who, refusal := g.tokens.verify(r.Context(), token)
			if refusal != nil {
				door.InvalidToken(w, r, refusal)
				return
			}
			next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), who)))
		}
	})
}

// GuardSockets is Guard for a door that opens websockets with Init. Browsers cannot set headers on websockets, so
// an upgrade without credentials comes through, as nobody: Init wants a token then.
func (g *Gate) GuardSockets(door Door, next http.Handler) http.Handler {
	guarded := g.Guard(door, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.mode == RealmKey && websocket.IsWebSocketUpgrade(r) && r.Header.Get(authorization) == "" {
			next.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// Init is for the payload of a websocket's connection_init: a client may send {"Authorization": "Bearer ..."} there.
// It gives the context of the socket's operations, derived from ctx, with the principal and its token.
//
// With a realm's key a token there must hold, and takes the place of that of the upgrade; without one in either the
// error is UNAUTHENTICATED. The context ends when the token expires. Without a key Init refuses nobody.
func (g *Gate) Init(ctx context.Context, payload map[string]any) (context.Context, error) {
	credentials, _ := payload[authorization].(string) // anything else is no token
	if g.mode != RealmKey {
		return withToken(ctx, credentials), nil
	}
	if token, sent := bearer(credentials); sent {
		who, refusal := g.tokens.verify(ctx, token)
		if refusal != nil {
			return nil, refusal
		}
		ctx = withCaller(ctx, who)
	}
	who, known := callerFrom(ctx)
	if !known {
		return nil, jobmanager.Errorf(jobmanager.CodeUnauthenticated, missingSentence)
	}
	return g.until(ctx, who.expiry), nil
}

// until ends the context at a time of the gate's clock.
func (g *Gate) until(ctx context.Context, expiry time.Time) context.Context {
	ctx, end := context.WithCancel(ctx)
	expired := g.clock.After(ctx, expiry.Sub(g.clock.Now()))
	go func() {
		defer end()
		select {
		case <-expired:
		case <-ctx.Done():
		}
	}()
	return ctx
}

// isLocal says whether a Host header names this machine. A page on another site can make a browser send
// requests to 127.0.0.1 under that site's name; this tells them apart.
func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport // no port in it
	}
	if len(host) > 1 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String names the mode for the log.
func (m Mode) String() string {
	switch m {
	case Loopback:
		return "none, loopback only"
	case Open:
		return "none, open to every caller"
	case RealmKey:
		return "tokens of the realm with KEYCLOAK_PUBLIC_KEY"
	case Closed:
	}
	return "none configured, closed"
}
