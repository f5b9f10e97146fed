package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// credentials, and the token that is in them.
var credentials = map[string]string{
	"Bearer abc.def":     "abc.def",
	"bearer abc.def":     "abc.def",
	"Bearer   abc.def  ": "abc.def",
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
			guarded := auth.Guard(mode, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
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
		ctx, err := auth.Init(socket, map[string]any{"Authorization": value})
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
		ctx, err := auth.Init(socket, payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := jobmanager.PrincipalFrom(ctx).Token.Reveal(); got != "of-the-header" {
			t.Errorf("%s: token %q", name, got)
		}
	}
}
