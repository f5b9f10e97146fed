package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// built is a server that does not run yet, on a database of its own.
func built(t *testing.T, args ...string) *App {
	t.Helper()
	a, err := New(t.Context(), loaded(t, args...), Options{Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func loaded(t *testing.T, args ...string) config.Config {
	t.Helper()
	c, _, err := config.Load(append([]string{"serve", "--server-port=0", "--data-dir=" + t.TempDir()}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// running runs the server; stop ends it, gives what Run returned, and fails the test when it hangs.
func running(t *testing.T, a *App) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			t.Fatal("the server does not end")
			return nil
		}
	}
}

// TestServerWhoseDatabaseIsAwaySaysSoAndWaits takes the database away: the duties try on, and the server is not
// ready meanwhile.
func TestServerWhoseDatabaseIsAwaySaysSoAndWaits(t *testing.T) {
	t.Parallel()
	a := built(t)
	if err := a.store.Close(); err != nil {
		t.Fatal(err)
	}
	stop := running(t, a)
	answer := httptest.NewRecorder()
	a.http.Handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
	if answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "database") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServerThatIsStoppedAtOnceEndsCleanly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := built(t).Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestClientThatDoesNotReadHoldsNoStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		write, shutdown time.Duration
		words           string // of the error; empty for a clean end
	}{
		"it is cut when its time to read is over": {2 * time.Second, 20 * time.Second, ""},
		"it is cut when the time to stop is over": {time.Hour, 500 * time.Millisecond, "not everything ended within 500ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := built(t, "--shutdown-timeout="+test.shutdown.String())
			a.http.WriteTimeout = test.write
			stop := running(t, a)
			conn := deaf(t, a)
			defer func() { _ = conn.Close() }() // the server has cut it
			err := stop()
			if test.words == "" && err != nil || test.words != "" && (err == nil || !strings.Contains(err.Error(), test.words)) {
				t.Errorf("it ended with %v, want %q", err, test.words)
			}
		})
	}
}

// deaf asks for far more than any buffer holds and reads the first byte of it.
func deaf(t *testing.T, a *App) net.Conn {
	t.Helper()
	descriptor := "name: long\ncomponents: [{name: web, type: kubernetes, manifests: [{name: web}]}]\n" +
		"manifests: [{name: web, manifest: {apiVersion: v1, kind: Pod, metadata: {name: web}}}]\n# " + strings.Repeat("long ", 180_000) + "\n"
	answer := httptest.NewRecorder()
	a.http.Handler.ServeHTTP(answer, post(t, a, `mutation($d: String!) { createJobGroup(input: {descriptor: $d}) { jobGroup { id } } }`, descriptor))
	if answer.Code != http.StatusOK || strings.Contains(answer.Body.String(), `"errors"`) {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	var query strings.Builder
	for n := range 12 {
		fmt.Fprintf(&query, " d%d: descriptor", n)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", a.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if err := post(t, a, "{ jobGroups(first: 1) { nodes {"+query.String()+" } } }", "").Write(conn); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func post(t *testing.T, a *App, query, descriptor string) *http.Request {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"d": descriptor}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return request
}

func TestWebsocketOutlivesTheTimeouts(t *testing.T) {
	t.Parallel()
	a := built(t)
	a.http.WriteTimeout, a.http.ReadTimeout = time.Second, time.Second
	stop := running(t, a)
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.URL(), "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // a handshake's body is empty
	defer func() { _ = conn.Close() }()
	for begin := time.Now(); time.Since(begin) < 2*time.Second; {
		var pong struct{ Type string }
		if err := conn.WriteJSON(map[string]string{"type": "ping"}); err != nil {
			t.Fatal(err)
		}
		if err := conn.ReadJSON(&pong); err != nil || pong.Type != "pong" {
			t.Fatalf("after %s: %+v, %v", time.Since(begin), pong, err)
		}
	}
	_ = conn.Close() // it served long enough
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestPlainRequestsHaveADeadlineAndWebsocketsHaveNone(t *testing.T) {
	t.Parallel()
	var left time.Duration
	var bounded bool
	handler := limited(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var deadline time.Time
		deadline, bounded = r.Context().Deadline()
		left = time.Until(deadline)
	}))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/graphql", nil)
	handler.ServeHTTP(httptest.NewRecorder(), request)
	if !bounded || left > requestTimeout || requestTimeout >= writeTimeout {
		t.Errorf("a plain request has %s left, bounded %v", left, bounded)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	handler.ServeHTTP(httptest.NewRecorder(), request)
	if bounded {
		t.Errorf("a websocket has %s left", left)
	}
}

func TestWrongInventoryIsToldBeforeADatabaseIsMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := loaded(t, "--data-dir="+dir, "--targets-file="+filepath.Join(dir, "none.yaml"))
	if _, err := New(t.Context(), c, Options{Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("it ended with %v", err)
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != 0 {
		t.Errorf("there is %v, %v", made, err)
	}
}

func TestLongBackoffIsNotCut(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]time.Duration{"10s": 5 * time.Minute, "20m": 20 * time.Minute} {
		a := App{config: loaded(t, "--backoff="+given)}
		if life := a.lifeCycle(); life.MaxBackoff != want {
			t.Errorf("with BACKOFF %s the longest is %s, want %s", given, life.MaxBackoff, want)
		}
	}
}
