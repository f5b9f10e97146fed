package agent_test

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// frame is a message of graphql-transport-ws.
type frame struct {
	Type    string          `json:"type"`
	ID      string          `json:"id,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

func (f *fake) subscription(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{Subprotocols: []string{"graphql-transport-ws"}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		f.t.Errorf("upgrade: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	var hello, subscribe frame
	f.mu.Lock()
	f.connects = append(f.connects, time.Now())
	greet := f.greet
	f.mu.Unlock()
	if conn.ReadJSON(&hello) != nil || hello.Type != "connection_init" || !greet(conn) {
		return
	}
	if conn.WriteJSON(frame{Type: "ping"}) != nil || conn.WriteJSON(frame{Type: "connection_ack"}) != nil {
		return
	}
	var pong frame
	if conn.ReadJSON(&pong) != nil || pong.Type != "pong" || conn.ReadJSON(&subscribe) != nil || subscribe.Type != "subscribe" {
		f.t.Errorf("after the ack: %v, %v", pong, subscribe)
		return
	}
	if op, _ := f.check(subscribe.Payload); op != "jobExecutable" {
		f.t.Errorf("subscribed to %s", subscribe.Payload)
	}
	f.mu.Lock()
	f.socket = conn
	f.hello = map[string]any{}
	_ = json.Unmarshal(hello.Payload, &f.hello)
	online, deaf := f.online, f.deaf
	f.deaf = false
	f.mu.Unlock()
	close(online)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.socket, f.online = nil, make(chan struct{})
	}()
	if deaf {
		_, _ = io.Copy(io.Discard, conn.NetConn())
	}
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			return
		}
	}
}

// offer pushes a job to the agent, once it is subscribed.
func (f *fake) offer(id string) {
	f.t.Helper()
	f.mu.Lock()
	epoch := f.epoch[id]
	f.mu.Unlock()
	f.push(frame{Type: "next", ID: "1", Payload: mustJSON(map[string]any{
		"data": map[string]any{"jobExecutable": map[string]any{"id": id, "epoch": epoch}},
	})})
}

func (f *fake) push(m frame) {
	f.t.Helper()
	f.mu.Lock()
	online := f.online
	f.mu.Unlock()
	<-online
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.socket.WriteJSON(m); err != nil {
		f.t.Errorf("push: %v", err)
	}
}

// hangUp ends the subscription's connection without a word.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.socket != nil {
		_ = f.socket.Close()
	}
}

// goAway makes the whole server unreachable, or reachable again.
func (f *fake) goAway(away bool) {
	f.mu.Lock()
	f.away = away
	f.mu.Unlock()
	if away {
		f.hangUp()
	}
}

func mustJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte(err.Error())
	}
	return text
}
