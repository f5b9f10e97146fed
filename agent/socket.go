package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	subprotocol      = "graphql-transport-ws"
	closeForbidden   = 4403
	subscriptionID   = "1"
	handshakeTimeout = 10 * time.Second
	writeTimeout     = 10 * time.Second
	pingInterval     = 20 * time.Second
	silenceLimit     = 50 * time.Second // two pings and a little
	messageLimit     = 1 << 20          // bytes; an offer has about a hundred
)

// message is one of graphql-transport-ws.
type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// socket is one websocket that carries one subscription. One goroutine reads and answers.
type socket struct {
	conn *websocket.Conn
}

// keep makes the socket end with ctx and when the peer falls silent. The function that it returns closes the
// socket and waits until all that keep started has ended.
func (s *socket) keep(ctx context.Context) (closed func()) {
	s.conn.SetReadLimit(messageLimit)
	s.conn.SetPongHandler(func(string) error { return s.heard() })
	ponging := s.conn.PingHandler()
	s.conn.SetPingHandler(func(data string) error {
		if err := s.heard(); err != nil {
			return err
		}
		return ponging(data)
	})
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		// The reader notices that the connection is closed; else it would wait for its deadline.
		defer func() { _ = s.conn.Close() }()
		ticker := time.NewTicker(pingInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)) != nil {
					return
				}
			case <-ctx.Done():
				goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
				// A peer that does not take it learns from the closed connection.
				_ = s.conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
				return
			case <-over:
				return
			}
		}
	})
	return func() {
		close(over)
		wg.Wait()
	}
}

// heard gives the peer its time anew.
func (s *socket) heard() error { return s.conn.SetReadDeadline(time.Now().Add(silenceLimit)) }

func (s *socket) send(m message) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteJSON(m)
}

// open says who is there and waits until the server accepts it.
func (s *socket) open(token string) error {
	if s.conn.Subprotocol() != subprotocol {
		return errors.New("the server does not speak " + subprotocol)
	}
	hello := message{Type: "connection_init"}
	if token != "" {
		payload, err := json.Marshal(map[string]string{authorization: bearer + token})
		if err != nil {
			return fmt.Errorf("encode the token: %w", err)
		}
		hello.Payload = payload
	}
	if err := s.send(hello); err != nil {
		return fmt.Errorf("greet the server: %w", err)
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	got, err := s.read()
	if err != nil {
		return fmt.Errorf("wait to be accepted: %w", err)
	}
	if got.Type != "connection_ack" {
		return fmt.Errorf("the server sent %q instead of connection_ack", got.Type)
	}
	return s.heard()
}

func (s *socket) subscribe(document string, variables map[string]any) error {
	payload, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return fmt.Errorf("encode the subscription: %w", err)
	}
	return s.send(message{Type: "subscribe", ID: subscriptionID, Payload: payload})
}

// read gives the next message that is no ping.
func (s *socket) read() (message, error) {
	for {
		var got message
		if err := s.conn.ReadJSON(&got); err != nil {
			return got, err
		}
		switch got.Type {
		case "ping":
			if err := s.send(message{Type: "pong"}); err != nil {
				return got, err
			}
		case "pong":
		default:
			return got, nil
		}
	}
}

// next reads what the subscription sends next into data. The error says why nothing more will come.
func (s *socket) next(data any) error {
	got, err := s.read()
	if err != nil {
		return err
	}
	if err := s.heard(); err != nil {
		return err
	}
	switch got.Type {
	case "next":
		var result answer
		if err := json.Unmarshal(got.Payload, &result); err != nil {
			return fmt.Errorf("decode an offer: %w", err)
		}
		if err := refusal(result.Errors); err != nil {
			return err
		}
		return json.Unmarshal(result.Data, data)
	case "error":
		var errs []wireError
		if err := json.Unmarshal(got.Payload, &errs); err != nil || len(errs) == 0 {
			return errors.New("the subscription ended with an error that says nothing")
		}
		return refusal(errs)
	case "complete":
		return errors.New("the server ended the subscription")
	default:
		return fmt.Errorf("the server sent an unknown message %q", got.Type)
	}
}
