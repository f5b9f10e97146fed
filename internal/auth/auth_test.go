package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// whoCalls answers with the name of the principal that the gate put into the context.
var whoCalls = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(jobmanager.PrincipalFrom(r.Context()).Name))
})

// call sends a request with an Authorization header (none when empty) through a guarded handler.
func call(t *testing.T, guarded http.Handler, header string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
	request.Host = "localhost"
	if header != "" {
		request.Header.Set("Authorization", header)
	}
	answer := httptest.NewRecorder()
	guarded.ServeHTTP(answer, request)
	return answer
}

// noon is when the clocks of these tests begin.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// gateOf trusts a realm, by a clock that the test moves.
func gateOf(t *testing.T, realm *testkit.Realm) (*auth.Gate, *testkit.Clock) {
	t.Helper()
	key, err := auth.ParseKey(realm.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	clock := testkit.NewClock(noon())
	return auth.New(auth.Config{Mode: auth.Closed, Key: key, Clock: clock}), clock
}

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
		guarded := auth.New(auth.Config{Mode: test.mode}).Guard(auth.GraphQL{}, whoCalls)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", nil)
		request.Host = test.host
		answer := httptest.NewRecorder()
		guarded.ServeHTTP(answer, request)
		if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.words) {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
}

func TestKeyOpensAServerForItsRealmOnAnyAddress(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	gate, _ := gateOf(t, realm)
	if gate.Mode() != auth.RealmKey || !strings.Contains(gate.Mode().String(), "KEYCLOAK_PUBLIC_KEY") {
		t.Errorf("the mode is %s", gate.Mode())
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	request.Host = "jm.example"
	request.Header.Set("Authorization", "Bearer "+realm.Token("hub"))
	answer := httptest.NewRecorder()
	gate.Guard(auth.GraphQL{}, whoCalls).ServeHTTP(answer, request)
	if answer.Code != http.StatusOK || answer.Body.String() != "hub" {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestGraphQLDoorRefusesInItsOwnForm(t *testing.T) {
	t.Parallel()
	gate, _ := gateOf(t, testkit.NewRealm(t))
	for _, header := range []string{"", "Basic YTpi", "Bearer ", "Bearer garbage", "Bearer " + testkit.NewRealm(t).Token("hub")} {
		answer := call(t, gate.Guard(auth.GraphQL{}, whoCalls), header)
		if answer.Code != http.StatusUnauthorized || !strings.Contains(answer.Body.String(), `"extensions":{"code":"UNAUTHENTICATED"}`) {
			t.Errorf("%q: %d %s", header, answer.Code, answer.Body)
		}
		if answer.Header().Get("WWW-Authenticate") != "Bearer" || !strings.HasPrefix(answer.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%q: %v", header, answer.Header())
		}
	}
}

// TestUpgradeAloneComesThroughWithoutAToken also shows that it does so as nobody, and only where sockets are served.
func TestUpgradeAloneComesThroughWithoutAToken(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	gate, _ := gateOf(t, realm)
	sockets, plain := gate.GuardSockets(auth.GraphQL{}, whoCalls), gate.Guard(auth.GraphQL{}, whoCalls)
	closed := auth.New(auth.Config{Mode: auth.Closed}).GuardSockets(auth.GraphQL{}, whoCalls)
	for name, test := range map[string]struct {
		guarded http.Handler
		upgrade bool
		header  string
		status  int
		caller  string
	}{
		"an upgrade":                          {sockets, true, "", 200, ""},
		"an upgrade with a token":             {sockets, true, "Bearer " + realm.Token("hub"), 200, "hub"},
		"an upgrade with a wrong token":       {sockets, true, "Bearer wrong", 401, ""},
		"an upgrade with other credentials":   {sockets, true, "Basic YTpi", 401, ""},
		"a plain request":                     {sockets, false, "", 401, ""},
		"an upgrade where there is no socket": {plain, true, "", 401, ""},
		"an upgrade of a closed server":       {closed, true, "", 401, ""},
	} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
		if test.upgrade {
			request.Header.Set("Connection", "keep-alive, Upgrade")
			request.Header.Set("Upgrade", "websocket")
		}
		if test.header != "" {
			request.Header.Set("Authorization", test.header)
		}
		answer := httptest.NewRecorder()
		test.guarded.ServeHTTP(answer, request)
		if answer.Code != test.status || test.status == 200 && answer.Body.String() != test.caller {
			t.Errorf("%s: %d %s", name, answer.Code, answer.Body)
		}
	}
}
