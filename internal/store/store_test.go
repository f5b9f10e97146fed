package store_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/store"
	"github.com/icos-jobmanager/jobmanager/internal/store/storetest"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func postgresURL(t testing.TB) string { return testkit.PostgresURL(t) }

func sqliteURL(t testing.TB) string { return "sqlite://" + filepath.Join(t.TempDir(), "jobs.db") }

// mustOpen opens a store that the test closes.
func mustOpen(t testing.TB, config store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// mustMigrate opens a store with its schema.
func mustMigrate(t testing.TB, config store.Config) *store.Store {
	t.Helper()
	s := mustOpen(t, config)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// onBoth runs a test with the URL of a fresh database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqliteURL(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, testkit.PostgresURL(t))
	})
}

func TestStoreKeepsItsPromisesOnSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, config store.Config) *store.Store {
		config.URL = sqliteURL(t)
		return mustMigrate(t, config)
	})
}

func TestStoreKeepsItsPromisesOnPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB, config store.Config) *store.Store {
		config.URL = testkit.PostgresURL(t)
		return mustMigrate(t, config)
	})
}
