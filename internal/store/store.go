package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Config says which database to open, and what to tell whom.
type Config struct {
	// URL of the database: sqlite:///folder/file.db or postgres://user@host/database.
	URL string
	// MaxConns bounds the connections to PostgreSQL; 0 means 10. SQLite has one writer and four readers.
	MaxConns int
	// OnCommit is called after each commit that wrote events, with the newest revision of that commit. Commits
	// of several goroutines may be told out of order. It must not block. May be nil.
	OnCommit func(jobmanager.Revision)
	// Clock replaces the database's own time, for tests. Nil: the system's clock for SQLite, for PostgreSQL
	// the database's, measured at Open and every minute.
	Clock jobmanager.Clock
	// Notices says that somebody delivers what the Policy Manager is to be told; without it none is written.
	Notices bool
	// Log of what happens behind the callers' backs; nil means slog's default.
	Log *slog.Logger
}

// Store is the database. It is safe for concurrent use and implements jobmanager.Store.
type Store struct {
	dialect  dialect
	write    *bun.DB // SQLite: one connection; PostgreSQL: the same as read
	read     *bun.DB
	clock    jobmanager.Clock
	database *databaseClock // nil unless the clock is the database's
	onCommit func(jobmanager.Revision)
	notices  bool
	log      *slog.Logger
	identity atomic.Pointer[string] // the incarnation, once it was read
	migrates sync.Mutex             // keeps this process's migrations apart

	closers []func() error // run by Close, the last first
}

var _ jobmanager.Store = (*Store)(nil)

// Open connects to the database; it creates an SQLite file with its folder where there is none. The schema is
// not touched: call Migrate.
//
// Errors: INVALID for a URL that names no database, UNAVAILABLE when the server cannot be reached, refuses the
// login, or another process holds the SQLite file.
func Open(ctx context.Context, config Config) (*Store, error) {
	where, err := parseAddress(config.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		dialect: dialect{kind: where.kind}, onCommit: config.OnCommit, notices: config.Notices,
		log: config.Log, clock: config.Clock,
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if where.kind == kindSQLite {
		err = s.openSQLite(ctx, where.path)
	} else {
		err = s.openPostgres(ctx, where.url, config.MaxConns)
	}
	if err == nil && s.clock == nil {
		err = s.startClock(ctx)
	}
	if err != nil {
		if closeErr := s.Close(); closeErr != nil {
			s.log.WarnContext(ctx, "a database that could not be opened could not be closed", "error", closeErr)
		}
		return nil, err
	}
	return s, nil
}

// Close ends all connections and goroutines of the store, and gives an SQLite file free. Calls in flight fail.
func (s *Store) Close() error {
	var all error
	for i := len(s.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, s.closers[i]())
	}
	s.closers = nil
	return all
}

// Kind is "sqlite" or "postgres".
func (s *Store) Kind() string { return s.dialect.kind }

// Clock is the one that the store takes its times from; the server's other parts share it.
func (s *Store) Clock() jobmanager.Clock { return s.clock }

// Ready says why the store cannot be relied on right now: UNAVAILABLE while the database's time cannot be
// measured. Nil means ready.
func (s *Store) Ready() error {
	if s.database == nil {
		return nil
	}
	return s.database.ready()
}

// Ping says whether the database answers: UNAVAILABLE when it does not.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := s.read.NewRaw("SELECT 1").Exec(ctx); err != nil {
		return s.dialect.translate(err)
	}
	return nil
}

// onClose registers what Close undoes.
func (s *Store) onClose(undo func() error) { s.closers = append(s.closers, undo) }
