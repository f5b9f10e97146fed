package app

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/icos-jobmanager/jobmanager/graph"
	"github.com/icos-jobmanager/jobmanager/graph/graphiql"
	"github.com/icos-jobmanager/jobmanager/graph/transport"
	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/rest"
)

// The bounds of HTTP connections.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	// writeTimeout is from the end of a request's header to the last byte of its answer: a client that does
	// not read holds nothing for longer. Websockets are hijacked, which lifts it.
	writeTimeout = 60 * time.Second
	// requestTimeout ends the work on a request early enough to answer that it took too long.
	requestTimeout  = 50 * time.Second
	idleTimeout     = 2 * time.Minute
	mostHeaderBytes = 64 << 10
	// readyTimeout bounds one readiness check.
	readyTimeout = 2 * time.Second
)

// buildHTTP makes the doors and mounts them.
func (a *App) buildHTTP() error {
	page, err := graphiql.Handler()
	if err != nil {
		return fmt.Errorf("the embedded GraphiQL is damaged: %w", err)
	}
	a.door = graph.New(graph.Config{
		Service: a.service, Logger: a.logger, BodyLimit: a.config.BodyLimit,
		Websocket: transport.WebsocketConfig{AllowedOrigins: a.config.AllowedOrigins, Init: a.gate.Init},
	})
	old, err := a.restDoor()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", a.gate.GuardSockets(auth.GraphQL{}, limited(a.door)))
	mux.Handle("/graphiql", page)
	mux.Handle("/graphiql/", page)
	mux.Handle("GET /metrics", a.gate.Guard(auth.GraphQL{}, promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{})))
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /{$}", http.RedirectHandler("/graphiql", http.StatusFound))
	a.http = &http.Server{
		Handler:           a.logged(beside(old, mux)),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    mostHeaderBytes,
	}
	return nil
}

// restDoor makes the door of the old API.
func (a *App) restDoor() (http.Handler, error) {
	docs, err := rest.Docs()
	if err != nil {
		return nil, err
	}
	return bounded(rest.New(rest.Config{
		Service: a.service, Logger: a.logger, BodyLimit: a.config.BodyLimit, RefusedPromote: a.config.RefusedPromote,
		Guard: func(next http.Handler) http.Handler { return a.gate.Guard(rest.Refuser{}, next) }, Docs: docs,
	})), nil
}

// beside gives the REST door everything under /jobmanager as it came: ServeMux would clean the path first, with other
// redirects than those of the old service's router, which the door has itself.
func beside(old, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/jobmanager" || strings.HasPrefix(r.URL.Path, "/jobmanager/") {
			old.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// bounded gives requests a deadline.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// limited gives plain requests a deadline. A websocket lives for as long as its client wants.
func limited(next http.Handler) http.Handler {
	hurried := bounded(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if websocket.IsWebSocketUpgrade(r) {
			next.ServeHTTP(w, r)
			return
		}
		hurried.ServeHTTP(w, r)
	})
}

// mode is how callers are told apart.
func (a *App) mode() auth.Mode { return a.gate.Mode() }

// healthz says that the process serves.
func (a *App) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

// readyz says whether requests should be sent here: the database answers, its time is known, and the server
// is not draining.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	select {
	case <-a.draining:
		plain(w, http.StatusServiceUnavailable, "draining")
		return
	default:
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	err := a.store.Ready()
	if err == nil {
		err = a.store.Ping(ctx)
	}
	if err != nil {
		a.logger.WarnContext(ctx, "not ready", "error", err)
		plain(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // the client may be gone
}

// logged gives each request an id and logs how it went. Nothing of its headers or body is logged.
func (a *App) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := uuid.NewString()
		w.Header().Set("X-Request-Id", id)
		begin := time.Now()
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		a.logger.DebugContext(r.Context(), "request", "id", id, "method", r.Method, "path", r.URL.Path,
			"status", seen.status, "took", time.Since(begin).Round(time.Microsecond))
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes the status that a body without one means.
func (w *statusWriter) Write(body []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack hands the connection to the websocket transport, which asks the writer itself for it.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
