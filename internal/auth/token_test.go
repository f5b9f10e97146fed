package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// credentials, and the token that is in them.
var credentials = map[string]string{
	"Bearer abc.def":     "abc.def",
	"bearer abc.def":     "abc.def",
	"Bearer   abc.def  ": "abc.def",
	"Bearerabc.def":      "abc.def",
	"Bearer":             "",
	"Bearer ":            "",
	"":                   "",
	"Basic abc.def":      "",
	"abc.def":            "",
	"Bearer two words":   "",
}

func TestTokenOfTheRequestComesWithThePrincipal(t *testing.T) {
	t.Parallel()
	for _, mode := range []auth.Mode{auth.Loopback, auth.Open} {
		for header, want := range credentials {
			var got jobmanager.Principal
			guarded := auth.New(auth.Config{Mode: mode}).Guard(auth.GraphQL{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = jobmanager.PrincipalFrom(r.Context())
			}))
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
			request.Host = "localhost"
			request.Header.Set("Authorization", header)
			guarded.ServeHTTP(httptest.NewRecorder(), request)
			if got.Name != "local-admin" || got.Token.Reveal() != want {
				t.Errorf("%s, header %q: %s with token %q, want %q", mode, header, got.Name, got.Token.Reveal(), want)
			}
		}
	}
}

func TestTokenOfConnectionInitGoesToThePrincipalOfTheSocket(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Hour)
	socket, cancel := context.WithDeadline(jobmanager.WithPrincipal(t.Context(), jobmanager.LocalAdmin()), end)
	defer cancel()
	for value, want := range credentials {
		ctx, err := auth.New(auth.Config{Mode: auth.Loopback}).Init(socket, map[string]any{"Authorization": value})
		if err != nil {
			t.Fatal(err)
		}
		got := jobmanager.PrincipalFrom(ctx)
		if got.Name != "local-admin" || !got.Is(jobmanager.RoleAdmin) || got.Token.Reveal() != want {
			t.Errorf("payload %q: %s with token %q, want %q", value, got.Name, got.Token.Reveal(), want)
		}
		if deadline, _ := ctx.Deadline(); !deadline.Equal(end) {
			t.Errorf("payload %q: the context is not the socket's", value)
		}
	}
}

func TestPayloadWithoutATokenKeepsThatOfTheHandshake(t *testing.T) {
	t.Parallel()
	principal := jobmanager.LocalAdmin()
	principal.Token = jobmanager.NewToken("of-the-header")
	socket := jobmanager.WithPrincipal(t.Context(), principal)
	for name, payload := range map[string]map[string]any{
		"none": nil, "empty": {}, "a number": {"Authorization": 7.0}, "a line break": {"Authorization": "Bearer a\r\nb"},
	} {
		ctx, err := auth.New(auth.Config{Mode: auth.Loopback}).Init(socket, payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := jobmanager.PrincipalFrom(ctx).Token.Reveal(); got != "of-the-header" {
			t.Errorf("%s: token %q", name, got)
		}
	}
}

// upgraded is the context that a socket gets from its upgrade.
func upgraded(t *testing.T, gate *auth.Gate, header string) context.Context {
	t.Helper()
	var ctx context.Context
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	if header != "" {
		request.Header.Set("Authorization", header)
	}
	answer := httptest.NewRecorder()
	gate.GuardSockets(auth.GraphQL{}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() })).ServeHTTP(answer, request)
	if ctx == nil {
		t.Fatalf("the upgrade got %d %s", answer.Code, answer.Body)
	}
	return ctx
}

func TestSocketIsWhoItsTokenWasIssuedFor(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	gate, _ := gateOf(t, realm)
	hub, shell, foreign := "Bearer "+realm.Token("hub"), "Bearer "+realm.Token("shell"), "Bearer "+testkit.NewRealm(t).Token("hub")
	for name, test := range map[string]struct {
		header  string
		payload map[string]any
		caller  string // empty when it is refused
	}{
		"a token in the header alone":      {hub, nil, "hub"},
		"a token in the payload alone":     {"", map[string]any{"Authorization": hub}, "hub"},
		"glued to its scheme":              {"", map[string]any{"Authorization": "Bearer" + realm.Token("hub")}, "hub"},
		"one in each: the payload's":       {hub, map[string]any{"Authorization": shell}, "shell"},
		"none at all":                      {"", nil, ""},
		"a payload without one":            {"", map[string]any{"token": realm.Token("hub")}, ""},
		"a payload with a number":          {"", map[string]any{"Authorization": 7.0}, ""},
		"an empty one":                     {"", map[string]any{"Authorization": "Bearer "}, ""},
		"one of another realm":             {"", map[string]any{"Authorization": foreign}, ""},
		"a good header, a foreign payload": {hub, map[string]any{"Authorization": foreign}, ""},
	} {
		ctx, err := gate.Init(upgraded(t, gate, test.header), test.payload)
		if test.caller == "" {
			if code := jobmanager.CodeOf(err); code != jobmanager.CodeUnauthenticated || len(jobmanager.Sentence(err)) > 123 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p := jobmanager.PrincipalFrom(ctx); p.Name != test.caller || p.Is(jobmanager.RoleAdmin) || p.Token.Empty() {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestSocketEndsWhenItsTokenExpires(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	gate, clock := gateOf(t, realm)
	token := "Bearer " + realm.Token("hub", testkit.Expires(noon().Add(5*time.Minute)))
	var sockets []context.Context
	for _, test := range []struct{ header, payload string }{{token, ""}, {"", token}} {
		ctx, err := gate.Init(upgraded(t, gate, test.header), map[string]any{"Authorization": test.payload})
		if err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Errorf("it ended at once: %v", context.Cause(ctx))
		}
		sockets = append(sockets, ctx)
	}
	clock.AwaitWaiters(t, len(sockets))
	clock.Advance(5 * time.Minute)
	for _, ctx := range sockets {
		<-ctx.Done()
	}
}
