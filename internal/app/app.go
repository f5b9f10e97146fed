// Package app is the composition root: it builds the server from its configuration, runs it, and drains it.
// Nothing else knows how the parts fit together. Start with New; apptest runs the same server for tests, demo
// shows it to people.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/icos-jobmanager/jobmanager/graph"
	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/descriptor"
	"github.com/icos-jobmanager/jobmanager/internal/feed"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// Options are what does not come from the configuration.
type Options struct {
	Version string
	Logger  *slog.Logger
	// Clock replaces the database's own time, for tests; nil means the real one.
	Clock jobmanager.Clock
	// Pace is how often things happen by themselves; the zero value means the usual.
	Pace service.Pace
}

// App is a server, built and listening; Run serves.
type App struct {
	config   config.Config
	logger   *slog.Logger
	store    *store.Store
	feed     *feed.Feed
	service  *service.Service
	metrics  *prometheus.Registry
	gate     *auth.Gate
	door     *graph.Door
	listener net.Listener
	http     *http.Server
	closers  []func()
	// draining is closed when the server stops being ready.
	draining chan struct{}
}

// New opens the database, brings its schema up to date, builds everything and listens. The error is a
// sentence that says what to change.
func New(ctx context.Context, c config.Config, options Options) (*App, error) {
	if options.Pace == (service.Pace{}) {
		options.Pace = service.DefaultPace()
	}
	a := &App{config: c, logger: options.Logger, draining: make(chan struct{})}
	if err := a.build(ctx, options); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *App) build(ctx context.Context, options Options) error {
	listener, err := listen(ctx, a.config.Server)
	if err != nil {
		return err
	}
	a.listener = listener
	a.onClose(func() { _ = listener.Close() }) // the HTTP server closed it already, unless it never ran
	matcher, err := a.matchmaker()             // before the database: a wrong setting makes no file and migrates nothing
	if err != nil {
		return err
	}
	policies, err := a.policyManager()
	if err != nil {
		return err
	}
	if _, err := a.token(); err != nil {
		return err
	}
	key, err := a.realmKey()
	if err != nil {
		return err
	}
	if err := a.openStore(ctx, options); err != nil {
		return err
	}
	a.openGate(ctx, key)
	a.feed, err = feed.New(ctx, feed.Config{
		Source: a.store, Clock: a.store.Clock(), Logger: a.logger, Poll: feedPoll,
	})
	if err != nil {
		return fmt.Errorf("follow the log of events: %w", err)
	}
	limits := descriptor.DefaultLimits()
	limits.Bytes = a.config.DescriptorLimit
	a.metrics = prometheus.NewRegistry()
	metrics, err := service.NewMetrics(a.metrics)
	if err != nil {
		return fmt.Errorf("make the metrics: %w", err)
	}
	a.service = service.New(service.Config{
		Store: a.store, Log: a.feed, Clock: a.store.Clock(), IDs: newID, Parser: descriptor.New(limits),
		Matchmaker: matcher, PolicyManager: policies, NoticeLimits: a.noticeLimits(), Token: a.token,
		LifeCycle: a.lifeCycle(), Metrics: metrics, Logger: a.logger, Pace: options.Pace,
		Info: service.Info{Version: options.Version, Database: a.store.Kind()},
	})
	return a.buildHTTP()
}

// feedPoll is how long a change by another replica may stay unseen; changes by this one are seen at once.
const feedPoll = 500 * time.Millisecond

// openStore opens the database with its schema up to date. The feed is woken by each commit; it is there
// before anything can be committed.
func (a *App) openStore(ctx context.Context, options Options) error {
	if a.config.OldDatabase() {
		a.logger.WarnContext(ctx, "DB_DRIVER and the other DB_* settings are of the old service: its MySQL jobs are not carried over; set DATABASE_URL to choose a database")
	}
	opened, err := store.Open(ctx, store.Config{
		URL: a.config.StoreURL(), MaxConns: a.config.MaxConns, Clock: options.Clock, Log: a.logger,
		Notices:  a.config.PolicyManagerURL != "",
		OnCommit: func(jobmanager.Revision) { a.feed.Wake() },
	})
	if err != nil {
		return err
	}
	a.store = opened
	a.onClose(func() {
		if err := opened.Close(); err != nil {
			a.logger.Error("the database was not closed cleanly", "error", err)
		}
	})
	applied, err := opened.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("bring the database's schema up to date: %w", err)
	}
	if len(applied) > 0 {
		a.logger.InfoContext(ctx, "the database's schema was brought up to date", "migrations", applied)
	}
	return nil
}

// openGate decides who may call. Replicas agree on when a token has expired, as on everything else, by the database's
// time.
func (a *App) openGate(ctx context.Context, key *auth.Key) {
	mode := auth.ModeFor(a.config.Host, a.config.InsecureNoAuth)
	a.gate = auth.New(auth.Config{Mode: mode, Key: key, Clock: a.store.Clock()})
	if key != nil {
		a.logger.WarnContext(ctx, "KEYCLOAK_PUBLIC_KEY: every token that the realm signs, whoever it is for, may do everything but administer, for any owner id")
	}
}

// newID is a UUIDv7: ids sort by the time of their making. NewV7 fails only without a source of randomness,
// without which nothing is safe.
func newID() jobmanager.ID { return jobmanager.ID(uuid.Must(uuid.NewV7()).String()) }

// listen takes the port; a taken one is told with what to do.
func listen(ctx context.Context, c config.Server) (net.Listener, error) {
	address := net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d on %s is taken: stop what uses it, or choose another one with SERVER_PORT=%d (0 takes a free one)", c.Port, c.Host, c.Port+1)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; LISTEN_HOST must be an address of this machine", address, err)
	}
	return listener, nil
}

// URL is where the server can be reached, on this machine.
func (a *App) URL() string {
	host := a.config.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	port := a.config.Port
	if address, ok := a.listener.Addr().(*net.TCPAddr); ok {
		port = address.Port
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func (a *App) onClose(f func()) { a.closers = append(a.closers, f) }

// close undoes what build did, the last first.
func (a *App) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i]()
	}
	a.closers = nil
}
