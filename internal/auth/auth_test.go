package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestOnlyLoopbackIsOpenWithoutAuthentication(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host     string
		insecure bool
		want     auth.Mode
	}{
		{"127.0.0.1", false, auth.Loopback}, {"::1", false, auth.Loopback}, {"localhost", false, auth.Loopback},
		{"0.0.0.0", false, auth.Closed}, {"192.0.2.7", false, auth.Closed}, {"", false, auth.Closed}, {"0.0.0.0", true, auth.Open},
	} {
		if got := auth.ModeFor(test.host, test.insecure); got != test.want {
			t.Errorf("on %q, insecure %v: %s, want %s", test.host, test.insecure, got, test.want)
		}
	}
}

func TestGuardLetsInWhomTheModeTrusts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode   auth.Mode
		host   string
		status int
		words  string
	}{
		"loopback":             {auth.Loopback, "127.0.0.1:8082", 200, "local-admin"},
		"loopback by name":     {auth.Loopback, "localhost:8082", 200, "local-admin"},
		"loopback by IPv6":     {auth.Loopback, "[::1]:8082", 200, "local-admin"},
		"a rebound name":       {auth.Loopback, "evil.example", 403, "FORBIDDEN"},
		"closed":               {auth.Closed, "jm.example", 401, "KEYCLOAK_PUBLIC_KEY"},
		"closed names OIDC":    {auth.Closed, "jm.example", 401, "OIDC_ISSUER_URL"},
		"open for closed nets": {auth.Open, "jm.example", 200, "local-admin"},
	} {
		guarded := auth.Guard(test.mode, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(jobmanager.PrincipalFrom(r.Context()).Name))
		}))
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
		request.Host = test.host
		answer := httptest.NewRecorder()
		guarded.ServeHTTP(answer, request)
		if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.words) {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
}
