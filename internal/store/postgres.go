package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	postgresConns   = 10
	connectTimeout  = 5 * time.Second
	identityTimeout = 2 * time.Second
)

// openPostgres opens one pool for reading and writing.
func (s *Store) openPostgres(ctx context.Context, text string, conns int) error {
	config, err := pgxpool.ParseConfig(text)
	if err != nil {
		// The driver's text may show parts of the URL, so it goes no further.
		return jobmanager.Errorf(jobmanager.CodeInvalid,
			"the database URL is not one of PostgreSQL: postgres://user:password@host:5432/database is expected")
	}
	if conns <= 0 {
		conns = postgresConns
	}
	// Two at least: a migration runs beside the connection that holds its lock.
	config.MaxConns = int32(min(max(conns, 2), 10_000))
	tunePostgres(config.ConnConfig)
	config.AfterConnect = s.readIdentity
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return s.dialect.translate(err)
	}
	s.onClose(func() error { pool.Close(); return nil })
	db := stdlib.OpenDBFromPool(pool)
	s.onClose(db.Close)
	if err := db.PingContext(ctx); err != nil {
		where := fmt.Sprintf("%s on %s:%d", config.ConnConfig.Database, config.ConnConfig.Host, config.ConnConfig.Port)
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err,
			"the PostgreSQL database "+where+" cannot be used: is it running, and are the user and the password right?")
	}
	s.write = bun.NewDB(db, pgdialect.New())
	s.read = s.write
	return nil
}

// tunePostgres sets what the URL leaves open. A transaction that hangs must not hold the counter of revisions
// for long: every other writer waits for it.
func tunePostgres(config *pgx.ConnConfig) {
	// bun writes arguments into the text, so prepared statements would only fill the cache (137 against 61 µs).
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	if config.ConnectTimeout == 0 || config.ConnectTimeout > time.Minute {
		config.ConnectTimeout = connectTimeout
	}
	for name, value := range map[string]string{
		"application_name":                    "jobmanager",
		"timezone":                            "UTC",
		"standard_conforming_strings":         "on",
		"statement_timeout":                   "30000",
		"lock_timeout":                        "10000",
		"idle_in_transaction_session_timeout": "30000",
	} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
}

// readIdentity makes the incarnation of what the server is: a restore, a copy and a failover each change it.
// It runs with each new connection, because a restored or promoted server is only met on a new one. The
// timeline is the one now written to; that of the last checkpoint lags behind a promotion.
func (s *Store) readIdentity(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	var system, database int64
	var timeline string
	err := conn.QueryRow(ctx, `SELECT c.system_identifier, d.oid::bigint, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
		FROM pg_control_system() AS c, pg_database AS d WHERE d.datname = current_database()`).Scan(&system, &database, &timeline)
	if err != nil {
		// Some hosted servers refuse it; then the incarnation is the row that Migrate wrote.
		s.log.WarnContext(ctx, "the identity of the PostgreSQL server cannot be read: after a restore or failover run migrate --new-incarnation", "error", err)
		return nil
	}
	number, err := strconv.ParseUint(timeline, 16, 32)
	if err != nil {
		return fmt.Errorf("read the timeline of the server: %w", err)
	}
	identity := strconv.FormatInt(system, 36) + "." + strconv.FormatUint(number, 36) + "." + strconv.FormatInt(database, 36)
	s.identity.Store(&identity)
	return nil
}
