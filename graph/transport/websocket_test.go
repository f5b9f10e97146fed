package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/graph/transport"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	subscribeStream = `{"id":"1","type":"subscribe","payload":{"query":"subscription{stream}"}}`
	queryHello      = `{"id":"q","type":"subscribe","payload":{"query":"{hello}"}}`
	helloResult     = `{"type":"next","id":"q","payload":{"data":{"hello":"world"}}}`
	helloComplete   = `{"type":"complete","id":"q"}`
)

func TestEveryKindOfOperationRunsOverTheSocket(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, nil).open(t)
	c.send(subscribeStream)
	c.want(`{"type":"next","id":"1","payload":{"data":{"stream":"one"}}}`,
		`{"type":"next","id":"1","payload":{"data":{"stream":"two"}}}`,
		`{"type":"complete","id":"1"}`)
	c.send(queryHello)
	c.want(helloResult, helloComplete)
	c.send(`{"id":"m","type":"subscribe","payload":{"query":"mutation{bump}","variables":null,"operationName":null}}`)
	c.want(`{"type":"next","id":"m","payload":{"data":{"bump":1}}}`, `{"type":"complete","id":"m"}`)
	c.send(`{"id":"e","type":"subscribe","payload":{"query":"query($v:Any){echo(value:$v)}","variables":{"v":9007199254740993}}}`)
	c.want(`{"type":"next","id":"e","payload":{"data":{"echo":9007199254740993}}}`, `{"type":"complete","id":"e"}`)
}

func TestPingIsAnsweredWithItsPayloadAlsoBeforeInit(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, nil).dial(t, "graphql-transport-ws")
	c.send(`{"type":"ping"}`)
	c.want(`{"type":"pong"}`)
	c.send(`{"type":"ping","payload":{"at":12345678901234567890}}`)
	c.want(`{"type":"pong","payload":{"at":12345678901234567890}}`)
	c.send(`{"type":"ping","payload":null}`)
	c.want(`{"type":"pong"}`)
	c.send(`{"type":"pong","payload":{}}`)
	c.send(`{"type":"connection_init"}`)
	c.want(`{"type":"connection_ack"}`)
}

func TestABreachOfTheProtocolClosesWithItsCode(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	server := newSocketServer(t, transport.WebsocketConfig{ReadLimit: 1000}, map[string]field{"stream": quiet.field()})
	const open = `{"type":"connection_init","payload":{}}`
	for _, breach := range []struct {
		name   string
		frames []string
		code   int
	}{
		{"no JSON", []string{`garbage`}, 4400},
		{"not UTF-8", []string{"{\"type\":\"ping\xff\"}"}, 4400},
		{"no object", []string{`[]`}, 4400},
		{"null", []string{`null`}, 4400},
		{"no type", []string{`{}`}, 4400},
		{"type is no string", []string{`{"type":1}`}, 4400},
		{"unknown type", []string{`{"type":"start"}`}, 4400},
		{"a message of the server", []string{open, `{"type":"connection_ack"}`}, 4400},
		{"init payload is no object", []string{`{"type":"connection_init","payload":"token"}`}, 4400},
		{"init payload is a list", []string{`{"type":"connection_init","payload":[]}`}, 4400},
		{"ping payload is no object", []string{`{"type":"ping","payload":1}`}, 4400},
		{"subscribe without id", []string{open, `{"type":"subscribe","payload":{"query":"{hello}"}}`}, 4400},
		{"subscribe with an empty id", []string{open, `{"id":"","type":"subscribe","payload":{"query":"{hello}"}}`}, 4400},
		{"subscribe with a number as id", []string{open, `{"id":1,"type":"subscribe","payload":{"query":"{hello}"}}`}, 4400},
		{"subscribe without payload", []string{open, `{"id":"1","type":"subscribe"}`}, 4400},
		{"subscribe without query", []string{open, `{"id":"1","type":"subscribe","payload":{}}`}, 4400},
		{"subscribe with variables that are no object", []string{open, `{"id":"1","type":"subscribe","payload":{"query":"{hello}","variables":[]}}`}, 4400},
		{"complete without id", []string{open, `{"type":"complete"}`}, 4400},
		{"subscribe before init", []string{subscribeStream}, 4401},
		{"duplicate id", []string{open, subscribeStream, subscribeStream}, 4409},
		{"second init", []string{open, open}, 4429},
		{"message too large", []string{`{"type":"ping","payload":{"a":"` + strings.Repeat("a", 1000) + `"}}`}, 1009},
		{"more after the breach", append([]string{`garbage`}, strings.Split(strings.Repeat("more ", 50), " ")...), 4400},
	} {
		t.Run(breach.name, func(t *testing.T) {
			t.Parallel()
			c := server.dial(t, "graphql-transport-ws")
			for _, frame := range breach.frames {
				c.send(frame)
			}
			if breach.frames[0] == open {
				c.want(`{"type":"connection_ack"}`)
			}
			if reason := c.wantClose(breach.code); reason == "" || len(reason) > 123 {
				t.Errorf("reason %q", reason)
			}
		})
	}
}

func TestALongReasonIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	quiet := newSilent()
	c := newSocketServer(t, transport.WebsocketConfig{}, map[string]field{"stream": quiet.field()}).open(t)
	for range 2 {
		c.subscribe(strings.Repeat("ü", 200), "subscription{stream}")
	}
	if reason := c.wantClose(4409); len(reason) > 123 || len(reason) < 120 || strings.ContainsRune(reason, '\uFFFD') {
		t.Errorf("reason %q of %d bytes", reason, len(reason))
	}
}

func TestABinaryMessageClosesWith4400(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, nil).open(t)
	if err := c.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`)); err != nil {
		t.Fatal(err)
	}
	c.wantClose(4400)
}

func TestABrokenFrameClosesWith1002(t *testing.T) {
	t.Parallel()
	c := newSocketServer(t, transport.WebsocketConfig{}, nil).open(t)
	// A frame with reserved bits, which no extension has claimed.
	if _, err := c.conn.NetConn().Write([]byte{0xF1, 0x80, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	c.wantClose(1002)
}

func TestAnotherSubprotocolClosesWith4406(t *testing.T) {
	t.Parallel()
	server := newSocketServer(t, transport.WebsocketConfig{}, nil)
	for _, protocols := range [][]string{nil, {"graphql-ws"}} {
		server.dial(t, protocols...).wantClose(4406)
	}
	c := server.dial(t, "graphql-ws", "graphql-transport-ws")
	c.send(`{"type":"connection_init"}`)
	c.want(`{"type":"connection_ack"}`)
}

func TestAClientThatIsNotAcknowledgedInTimeIsClosedWith4408(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, _ map[string]any) (context.Context, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	server := newSocketServer(t, transport.WebsocketConfig{InitTimeout: 200 * time.Millisecond, Init: slow}, nil)
	server.dial(t, "graphql-transport-ws").wantClose(4408)
	c := server.dial(t, "graphql-transport-ws")
	c.send(`{"type":"connection_init"}`)
	c.wantClose(4408)
}

type principalKey struct{}

func TestTheContextOfInitReachesTheOperations(t *testing.T) {
	t.Parallel()
	config := transport.WebsocketConfig{Init: func(ctx context.Context, payload map[string]any) (context.Context, error) {
		return context.WithValue(ctx, principalKey{}, payload["token"]), nil
	}}
	c := newSocketServer(t, config, map[string]field{
		"field": func(ctx context.Context, args map[string]any) graphql.ResponseHandler {
			return value(fmt.Sprintf(`{"field":"%v"}`, ctx.Value(principalKey{})))(ctx, args)
		},
	}).dial(t, "graphql-transport-ws")
	c.send(`{"type":"connection_init","payload":{"token":"abc"}}`)
	c.want(`{"type":"connection_ack"}`)
	c.send(`{"id":"1","type":"subscribe","payload":{"query":"{field}"}}`)
	c.want(`{"type":"next","id":"1","payload":{"data":{"field":"abc"}}}`)
}

func TestARefusedInitClosesWithTheCodeOfItsReason(t *testing.T) {
	t.Parallel()
	for _, refused := range []struct {
		err    error
		code   int
		reason string
	}{
		{errors.New("secret detail"), 4403, "forbidden"},
		{jobmanager.Errorf(jobmanager.CodeUnauthenticated, "the token has expired"), 4403, "the token has expired"},
		{jobmanager.Errorf(jobmanager.CodeUnavailable, "no keys yet"), 1013, "no keys yet"},
		{jobmanager.Errorf(jobmanager.CodeInternal, "secret detail"), 1011, "internal error; try again"},
	} {
		config := transport.WebsocketConfig{Init: func(context.Context, map[string]any) (context.Context, error) {
			return nil, refused.err
		}}
		c := newSocketServer(t, config, nil).dial(t, "graphql-transport-ws")
		c.send(`{"type":"connection_init"}`)
		if reason := c.wantClose(refused.code); reason != refused.reason {
			t.Errorf("%v: reason %q", refused.err, reason)
		}
	}
}

func TestAPanicInInitClosesWith4500(t *testing.T) {
	t.Parallel()
	config := transport.WebsocketConfig{Init: func(context.Context, map[string]any) (context.Context, error) {
		panic("at the disco") //nolint:forbidigo // what the server makes of a panic is what is tested
	}}
	c := newSocketServer(t, config, nil).dial(t, "graphql-transport-ws")
	c.send(`{"type":"connection_init"}`)
	c.wantClose(4500)
}

func TestAPermissionThatExpiresClosesWith4403(t *testing.T) {
	t.Parallel()
	expire := make(chan struct{})
	config := transport.WebsocketConfig{Init: func(ctx context.Context, _ map[string]any) (context.Context, error) {
		ctx, cancel := context.WithCancel(ctx)
		go func() {
			<-expire
			cancel()
		}()
		return ctx, nil
	}}
	quiet := newSilent()
	c := newSocketServer(t, config, map[string]field{"stream": quiet.field()}).open(t)
	c.send(subscribeStream)
	await(t, "the subscription", quiet.started)
	close(expire)
	c.wantClose(4403)
	await(t, "the end of the subscription", quiet.ended)
}

func TestAHandshakeThatFailsIsToldWhy(t *testing.T) {
	t.Parallel()
	server := newSocketServer(t, transport.WebsocketConfig{}, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(server.url, "ws"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "websocket")
	request.Header.Set("Sec-Websocket-Version", "12")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusBadRequest || response.Header.Get("Sec-Websocket-Version") != "13" {
		t.Errorf("got %+v, %v", response, err)
	}
	if code := codeIn(t, string(body)); code != "INVALID" {
		t.Errorf("body %s", body)
	}
}

func TestOnlyAllowedOriginsMayConnect(t *testing.T) {
	t.Parallel()
	server := newSocketServer(t, transport.WebsocketConfig{AllowedOrigins: []string{"https://dashboard.example/"}}, nil)
	own := "http" + strings.TrimPrefix(server.url, "ws")
	for origin, status := range map[string]int{
		"":                                 101,
		own:                                101,
		"https://dashboard.example":        101,
		"HTTPS://Dashboard.example":        101,
		"http://dashboard.example":         403,
		"https://evil.example":             403,
		"https://dashboard.example.evil.x": 403,
		"null":                             403,
	} {
		header := map[string][]string{}
		if origin != "" {
			header["Origin"] = []string{origin}
		}
		dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
		conn, response, err := dialer.DialContext(t.Context(), server.url, header)
		if response == nil {
			t.Fatalf("origin %q: no answer: %v", origin, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("origin %q: got %+v, want %d", origin, response, status)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
}
