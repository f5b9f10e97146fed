package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// TestMatchmakerGetsTheTokenOfTheCaller submits with a token in the header and in connection_init, to a
// Matchmaker that wants one, as the real one does.
func TestMatchmakerGetsTheTokenOfTheCaller(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{RequireToken: true}).Start(t)
	s := apptest.Start(t, apptest.Options{Configure: func(c *config.Config) { c.Matchmaking.URL = peer.URL }})
	body, err := json.Marshal(map[string]any{"query": submit, "variables": apptest.Vars{"descriptor": shop}})
	if err != nil {
		t.Fatal(err)
	}
	if problem := s.Refused(t, submit, apptest.Vars{"descriptor": shop}); problem.Extensions.Code != "UNAUTHENTICATED" {
		t.Errorf("without a token: %+v", problem)
	}
	submitInRequest(t, s.URL, body)
	submitOverSocket(t, s.URL, body)

	var tokens []string
	for _, request := range peer.Requests() {
		tokens = append(tokens, request.Authorization)
	}
	if got, want := strings.Join(tokens, ", "), ", Bearer in-the-header, Bearer in-the-payload"; got != want {
		t.Errorf("the Matchmaker got %q, want %q", got, want)
	}
}

func submitInRequest(t *testing.T, url string, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer in-the-header")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	var answer apptest.Answer
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Errors) > 0 {
		t.Errorf("with a token in the header: %+v, %v", answer.Errors, err)
	}
}

func submitOverSocket(t *testing.T, url string, body []byte) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // a handshake's body is empty
	defer func() { _ = conn.Close() }()
	frames := []string{
		`{"type":"connection_init","payload":{"Authorization":"Bearer in-the-payload"}}`,
		`{"id":"1","type":"subscribe","payload":` + string(body) + `}`,
	}
	for _, frame := range frames {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		_, answer, err := conn.ReadMessage()
		if err != nil || strings.Contains(string(answer), "error") {
			t.Fatalf("%s\nanswered %s, %v", frame, answer, err)
		}
	}
}
