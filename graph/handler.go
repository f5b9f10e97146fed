package graph

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/icos-jobmanager/jobmanager/graph/generated"
	"github.com/icos-jobmanager/jobmanager/graph/transport"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// Config is what the GraphQL door is made of.
type Config struct {
	Service *service.Service
	Logger  *slog.Logger
	// BodyLimit bounds a request and a websocket message, in bytes.
	BodyLimit int64
	// Websocket holds the choices for sockets; its ReadLimit is BodyLimit.
	Websocket transport.WebsocketConfig
}

// Door is the GraphQL endpoint: one http.Handler for requests and websockets.
type Door struct {
	http.Handler
	sockets *transport.Websocket
}

// The bounds of an operation.
const (
	// mostTokens of a document, against documents that cost more to parse than to send.
	mostTokens = 4_000
	// keptDocuments is how many parsed documents are kept, and longestKept how long one may be, in bytes: one
	// that holds a descriptor comes once and would fill the memory.
	keptDocuments = 1000
	longestKept   = 16 << 10
)

// shortDocuments is a cache that keeps short documents only.
type shortDocuments struct {
	graphql.Cache[*ast.QueryDocument]
}

// Add keeps the document unless its text is long.
func (c shortDocuments) Add(ctx context.Context, text string, document *ast.QueryDocument) {
	if len(text) <= longestKept {
		c.Cache.Add(ctx, text, document)
	}
}

// New makes the door. Shutdown ends its sockets.
func New(config Config) *Door {
	resolver := &Resolver{Service: config.Service}
	server := handler.New(generated.NewExecutableSchema(generated.Config{Resolvers: resolver}))
	config.Websocket.ReadLimit = config.BodyLimit
	sockets := transport.NewWebsocket(config.Websocket)
	server.AddTransport(sockets)
	server.AddTransport(transport.HTTP{ReadLimit: config.BodyLimit})
	server.SetParserTokenLimit(mostTokens)
	server.SetQueryCache(shortDocuments{lru.New[*ast.QueryDocument](keptDocuments)})
	server.Use(extension.Introspection{})
	server.Use(limits{})
	server.Use(&exactVariables{})
	presenter := presenter{config.Logger}
	server.SetErrorPresenter(presenter.present)
	server.SetRecoverFunc(presenter.recovered)
	return &Door{Handler: server, sockets: sockets}
}

// Shutdown closes every socket so that its client comes back to another replica, and waits for their
// operations to end.
func (d *Door) Shutdown(ctx context.Context) error { return d.sockets.Shutdown(ctx) }
