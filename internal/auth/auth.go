// Package auth says who is calling: it turns a request into one with a jobmanager.Principal in its context,
// or refuses it. Without authentication there is one principal, the built-in admin, and only loopback gets
// it; the token that a caller sends is kept for the peers. Start with Guard.
package auth

import (
	"encoding/json"
	"net"
	"net/http"

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

// closedSentence tells an operator how to open a server.
const closedSentence = "this server answers nobody on this address, because this version cannot verify tokens: " +
	"a later one will, with KEYCLOAK_PUBLIC_KEY or OIDC_ISSUER_URL. " +
	"Until then serve on loopback with LISTEN_HOST=127.0.0.1, or on a closed network with --insecure-no-auth"

// reboundSentence is for a web page that reached loopback under a name of its own.
const reboundSentence = "this server has no authentication and answers only requests to localhost, 127.0.0.1 or [::1]"

// Guard lets callers in with their principal, or answers 401.
func Guard(mode Mode, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case mode == Closed:
			refuse(w, http.StatusUnauthorized, jobmanager.CodeUnauthenticated, closedSentence)
		case mode == Loopback && !isLocal(r.Host):
			refuse(w, http.StatusForbidden, jobmanager.CodeForbidden, reboundSentence)
		default:
			ctx := jobmanager.WithPrincipal(r.Context(), jobmanager.LocalAdmin())
			next.ServeHTTP(w, r.WithContext(withToken(ctx, r.Header.Get(authorization))))
		}
	})
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

// refuse answers in the form of the GraphQL door, which is the one that is guarded.
func refuse(w http.ResponseWriter, status int, code jobmanager.Code, sentence string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	answer := map[string]any{"errors": []any{map[string]any{
		"message": sentence, "extensions": map[string]any{"code": code},
	}}}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// String names the mode for the log.
func (m Mode) String() string {
	switch m {
	case Loopback:
		return "none, loopback only"
	case Open:
		return "none, open to every caller"
	case Closed:
	}
	return "none configured, closed"
}
