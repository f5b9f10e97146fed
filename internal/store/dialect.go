package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// dialect answers every question on which the two databases differ once they are open.
type dialect struct{ kind string }

// errLostRace means that a row changed between its reading and its writing: the transaction is tried again.
var errLostRace = errors.New("a row changed meanwhile")

// lock makes a SELECT lock its rows to the end of the transaction. SQLite has one writer, which holds all.
func (d dialect) lock(q *bun.SelectQuery) *bun.SelectQuery {
	if d.kind == kindPostgres {
		return q.For("UPDATE")
	}
	return q
}

// lockFree is lock for a pick: rows that another transaction holds are passed over, not waited for.
func (d dialect) lockFree(q *bun.SelectQuery) *bun.SelectQuery {
	if d.kind == kindPostgres {
		return q.For("UPDATE SKIP LOCKED")
	}
	return q
}

// lockFreeOf is lockFree for the rows of one table of a join: a row whose partner another transaction holds is passed
// over, and only the partner is locked.
func (d dialect) lockFreeOf(q *bun.SelectQuery, table string) *bun.SelectQuery {
	if d.kind == kindPostgres {
		return q.For("UPDATE OF ? SKIP LOCKED", bun.Ident(table))
	}
	return q
}

// snapshotOptions opens a transaction whose statements all see one state. Under SQLite every one does.
func (d dialect) snapshotOptions() *sql.TxOptions {
	if d.kind == kindPostgres {
		return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return nil
}

// migrationLock is the number of the advisory lock: the word "jobs" in ASCII.
const migrationLock = 0x6a6f6273

// alone runs do while no other process migrates the same database. SQLite's file is this process's own.
func (d dialect) alone(ctx context.Context, db *bun.DB, do func() error) error {
	if d.kind != kindPostgres {
		return do()
	}
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		const patience = "SET LOCAL lock_timeout = '5min'; SET LOCAL statement_timeout = '5min'; SET LOCAL idle_in_transaction_session_timeout = 0"
		if _, err := tx.ExecContext(ctx, patience); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", migrationLock); err != nil {
			return err
		}
		return do()
	})
}

// again says whether trying the transaction once more may succeed where it failed.
func (d dialect) again(err error) bool {
	if errors.Is(err, errLostRace) {
		return true
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failure.Code == "40001" || failure.Code == "40P01" // serialization failure, deadlock
	}
	return false
}

// taken says whether the error is that of a key that is already there.
func (d dialect) taken(err error) bool {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failure.Code == "23505"
	}
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return failure.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || failure.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
	}
	return false
}

// translate makes a driver's error ours; the driver's text stays inside, for the log. Errors that are ours
// already stay as they are.
func (d dialect) translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*jobmanager.Error](err); ours {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the request was cancelled before it was done")
	case errors.Is(err, context.DeadlineExceeded):
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the database did not answer in time: try again")
	case errors.Is(err, sql.ErrNoRows):
		return jobmanager.Wrap(jobmanager.CodeNotFound, err, "not found")
	case d.taken(err):
		return jobmanager.Wrap(jobmanager.CodeConflict, err, "the same was stored by another request meanwhile: read it again")
	case errors.Is(err, errLostRace):
		return jobmanager.Wrap(jobmanager.CodeConflict, err, "others kept changing the same jobs: try again")
	}
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return translatePostgres(failure)
	}
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return translateSQLite(failure)
	}
	if isUnreachable(err) {
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the database cannot be reached: try again")
	}
	return jobmanager.Wrap(jobmanager.CodeInternal, err, "the database failed")
}

// noSchema is the answer to a database that was never migrated.
const noSchema = "the database has no schema yet: run the command migrate"

func translatePostgres(failure *pgconn.PgError) error {
	switch {
	case failure.Code == "40001" || failure.Code == "40P01":
		return jobmanager.Wrap(jobmanager.CodeConflict, failure, "others kept changing the same jobs: try again")
	case failure.Code == "42P01":
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, noSchema)
	case strings.HasPrefix(failure.Code, "22"): // a value that its type cannot hold
		return jobmanager.Wrap(jobmanager.CodeInvalid, failure, "a value cannot be stored: check ids, numbers and special characters")
	case failure.Code == "55P03" || failure.Code == "57014":
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, "the database is too busy: try again")
	case strings.HasPrefix(failure.Code, "08"), strings.HasPrefix(failure.Code, "53"), strings.HasPrefix(failure.Code, "57"),
		strings.HasPrefix(failure.Code, "25P03"):
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, "the database refuses to work right now: try again")
	}
	return jobmanager.Wrap(jobmanager.CodeInternal, failure, "the database failed")
}

func translateSQLite(failure *sqlite.Error) error {
	const primary = 0xff // the rest of a code tells the details
	switch failure.Code() & primary {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, "the database is too busy: try again")
	case sqlite3.SQLITE_FULL:
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, "the disk of the database is full")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, "the file of the database cannot be used: look at the server's log")
	case sqlite3.SQLITE_INTERRUPT:
		return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, "the request was cancelled before it was done")
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(failure.Error(), "no such table") {
			return jobmanager.Wrap(jobmanager.CodeUnavailable, failure, noSchema)
		}
	}
	return jobmanager.Wrap(jobmanager.CodeInternal, failure, "the database failed")
}

// isUnreachable says whether the connection, or the store itself, is gone.
func isUnreachable(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	text := err.Error() // database/sql and pgx export no error for what was closed
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) ||
		errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) ||
		strings.Contains(text, "database is closed") || strings.Contains(text, "closed pool") || strings.Contains(text, "conn closed")
}

// ignoreNoRows is for statements that may match nothing.
func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}
