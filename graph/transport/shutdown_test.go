package transport_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/graph/transport"
)

func TestShutdownClosesEverySocketWith1012AndWaitsForItsOperations(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	server := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{"stream": quiet.field()})
	var clients []client
	for range 3 {
		c := server.open(t)
		c.send(subscribeStream)
		c.send(strings.Replace(subscribeStream, `"1"`, `"2"`, 1))
		clients = append(clients, c, server.dial(t, "graphql-transport-ws"))
	}
	for range 6 {
		await(t, "the subscriptions", quiet.started)
	}
	done := make(chan error, 2)
	for range 2 { // a second call waits as well
		go func() { done <- server.websocket.Shutdown(context.Background()) }()
	}
	for _, c := range clients {
		c.wantClose(1012) // and no complete before: the client shall come back
		_ = c.conn.Close()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if len(quiet.ended) != 6 {
		t.Errorf("Shutdown returned when %d of 6 subscriptions had ended", len(quiet.ended))
	}
	_, response, err := websocket.DefaultDialer.DialContext(t.Context(), server.url, nil)
	if err == nil || response == nil {
		t.Fatalf("a new socket after Shutdown: %v, %+v", err, response)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new socket after Shutdown: %v, %+v", err, response)
	}
}

func TestShutdownSaysWhatIsStillOpenWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	release, started := make(chan struct{}), make(chan struct{})
	server := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{
		"stream": func(context.Context, map[string]any) graphql.ResponseHandler {
			close(started)
			<-release
			return graphql.OneShot(nil)
		},
	})
	c := server.open(t)
	c.send(subscribeStream)
	await(t, "the start", started)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.websocket.Shutdown(ctx) }()
	c.wantClose(1012)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 still open") {
		t.Errorf("got %v", err)
	}
	close(release)
}

func TestShutdownWithoutSocketsReturnsAtOnce(t *testing.T) {
	t.Parallel()
	sockets := transport.NewWebsocket(transport.WebsocketConfig{})
	for range 2 {
		if err := sockets.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAClientThatLeavesEndsItsOperations(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	server := newSocketServer(t, transport.WebsocketConfig{PingInterval: time.Hour}, map[string]field{"stream": quiet.field()})
	leave := map[string]func(c client){
		"by a close frame": func(c client) {
			frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			_ = c.conn.WriteMessage(websocket.CloseMessage, frame)
		},
		"without a word": func(c client) { _ = c.conn.Close() },
	}
	for name, how := range leave {
		c := server.open(t)
		c.send(subscribeStream)
		await(t, "the start", quiet.started)
		how(c)
		await(t, "the end of one who left "+name, quiet.ended)
	}
}

func TestAPeerThatAnswersNoPingIsReaped(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	config := transport.WebsocketConfig{PingInterval: 400 * time.Millisecond}
	c := newSocketServer(t, config, map[string]field{"stream": quiet.field()}).open(t)
	c.send(subscribeStream)
	await(t, "the start", quiet.started)
	// The client reads no more and so sends no pong.
	await(t, "the end", quiet.ended)
}

func TestAPeerThatAnswersPingsStays(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	config := transport.WebsocketConfig{PingInterval: 1500 * time.Millisecond}
	c := newSocketServer(t, config, map[string]field{"stream": quiet.field()}).open(t)
	c.send(subscribeStream)
	pings := make(chan struct{}, 100)
	answer := c.conn.PingHandler()
	c.conn.SetPingHandler(func(data string) error {
		if len(pings) == 5 {
			c.send(queryHello)
		}
		pings <- struct{}{}
		return answer(data)
	})
	// Five pings take more than twice the time that a silent peer is given.
	c.want(helloResult, helloComplete)
	if len(quiet.ended) != 0 {
		t.Error("the subscription has ended")
	}
}

func TestAReaderThatIsStuckIsDroppedAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	flooded := make(chan struct{})
	flood := func(ctx context.Context, _ map[string]any) graphql.ResponseHandler {
		data := []byte(`{"stream":"` + strings.Repeat("x", 1<<20) + `"}`)
		context.AfterFunc(ctx, func() { close(ended) })
		count := 0
		return func(context.Context) *graphql.Response {
			if count++; count == 2 {
				close(flooded)
			}
			return &graphql.Response{Data: data}
		}
	}
	config := transport.WebsocketConfig{PingInterval: time.Hour, WriteTimeout: 2 * time.Second}
	server := newSocketServer(t, config, map[string]field{"stream": flood})
	stuck := server.open(t)
	stuck.send(subscribeStream)
	await(t, "the flood", flooded)
	server.open(t).wantNothingMore()
	await(t, "the end of the stuck one", ended)
}
