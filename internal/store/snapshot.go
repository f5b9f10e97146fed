package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// view is one consistent state of the database, with the revision that it stands at.
type view struct {
	store       *Store
	tx          bun.Tx
	revision    jobmanager.Revision
	incarnation string
}

// snapshot runs do in a read-only transaction whose statements all see one state. The counter is read first:
// what do reads is everything up to that revision and nothing after.
func (s *Store) snapshot(ctx context.Context, do func(context.Context, *view) error) error {
	tx, err := s.read.BeginTx(ctx, s.dialect.snapshotOptions())
	if err != nil {
		return s.dialect.translate(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	v := &view{store: s, tx: tx}
	if v.revision, err = counter(ctx, tx); err == nil {
		v.incarnation, err = s.incarnation(ctx, tx)
	}
	if err == nil {
		err = do(ctx, v)
	}
	return s.dialect.translate(err)
}

// cursor of the view.
func (v *view) cursor() jobmanager.Cursor { return jobmanager.NewCursor(v.incarnation, v.revision) }

// Head is the newest revision and the incarnation of the database.
func (s *Store) Head(ctx context.Context) (jobmanager.Cursor, error) {
	revision, err := counter(ctx, s.read)
	if err != nil {
		return "", s.dialect.translate(err)
	}
	incarnation, err := s.incarnation(ctx, s.read)
	if err != nil {
		return "", s.dialect.translate(err)
	}
	return jobmanager.NewCursor(incarnation, revision), nil
}

func counter(ctx context.Context, db bun.IDB) (jobmanager.Revision, error) {
	var revision jobmanager.Revision
	err := db.NewRaw("SELECT revision FROM counter WHERE id = 1").Scan(ctx, &revision)
	return revision, err
}

// incarnation is the server's own identity where it tells one, else the row that Migrate wrote. It is read
// once: on SQLite nobody else writes, on PostgreSQL each new connection brings it up to date.
func (s *Store) incarnation(ctx context.Context, db bun.IDB) (string, error) {
	if known := s.identity.Load(); known != nil {
		return *known, nil
	}
	var read string
	if err := db.NewRaw("SELECT incarnation FROM identity WHERE id = 1").Scan(ctx, &read); err != nil {
		return "", err
	}
	s.identity.CompareAndSwap(nil, &read)
	return read, nil
}
