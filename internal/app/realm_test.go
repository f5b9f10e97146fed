package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// guardedServer trusts a realm and is reached from anywhere.
func guardedServer(t *testing.T, realm *testkit.Realm, clock *testkit.Clock) *apptest.Server {
	t.Helper()
	return apptest.Start(t, apptest.Options{Clock: clock, Configure: func(c *config.Config) {
		c.Host, c.KeycloakPublicKey = "0.0.0.0", realm.PublicKey()
	}})
}

// reply is an answer as it came.
type reply struct {
	status      int
	contentType string
	body        string
}

// knock sends a request with these headers, "Name: value" each.
func knock(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it is read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header.Get("Content-Type"), string(text)}
}

const askVersion = `{"query":"{ serverInfo { version } jobs(first: 1) { revision } }"}`

func TestEachDoorRefusesCallersInItsOwnForm(t *testing.T) {
	t.Parallel()
	realm, clock := testkit.NewRealm(t), testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := guardedServer(t, realm, clock)
	expired := realm.Token("hub", testkit.Expires(clock.Now()))
	for name, test := range map[string]struct {
		header        string
		graphql, rest int
		text          string // of the refusal
	}{
		"a token":              {"Authorization: Bearer " + realm.Token("hub"), 200, 200, ""},
		"a glued token":        {"Authorization: Bearer" + realm.Token("hub"), 200, 200, ""},
		"no header":            {"X-Nothing: 1", 401, 401, "not authorized"},
		"no Bearer":            {"Authorization: Basic YTpi", 401, 401, "not authorized"},
		"an empty token":       {"Authorization: Bearer ", 401, 500, "empty"},
		"an expired token":     {"Authorization: Bearer " + expired, 401, 500, "expired"},
		"garbage":              {"Authorization: Bearer garbage", 401, 500, "malformed"},
		"another realm's":      {"Authorization: Bearer " + testkit.NewRealm(t).Token("hub"), 401, 500, "not signed"},
		"an upgrade, no token": {"Upgrade: websocket", 401, 401, "not authorized"},
	} {
		answer := knock(t, http.MethodPost, s.URL+"/graphql", askVersion, "Content-Type: application/json", test.header)
		refused := strings.Contains(answer.body, `"code":"UNAUTHENTICATED"`)
		if answer.status != test.graphql || refused != (test.graphql == 401) || !strings.HasPrefix(answer.contentType, "application/") {
			t.Errorf("%s: GraphQL answered %+v", name, answer)
		}
		if answer = knock(t, http.MethodGet, s.URL+"/metrics", "", test.header); answer.status != test.graphql {
			t.Errorf("%s: the metrics answered %d", name, answer.status)
		}
		answer = knock(t, http.MethodGet, s.URL+"/jobmanager/jobs", "", test.header)
		if answer.status != test.rest {
			t.Errorf("%s: REST answered %+v", name, answer)
		}
		if test.rest == http.StatusOK {
			continue
		}
		var problem map[string]string
		if err := json.Unmarshal([]byte(answer.body), &problem); err != nil || len(problem) != 1 || !strings.Contains(problem["error"], test.text) ||
			!strings.HasSuffix(answer.body, "}\n") || !strings.HasPrefix(answer.contentType, "text/plain") {
			t.Errorf("%s: REST answered %+v", name, answer)
		}
	}
}

// TestHeadersOfAnUpgradeOpenNoPlainRoute sends them where no websockets are served.
func TestHeadersOfAnUpgradeOpenNoPlainRoute(t *testing.T) {
	t.Parallel()
	s := guardedServer(t, testkit.NewRealm(t), nil)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-Websocket-Version: 13", "Sec-Websocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	for _, path := range []string{"/jobmanager/jobs", "/metrics"} {
		if answer := knock(t, http.MethodGet, s.URL+path, "", upgrade...); answer.status != http.StatusUnauthorized {
			t.Errorf("%s answered %+v", path, answer)
		}
	}
	if answer := knock(t, http.MethodPost, s.URL+"/graphql", askVersion, append(upgrade, "Content-Type: application/json")...); answer.status < 400 {
		t.Errorf("GraphQL answered %+v", answer)
	}
}

func TestWhatTellsNothingNeedsNoToken(t *testing.T) {
	t.Parallel()
	s := guardedServer(t, testkit.NewRealm(t), nil)
	for _, path := range []string{
		"/healthz", "/readyz", "/graphiql", "/jobmanager", "/jobmanager/healthz", "/jobmanager/swagger/", "/jobmanager/swagger/doc.json",
	} {
		if answer := knock(t, http.MethodGet, s.URL+path, ""); answer.status != http.StatusOK {
			t.Errorf("%s answered %+v", path, answer)
		}
	}
}

func TestClosedServerRefusesInTheFormOfEachDoor(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{Configure: func(c *config.Config) { c.Host = "0.0.0.0" }})
	for path, words := range map[string]string{"/graphql": `"code":"UNAUTHENTICATED"`, "/jobmanager/jobs": `{"error":"this server answers nobody`} {
		answer := knock(t, http.MethodGet, s.URL+path, "")
		if answer.status != http.StatusUnauthorized || !strings.Contains(answer.body, words) || !strings.Contains(answer.body, "KEYCLOAK_PUBLIC_KEY") {
			t.Errorf("%s answered %+v", path, answer)
		}
	}
}

func TestLoopbackServerRefusesForeignHostsInTheFormOfEachDoor(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Options{})
	for path, words := range map[string]string{"/graphql": `"code":"FORBIDDEN"`, "/jobmanager/jobs": `{"error":"this server has no authentication`} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "evil.example"
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close() // it was read to its end
		if err != nil || response.StatusCode != http.StatusForbidden || !strings.Contains(string(body), words) {
			t.Errorf("%s answered %d %s, %v", path, response.StatusCode, body, err)
		}
	}
}

func TestTokenOfTheFleetIsNoAdmin(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	s := guardedServer(t, realm, nil)
	answer := knock(t, http.MethodPost, s.URL+"/graphql",
		`{"query":"mutation { abandonJob(input: {jobId: \"0198f0a0-0000-7000-8000-000000000000\", reason: \"no\"}) { job { id } } }"}`,
		"Content-Type: application/json", "Authorization: Bearer "+realm.Token("shell"))
	if !strings.Contains(answer.body, `"FORBIDDEN"`) {
		t.Errorf("it answered %+v", answer)
	}
}

// dialed opens a websocket and sends connection_init with the payload; it gives the type of the answer, or the code with
// which the socket was closed.
func dialed(t *testing.T, url, payload string, header http.Header) (conn *websocket.Conn, answer string, code int) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/graphql", header)
	if err != nil {
		return nil, "", response.StatusCode
	}
	_ = response.Body.Close() // a handshake's body is empty
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init","payload":`+payload+`}`)); err != nil {
		t.Fatal(err)
	}
	var message struct{ Type string }
	if err := conn.ReadJSON(&message); err != nil {
		return conn, "", closeCode(t, err)
	}
	return conn, message.Type, 0
}

func closeCode(t *testing.T, err error) int {
	t.Helper()
	closed, ok := err.(*websocket.CloseError) //nolint:errorlint // gorilla gives it bare
	if !ok {
		t.Fatalf("the socket broke: %v", err)
	}
	return closed.Code
}

func TestSocketNeedsATokenInItsHeaderOrItsInit(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	s := guardedServer(t, realm, nil)
	payload := func(token string) string { return `{"Authorization":"Bearer ` + token + `"}` }
	header := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	for name, test := range map[string]struct {
		header  http.Header
		payload string
		answer  string
		code    int
	}{
		"in the init":                      {nil, payload(realm.Token("dashboard")), "connection_ack", 0},
		"in the header":                    {header(realm.Token("hub")), `{}`, "connection_ack", 0},
		"in both":                          {header(realm.Token("hub")), payload(realm.Token("hub")), "connection_ack", 0},
		"none":                             {nil, `{}`, "", 4403},
		"another realm's":                  {nil, payload(testkit.NewRealm(t).Token("hub")), "", 4403},
		"another realm's after a good one": {header(realm.Token("hub")), payload(testkit.NewRealm(t).Token("hub")), "", 4403},
		"a wrong one in the header":        {header("wrong"), `{}`, "", http.StatusUnauthorized},
	} {
		if _, answer, code := dialed(t, s.URL, test.payload, test.header); answer != test.answer || code != test.code {
			t.Errorf("%s: %q, %d; want %q, %d", name, answer, code, test.answer, test.code)
		}
	}
}

func TestSocketIsClosedWhenItsTokenExpires(t *testing.T) {
	t.Parallel()
	realm, clock := testkit.NewRealm(t), testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	s := guardedServer(t, realm, clock)
	token := realm.Token("hub", testkit.Expires(clock.Now().Add(5*time.Minute)))
	conn, answer, _ := dialed(t, s.URL, `{"Authorization":"Bearer `+token+`"}`, nil)
	if answer != "connection_ack" {
		t.Fatalf("it answered %q", answer)
	}
	clock.Advance(5 * time.Minute)
	_, _, err := conn.ReadMessage()
	if err == nil {
		t.Fatal("the socket says something instead of ending")
	}
	if code := closeCode(t, err); code != 4403 {
		t.Errorf("closed with %d, want 4403", code)
	}
}

func TestBadKeyIsToldBeforeADatabaseIsMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := apptest.Config(t, "sqlite://"+filepath.Join(dir, "jobmanager.db"))
	c.KeycloakPublicKey = "MIIB"
	_, err := app.New(t.Context(), c, app.Options{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "KEYCLOAK_PUBLIC_KEY") || !strings.Contains(err.Error(), "expected is") {
		t.Errorf("it ended with %v", err)
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) != 0 {
		t.Errorf("there is %v, %v", made, err)
	}
}

// transcript is a log that several write into.
type transcript struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *transcript) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestTokensAreNeverLogged(t *testing.T) {
	t.Parallel()
	realm := testkit.NewRealm(t)
	c := apptest.Config(t, apptest.SQLite(t))
	c.KeycloakPublicKey = realm.PublicKey()
	log := &transcript{}
	server, err := app.New(t.Context(), c, app.Options{
		Version: "test", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()

	good, bad := realm.Token("hub"), testkit.NewRealm(t).Token("hub")
	for _, token := range []string{good, bad, "garbage-of-a-client"} {
		knock(t, http.MethodPost, server.URL()+"/graphql", askVersion, "Content-Type: application/json", "Authorization: Bearer "+token)
		knock(t, http.MethodGet, server.URL()+"/jobmanager/jobs", "", "Authorization: Bearer "+token)
		knock(t, http.MethodPost, server.URL()+"/jobmanager/groups", "name: [", "Authorization: Bearer "+token)
		dialed(t, server.URL(), `{"Authorization":"Bearer `+token+`"}`, nil)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, token := range []string{good, bad, "garbage-of-a-client"} {
		for _, part := range strings.Split(token, ".")[1:] {
			if strings.Contains(log.String(), part) {
				t.Errorf("a part of a token is in the log:\n%s", log)
			}
		}
		if strings.Contains(log.String(), token) {
			t.Errorf("a token is in the log:\n%s", log)
		}
	}
	if count := strings.Count(log.String(), "every token that the realm signs"); count != 1 {
		t.Errorf("the profile is warned of %d times:\n%s", count, log)
	}
	if !strings.Contains(log.String(), "/jobmanager/jobs") {
		t.Errorf("the requests are not in the log at all:\n%s", log)
	}
}
