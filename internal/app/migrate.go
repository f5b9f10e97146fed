package app

import (
	"context"
	"fmt"
	"io"

	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

// Migrate brings the schema up to date, takes the newest group of migrations back, or gives a restored
// database a new identity, and says what it did.
func Migrate(ctx context.Context, c config.Config, out io.Writer) error {
	var names []string
	did := "applied"
	err := withStore(ctx, c, func(opened *store.Store) (err error) {
		if c.Down {
			did = "took back"
			names, err = opened.Rollback(ctx)
			return err
		}
		names, err = opened.Migrate(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		did = "nothing to do"
	}
	if _, err := fmt.Fprintln(out, did, names); err != nil {
		return fmt.Errorf("say what was done: %w", err)
	}
	if c.NewIncarnation {
		return renew(ctx, c, out)
	}
	return nil
}

// renew gives the database a new identity and says whether it took it. The store is opened again to look:
// one that is open may remember the old identity.
func renew(ctx context.Context, c config.Config, out io.Writer) error {
	var before, after string
	err := withStore(ctx, c, func(opened *store.Store) (err error) {
		if before, err = incarnation(ctx, opened); err != nil {
			return err
		}
		return opened.NewIncarnation(ctx)
	})
	if err != nil {
		return err
	}
	err = withStore(ctx, c, func(opened *store.Store) (err error) {
		after, err = incarnation(ctx, opened)
		return err
	})
	if err != nil {
		return err
	}
	said := "the database has a new identity: cursors given before have expired"
	if before == after {
		said = "nothing changed: this PostgreSQL tells its own identity, which a restore or a failover changes by itself"
	}
	if _, err := fmt.Fprintln(out, said); err != nil {
		return fmt.Errorf("say what was done: %w", err)
	}
	return nil
}

// incarnation of the database.
func incarnation(ctx context.Context, opened *store.Store) (string, error) {
	head, err := opened.Head(ctx)
	if err != nil {
		return "", err
	}
	name, _, err := head.Parse()
	return name, err
}

// withStore opens the database for do, and closes it.
func withStore(ctx context.Context, c config.Config, do func(*store.Store) error) error {
	opened, err := store.Open(ctx, store.Config{URL: c.StoreURL(), MaxConns: c.MaxConns, Log: Logger(c.Log)})
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }() // what was done is committed
	return do(opened)
}
