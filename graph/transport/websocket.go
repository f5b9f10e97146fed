package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// WebsocketConfig holds the choices of a Websocket. Every zero value stands for the default.
type WebsocketConfig struct {
	// AllowedOrigins are the origins ("https://dashboard.example") from which pages may connect, besides
	// the server's own. A client that sends no Origin header is no browser and is let in.
	AllowedOrigins []string
	// Init looks at the payload of connection_init (nil when the client sent none) and gives the context
	// of all operations of the socket, derived from ctx. When it refuses with an error, the socket is
	// closed: with 1013 when the error is Unavailable, 1011 when it is Internal, else 4403, with the
	// sentence of a *jobmanager.Error as the reason. When the context that it gave ends by itself, as by a
	// deadline at which a token expires, the socket is closed with 4403. By default everybody is let in.
	Init func(ctx context.Context, payload map[string]any) (context.Context, error)
	// InitTimeout is how long a client may take until it is acknowledged, Init included; 10 s.
	InitTimeout time.Duration
	// PingInterval is the time between two pings of the websocket protocol; 20 s. A peer from which
	// nothing was heard for two of them is taken for dead.
	PingInterval time.Duration
	// WriteTimeout is how long one write may take; 10 s. A socket that takes longer is dropped.
	WriteTimeout time.Duration
	// ReadLimit is how many bytes a message may have; DefaultReadLimit. A longer one closes with 1009.
	ReadLimit int64
	// MaxOperations is how many operations a socket may have at a time; 100. A further one gets an error
	// with code RATE_LIMITED.
	MaxOperations int
}

// Websocket speaks graphql-transport-ws: subscriptions, queries and mutations, many at a time on one socket.
// Make one with NewWebsocket and end it with Shutdown.
type Websocket struct {
	config   WebsocketConfig
	upgrader websocket.Upgrader

	mu       sync.Mutex // guards the fields below
	sockets  map[*socket]struct{}
	draining bool
	drained  chan struct{} // closed when draining and no socket is left
}

var _ graphql.Transport = (*Websocket)(nil)

// NewWebsocket makes a transport without sockets. It starts nothing.
func NewWebsocket(config WebsocketConfig) *Websocket {
	t := &Websocket{
		config:  config.withDefaults(),
		sockets: map[*socket]struct{}{},
		drained: make(chan struct{}),
	}
	t.upgrader = websocket.Upgrader{
		HandshakeTimeout: t.config.WriteTimeout,
		Subprotocols:     []string{subprotocol},
		CheckOrigin:      t.originAllowed,
		Error:            refuseUpgrade,
	}
	return t
}

func (c WebsocketConfig) withDefaults() WebsocketConfig {
	if c.Init == nil {
		c.Init = func(ctx context.Context, _ map[string]any) (context.Context, error) { return ctx, nil }
	}
	for _, duration := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&c.InitTimeout, 10 * time.Second},
		{&c.PingInterval, 20 * time.Second},
		{&c.WriteTimeout, 10 * time.Second},
	} {
		if *duration.value == 0 {
			*duration.value = duration.standard
		}
	}
	if c.ReadLimit == 0 {
		c.ReadLimit = DefaultReadLimit
	}
	if c.MaxOperations == 0 {
		c.MaxOperations = 100
	}
	return c
}

// Supports is true for every request that asks for a websocket.
func (*Websocket) Supports(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Do upgrades the request and serves its socket. It returns when the socket is closed and every goroutine of
// it has ended. After Shutdown it answers 503.
func (t *Websocket) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	s := &socket{
		config: t.config, exec: exec, header: r.Header,
		ctx: ctx, cancel: end, operations: map[string]*operation{},
	}
	if !t.enter(s) {
		w.Header().Set("Retry-After", "1")
		refuseHandshake(w, http.StatusServiceUnavailable,
			problem(jobmanager.CodeUnavailable, "the server is about to stop; connect again"))
		return
	}
	defer t.leave(s)
	conn, err := t.upgrader.Upgrade(w, r, nil)
	if err != nil {
		// The upgrader has answered, through refuseUpgrade.
		return
	}
	s.conn = conn
	s.run() //nolint:contextcheck // the socket holds ctx, which comes from the request
}

// Shutdown takes no further sockets, closes every open one with 1012 so that its client connects elsewhere,
// cancels the operations and waits until all their goroutines have ended. It returns an error when ctx ends
// earlier. Call it before what feeds the subscriptions ends: a stream that ends by itself is complete for its
// client, which then does not come back. http.Server.Shutdown knows nothing of these sockets.
func (t *Websocket) Shutdown(ctx context.Context) error {
	t.mu.Lock()
	if !t.draining {
		t.draining = true
		if len(t.sockets) == 0 {
			close(t.drained)
		}
	}
	for s := range t.sockets {
		s.end(closeRestart, "the server is about to stop; connect again")
	}
	t.mu.Unlock()
	select {
	case <-t.drained:
		return nil
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		return fmt.Errorf("shut down websockets: %d still open: %w", len(t.sockets), ctx.Err())
	}
}

func (t *Websocket) enter(s *socket) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.draining {
		return false
	}
	t.sockets[s] = struct{}{}
	return true
}

func (t *Websocket) leave(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sockets, s)
	if t.draining && len(t.sockets) == 0 {
		close(t.drained)
	}
}

// originAllowed keeps pages of other origins from using the socket with the user's credentials: browsers do
// not ask before they open a websocket to a foreign origin.
func (t *Websocket) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	_, host, found := strings.Cut(origin, "://")
	if found && strings.EqualFold(host, r.Host) {
		return true
	}
	return slices.ContainsFunc(t.config.AllowedOrigins, func(allowed string) bool {
		return strings.EqualFold(strings.TrimSuffix(allowed, "/"), origin)
	})
}

func refuseUpgrade(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	if status == http.StatusForbidden {
		refuseHandshake(w, status, problem(jobmanager.CodeForbidden,
			"pages of this origin may not connect; add the origin to the allowed ones"))
		return
	}
	w.Header().Set("Sec-Websocket-Version", "13")
	refuseHandshake(w, status, problem(jobmanager.CodeInvalid, "the websocket handshake failed: %s", reason))
}

func refuseHandshake(w http.ResponseWriter, status int, why *gqlerror.Error) {
	// An error of strings alone always marshals.
	text, _ := json.Marshal(response{Errors: gqlerror.List{why}})
	w.Header().Set("Content-Type", mediaJSON+"; charset=utf-8")
	w.WriteHeader(status)
	// A client that has gone cannot be told so.
	_, _ = w.Write(text)
}
