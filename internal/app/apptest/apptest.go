// Package apptest runs the real server on a free port for tests: the same composition as the binary's, on a
// database of its own, with a client for GraphQL over HTTP and websockets. Start with Start, or with Each for
// a test that must hold on both databases.
package apptest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/service"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// Options of a test's server; the zero value is the usual one on SQLite.
type Options struct {
	// DatabaseURL; empty means a fresh SQLite file.
	DatabaseURL string
	// Configure changes the configuration.
	Configure func(*config.Config)
	// Pace is how often things happen by themselves.
	Pace service.Pace
	// Clock is one that the test moves; nil means the real one.
	Clock *testkit.Clock
}

// Server is a running server.
type Server struct {
	*Client
	URL  string
	stop func()
}

// Each runs a test on a server with each database.
func Each(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	EachDatabase(t, func(t *testing.T, url string) { test(t, Start(t, Options{DatabaseURL: url})) })
}

// EachDatabase runs a test with the URL of a fresh database of each kind.
func EachDatabase(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, testkit.PostgresURL(t))
	})
}

// SQLite is the URL of a fresh SQLite file.
func SQLite(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "jobmanager.db") }

// leap is longer than any step of a test's clock, and than any rest that a busy machine gives a server: neither is
// an absence.
const leap = 24 * time.Hour

// Start runs a server until the test ends, and fails the test if it does not end cleanly.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	if options.DatabaseURL == "" {
		options.DatabaseURL = SQLite(t)
	}
	c := Config(t, options.DatabaseURL)
	if options.Configure != nil {
		options.Configure(&c)
	}
	appOptions := app.Options{Version: "test", Logger: Logger(t), Pace: options.Pace}
	if options.Clock != nil {
		appOptions.Clock = options.Clock
	}
	if appOptions.Pace == (service.Pace{}) {
		appOptions.Pace = service.DefaultPace()
		appOptions.Pace.Away = leap
	}
	server, err := app.New(t.Context(), c, appOptions)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	s := &Server{URL: server.URL(), Client: NewClient(server.URL())}
	s.stop = func() {
		cancel()
		if ended == nil {
			return
		}
		if err := <-ended; err != nil {
			t.Errorf("the server did not end cleanly: %v", err)
		}
		ended = nil
	}
	t.Cleanup(func() {
		s.stop()
		s.Close()
	})
	return s
}

// Stop ends the server as SIGTERM does, and returns when it has ended.
func (s *Server) Stop() { s.stop() }

// Config is the default one on a free port of loopback.
func Config(t testing.TB, databaseURL string) config.Config {
	t.Helper()
	c, _, err := config.Load([]string{
		"serve", "--server-port=0", "--listen-host=127.0.0.1", "--database-url=" + databaseURL, "--shutdown-timeout=10s",
	}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Logger writes the server's log into the test's.
func Logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// patience is how long a test waits for what must happen; it bounds hanging and measures nothing.
const patience = 2 * time.Minute
