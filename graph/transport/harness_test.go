package transport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/graph/transport"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; reaching it fails the test.
const patience = time.Minute

const schemaText = `
scalar Any
type Query { hello: String echo(value: Any): Any field: String }
type Mutation { bump: Int }
type Subscription { stream: String }
`

// field executes the first field of an operation.
type field func(ctx context.Context, args map[string]any) graphql.ResponseHandler

// tinySchema is an executable schema whose fields are functions of the test.
type tinySchema struct {
	parsed *ast.Schema
	fields map[string]field
}

func (s tinySchema) Schema() *ast.Schema { return s.parsed }

func (s tinySchema) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 1, true
}

func (s tinySchema) Exec(ctx context.Context) graphql.ResponseHandler {
	operation := graphql.GetOperationContext(ctx)
	selected, _ := operation.Operation.SelectionSet[0].(*ast.Field)
	run, known := s.fields[selected.Name]
	if !known {
		return graphql.OneShot(graphql.ErrorResponse(ctx, "the test has no field %s", selected.Name))
	}
	return run(ctx, selected.ArgumentMap(operation.Variables))
}

// value answers with data, a JSON text.
func value(data string) field {
	return func(context.Context, map[string]any) graphql.ResponseHandler {
		return graphql.OneShot(&graphql.Response{Data: json.RawMessage(data)})
	}
}

// stream answers with what start's channel gives, until it is closed.
func stream(start func(ctx context.Context) <-chan string) field {
	return func(ctx context.Context, _ map[string]any) graphql.ResponseHandler {
		items := start(ctx)
		return func(ctx context.Context) *graphql.Response {
			select {
			case item, open := <-items:
				if !open {
					return nil
				}
				data, _ := json.Marshal(map[string]string{"stream": item})
				return &graphql.Response{Data: data}
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// panicking is a field whose resolver panics.
func panicking(context.Context, map[string]any) graphql.ResponseHandler {
	panic("at the disco") //nolint:forbidigo // what the server makes of a panic is what is tested
}

// silent is a subscription that yields nothing; it tells of its start and of its end.
type silent struct{ started, ended chan struct{} }

func newSilent() silent {
	return silent{started: make(chan struct{}, 100), ended: make(chan struct{}, 100)}
}

func (s silent) field() field {
	return func(context.Context, map[string]any) graphql.ResponseHandler {
		return func(ctx context.Context) *graphql.Response {
			s.started <- struct{}{}
			<-ctx.Done()
			s.ended <- struct{}{}
			return nil
		}
	}
}

// standardFields are the fields that most tests need; more are added by the test.
func standardFields(more map[string]field) map[string]field {
	fields := map[string]field{
		"__typename": value(`{"__typename":"Query"}`),
		"__type":     value(`{"__type":null}`),
		"hello":      value(`{"hello":"world"}`),
		"bump":       value(`{"bump":1}`),
		"echo": func(_ context.Context, args map[string]any) graphql.ResponseHandler {
			data, _ := json.Marshal(map[string]any{"echo": args["value"]})
			return graphql.OneShot(&graphql.Response{Data: data})
		},
		"stream": stream(func(context.Context) <-chan string {
			items := make(chan string, 2)
			items <- "one"
			items <- "two"
			close(items)
			return items
		}),
	}
	for name, run := range more {
		fields[name] = run
	}
	return fields
}

// newHandler is a GraphQL server without transports.
func newHandler(fields map[string]field) *handler.Server {
	server := handler.New(tinySchema{
		parsed: gqlparser.MustLoadSchema(&ast.Source{Input: schemaText}), fields: standardFields(fields),
	})
	server.SetRecoverFunc(func(_ context.Context, cause any) error { return fmt.Errorf("recovered: %v", cause) })
	server.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error {
		presented := graphql.DefaultErrorPresenter(ctx, err)
		if code := jobmanager.CodeOf(err); code != jobmanager.CodeInternal {
			presented.Extensions = map[string]any{"code": string(code)}
		}
		return presented
	})
	return server
}

// socketServer is a running server with a websocket transport.
type socketServer struct {
	url       string
	websocket *transport.Websocket
}

func newSocketServer(t testing.TB, config transport.WebsocketConfig, fields map[string]field) socketServer {
	t.Helper()
	sockets := transport.NewWebsocket(config)
	graphqlHandler := newHandler(fields)
	graphqlHandler.AddTransport(sockets)
	graphqlHandler.AddTransport(transport.HTTP{})
	server := httptest.NewServer(graphqlHandler)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := sockets.Shutdown(ctx); err != nil {
			t.Errorf("shut down after the test: %v", err)
		}
		server.Close()
	})
	return socketServer{url: "ws" + strings.TrimPrefix(server.URL, "http"), websocket: sockets}
}

// client is a websocket client that fails its test where the server says something else than expected.
type client struct {
	t    testing.TB
	conn *websocket.Conn
}

func (s socketServer) dial(t testing.TB, protocols ...string) client {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: protocols}
	conn, response, err := dialer.DialContext(t.Context(), s.url, nil)
	if err != nil {
		t.Fatalf("dial: %v (%+v)", err, response)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return client{t: t, conn: conn}
}

// open dials and goes through the initialisation.
func (s socketServer) open(t testing.TB) client {
	t.Helper()
	c := s.dial(t, "graphql-transport-ws")
	c.send(`{"type":"connection_init"}`)
	c.want(`{"type":"connection_ack"}`)
	return c
}

func (c client) send(text string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatalf("send %s: %v", text, err)
	}
}

// subscribe asks for an operation.
func (c client) subscribe(id, query string) {
	c.t.Helper()
	text, err := json.Marshal(map[string]any{
		"id": id, "type": "subscribe", "payload": map[string]string{"query": query},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(string(text))
}

func (c client) receive() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, text, err := c.conn.ReadMessage()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	return string(text)
}

func (c client) want(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if got := c.receive(); got != text {
			c.t.Fatalf("got  %s\nwant %s", got, text)
		}
	}
}

// wantClose wants nothing more but a close frame; it gives the reason.
func (c client) wantClose(code int) string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	_, text, err := c.conn.ReadMessage()
	closed, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		c.t.Fatalf("got message %s, error %v; want close code %d", text, err, code)
	}
	if closed.Code != code {
		c.t.Fatalf("closed with %d %q; want %d", closed.Code, closed.Text, code)
	}
	return closed.Text
}

func await(t testing.TB, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		t.Fatalf("%s: did not happen", what)
	}
}
