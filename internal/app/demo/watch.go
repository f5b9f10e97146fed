package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// watch tells each change of the group's jobs and of its phase, as the server pushes them over a websocket,
// until ctx ends. When the group is RUNNING and every resource is available for the first time it calls up, and
// ends when that says so. When the connection is lost it comes back and goes on behind the last cursor, so that
// it tells nothing twice and misses nothing.
func watch(ctx context.Context, url, groupID string, say *narrator, up func() (end bool, err error)) error {
	w := &watcher{
		groupID: groupID, say: say, up: up,
		after: map[string]string{}, available: map[string]bool{}, told: map[string]string{},
	}
	for {
		err := w.follow(ctx, "ws"+strings.TrimPrefix(url, "http")+"/graphql")
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		var refused *refusal
		if errors.As(err, &refused) {
			return err
		}
		say.line("the watch lost the server and comes back")
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// watcher is what is known of the group so far.
type watcher struct {
	groupID   string
	say       *narrator
	up        func() (bool, error) // nil once it was called
	after     map[string]string    // newest cursor of each subscription
	running   bool
	available map[string]bool // by job id
	told      map[string]string
}

// errEnough ends a watch that has seen what it was for.
var errEnough = errors.New("the application runs")

// refusal is an answer that no second try changes.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// The two subscriptions, by the id that they have on the socket.
var subscriptions = map[string]string{
	"jobs": `subscription Jobs($id: ID!, $after: String) { jobChanged(filter: {jobGroupIds: [$id]}, after: $after) {
		kind cursor job ` + jobFields + ` } }`,
	"group": `subscription Group($id: ID!, $after: String) { jobGroupChanged(filter: {ids: [$id]}, after: $after) {
		kind cursor jobGroup { id name phase } } }`,
}

// envelope is one message of graphql-transport-ws.
type envelope struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// follow opens a socket and reads until ctx ends, the connection is lost or it was enough.
func (w *watcher) follow(ctx context.Context, url string) error {
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: 5 * time.Second}
	conn, answer, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_ = answer.Body.Close() // a handshake's body is empty
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // ends the read below
	if err := conn.WriteJSON(envelope{Type: "connection_init"}); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for {
		var message envelope
		if err := conn.ReadJSON(&message); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := w.take(conn, message); err != nil {
			return err
		}
		if w.up == nil || !w.done() {
			continue
		}
		end, err := w.up()
		w.up = nil
		if err != nil {
			return &refusal{err.Error()}
		}
		if end {
			return errEnough
		}
	}
}

// take answers or tells one message.
func (w *watcher) take(conn *websocket.Conn, message envelope) error {
	switch message.Type {
	case "connection_ack":
		return w.subscribe(conn)
	case "ping":
		return conn.WriteJSON(envelope{Type: "pong"})
	case "next":
		return w.tell(message)
	case "error":
		return &refusal{"the server refused the watch: " + string(message.Payload)}
	}
	return nil
}

func (w *watcher) subscribe(conn *websocket.Conn) error {
	for id, query := range subscriptions {
		variables := map[string]any{"id": w.groupID}
		if cursor := w.after[id]; cursor != "" {
			variables["after"] = cursor
		}
		payload, err := json.Marshal(map[string]any{"query": query, "variables": variables})
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		if err := conn.WriteJSON(envelope{ID: id, Type: "subscribe", Payload: payload}); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	return nil
}

// tell shows what a message changed.
func (w *watcher) tell(message envelope) error {
	var payload struct {
		Data struct {
			JobChanged *struct {
				Cursor string
				Job    *job
			}
			JobGroupChanged *struct {
				Cursor   string
				JobGroup *group
			}
		}
	}
	if err := json.Unmarshal(message.Payload, &payload); err != nil {
		return fmt.Errorf("read a message: %w", err)
	}
	if m := payload.Data.JobChanged; m != nil {
		w.after["jobs"] = m.Cursor
		if m.Job != nil {
			w.tellJob(*m.Job)
		}
	}
	if m := payload.Data.JobGroupChanged; m != nil {
		w.after["group"] = m.Cursor
		if m.JobGroup != nil {
			w.running = m.JobGroup.Phase == "RUNNING"
			w.say.line("%s is %s", m.JobGroup.Name, m.JobGroup.Phase)
		}
	}
	return nil
}

func (w *watcher) tellJob(j job) {
	w.available[j.ID] = j.Resource != nil && strings.Contains(conditions(j.Resource.Conditions), "+Available")
	if row := j.String(); w.told[j.ID] != row {
		w.told[j.ID] = row
		w.say.line("  %s", row)
	}
}

// done says whether the group runs and all of it is available.
func (w *watcher) done() bool {
	for _, available := range w.available {
		if !available {
			return false
		}
	}
	return w.running
}
