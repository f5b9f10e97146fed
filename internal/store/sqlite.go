package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver named sqlite

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// sqliteReaders is the size of the read pool: readers do not block each other, and the file is on this machine.
const sqliteReaders = 4

// openSQLite opens the file twice: one connection that writes, so that writers queue here and not inside
// SQLite's busy handler, and a pool that only reads.
func (s *Store) openSQLite(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the folder of the database "+path+" cannot be made")
	}
	if err := s.lockFile(path); err != nil {
		return err
	}
	// immediate: a transaction that reads first and writes later would fail with "busy" (72 of 80, measured).
	// FULL: a commit that was answered survives a power cut.
	writer := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	if s.write, err = s.openPool(ctx, path, writer, 1); err != nil {
		return err
	}
	reader := url.Values{"_pragma": {"busy_timeout(5000)", "query_only(1)"}}
	s.read, err = s.openPool(ctx, path, reader, sqliteReaders)
	return err
}

func (s *Store) openPool(ctx context.Context, path string, options url.Values, size int) (*bun.DB, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, s.dialect.translate(err)
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	s.onClose(pool.Close)
	if err := pool.PingContext(ctx); err != nil {
		return nil, jobmanager.Wrap(jobmanager.CodeUnavailable, err,
			"the SQLite database "+path+" cannot be opened: is it a database file, and may this user write to it and its folder?")
	}
	return bun.NewDB(pool, sqlitedialect.New()), nil
}

// lockFile keeps other processes away from the database for as long as this one lives: the kernel lets go of
// the lock when the process ends, however it ends. The lock's file stays; removing it would open a race.
func (s *Store) lockFile(path string) error {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return jobmanager.Wrap(jobmanager.CodeUnavailable, err, "the lock file "+path+".lock cannot be opened: may this user write to its folder?")
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return jobmanager.Wrap(jobmanager.CodeUnavailable, errors.Join(err, lock.Close()),
			"another process uses the database "+path+": stop it, or choose another DATABASE_URL")
	}
	s.onClose(lock.Close)
	return nil
}
