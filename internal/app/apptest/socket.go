package apptest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Subscription is one subscription on a websocket of its own.
type Subscription struct {
	t    testing.TB
	conn *websocket.Conn
}

// frame is one message of graphql-transport-ws.
type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Subscribe opens a websocket and subscribes; it is closed when the test ends.
func (c *Client) Subscribe(t testing.TB, query string, variables Vars) *Subscription {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: patience}
	conn, response, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(c.url, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // a handshake's body is empty
	s := &Subscription{t: t, conn: conn}
	t.Cleanup(s.Close)
	s.write(frame{Type: "connection_init"})
	if ack := s.read(); ack.Type != "connection_ack" {
		t.Fatalf("instead of connection_ack came %s %s", ack.Type, ack.Payload)
	}
	payload, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	s.write(frame{ID: "1", Type: "subscribe", Payload: payload})
	return s
}

// Close ends the connection; twice does no harm.
func (s *Subscription) Close() { _ = s.conn.Close() }

func (s *Subscription) write(f frame) {
	s.t.Helper()
	if err := s.conn.WriteJSON(f); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Subscription) read() frame {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	var f frame
	if err := s.conn.ReadJSON(&f); err != nil {
		s.t.Fatalf("the socket gave nothing more: %v", err)
	}
	return f
}

// Next reads the data of the next message; anything else fails the test.
func (s *Subscription) Next(into any) {
	s.t.Helper()
	f := s.read()
	if f.Type != "next" {
		s.t.Fatalf("instead of next came %s %s", f.Type, f.Payload)
	}
	var payload struct {
		Data   json.RawMessage
		Errors []Problem
	}
	if err := json.Unmarshal(f.Payload, &payload); err != nil {
		s.t.Fatal(err)
	}
	if len(payload.Errors) > 0 {
		s.t.Fatalf("a message with errors: %+v", payload.Errors)
	}
	if err := json.Unmarshal(payload.Data, into); err != nil {
		s.t.Fatal(err)
	}
}

// Refused reads the error that the subscription was answered with.
func (s *Subscription) Refused() Problem {
	s.t.Helper()
	f := s.read()
	if f.Type != "error" {
		s.t.Fatalf("instead of error came %s %s", f.Type, f.Payload)
	}
	var problems []Problem
	if err := json.Unmarshal(f.Payload, &problems); err != nil {
		s.t.Fatal(err)
	}
	return problems[0]
}

// Closed reads on until the server closes the socket, and gives the code.
func (s *Subscription) Closed() int {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	for {
		_, _, err := s.conn.ReadMessage()
		if err == nil {
			continue
		}
		closed, ok := err.(*websocket.CloseError) //nolint:errorlint // gorilla gives it bare
		if !ok {
			s.t.Fatalf("the socket broke: %v", err)
		}
		return closed.Code
	}
}
