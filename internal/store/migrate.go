package store

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/uptrace/bun/migrate"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/migrations"
)

// Migration is one step of the schema and whether the database has taken it.
type Migration struct {
	Name    string
	Applied bool
}

// Migrate brings the schema up to date and names the migrations that it applied, none when it was. Processes
// that migrate the same database wait for each other.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	var applied []string
	err := s.migrating(ctx, func(m *migrate.Migrator) error {
		group, err := m.Migrate(ctx)
		applied = names(group)
		if err != nil {
			return err
		}
		_, err = s.write.NewRaw("INSERT INTO identity (id, incarnation) VALUES (1, ?) ON CONFLICT (id) DO NOTHING", newIncarnation()).Exec(ctx)
		return err
	})
	return applied, err
}

// Rollback takes the last group of migrations back, with all data of what it made, and names them.
func (s *Store) Rollback(ctx context.Context) ([]string, error) {
	var taken []string
	err := s.migrating(ctx, func(m *migrate.Migrator) error {
		group, err := m.Rollback(ctx)
		taken = names(group)
		return err
	})
	return taken, err
}

// Status lists all migrations that this program knows, oldest first.
func (s *Store) Status(ctx context.Context) ([]Migration, error) {
	var list []Migration
	err := s.migrating(ctx, func(m *migrate.Migrator) error {
		all, err := m.MigrationsWithStatus(ctx)
		for i := range all {
			list = append(list, Migration{Name: all[i].Name + "_" + all[i].Comment, Applied: all[i].IsApplied()})
		}
		return err
	})
	return list, err
}

// NewIncarnation makes every cursor that was given out expire: to be called after an SQLite file was put back
// from a copy. On a PostgreSQL that tells its identity itself it changes nothing.
func (s *Store) NewIncarnation(ctx context.Context) error {
	_, err := s.write.NewRaw("UPDATE identity SET incarnation = ? WHERE id = 1", newIncarnation()).Exec(ctx)
	if err == nil && s.dialect.kind == kindSQLite {
		s.identity.Store(nil)
	}
	return s.dialect.translate(err)
}

// migrating runs do with a migrator, alone.
func (s *Store) migrating(ctx context.Context, do func(*migrate.Migrator) error) error {
	s.migrates.Lock()
	defer s.migrates.Unlock()
	files, err := migrations.For(s.dialect.kind)
	if err != nil {
		return s.dialect.translate(err)
	}
	set := migrate.NewMigrations()
	if err := set.Discover(files); err != nil {
		return s.dialect.translate(err)
	}
	// Without this a migration that failed would stay recorded as done.
	migrator := migrate.NewMigrator(s.write, set, migrate.WithMarkAppliedOnSuccess(true))
	err = s.dialect.alone(ctx, s.write, func() error {
		if err := migrator.Init(ctx); err != nil {
			return err
		}
		return do(migrator)
	})
	if err != nil {
		return jobmanager.Wrap(jobmanager.CodeOf(s.dialect.translate(err)), err, "the database's schema cannot be migrated: look at the server's log")
	}
	return nil
}

func names(group *migrate.MigrationGroup) []string {
	list := []string{}
	if group == nil {
		return list
	}
	for i := range group.Migrations {
		list = append(list, group.Migrations[i].Name+"_"+group.Migrations[i].Comment)
	}
	return list
}

// newIncarnation is short, for it stands in every cursor, and long enough never to come twice.
func newIncarnation() string { return strings.ToLower(rand.Text()[:12]) }
