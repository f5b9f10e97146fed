package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver named pgx
	_ "modernc.org/sqlite"             // the driver named sqlite

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

func TestMigrationsGoUpDownAndUpAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustOpen(t, store.Config{URL: url})
		up, err := s.Migrate(t.Context())
		if err != nil || len(up) == 0 {
			t.Fatalf("the first migration applied %v, %v", up, err)
		}
		before := catalog(t, url)
		if again, err := s.Migrate(t.Context()); err != nil || len(again) != 0 {
			t.Errorf("a second migration applied %v, %v", again, err)
		}
		checkStatus(t, s, true)
		down, err := s.Rollback(t.Context())
		if err != nil || !slices.Equal(sorted(down), sorted(up)) {
			t.Errorf("the rollback took back %v of %v, %v", down, up, err)
		}
		checkStatus(t, s, false)
		if left := catalog(t, url); len(left) != 0 {
			t.Errorf("the rollback left %v", left)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := s.Head(t.Context()); jobmanager.CodeOf(err) != jobmanager.CodeUnavailable || !strings.Contains(err.Error(), "migrate") {
			t.Errorf("a database without a schema answers %v, want what to do", err)
		}
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, catalog(t, url)); diff != "" {
			t.Errorf("up, down and up made another schema:\n%s", diff)
		}
	})
}

func TestConcurrentMigrationsApplyEachOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		first := mustOpen(t, store.Config{URL: url})
		stores := []*store.Store{first, first, first}
		if first.Kind() == "postgres" { // other processes, as it were
			stores = []*store.Store{first, mustOpen(t, store.Config{URL: url}), mustOpen(t, store.Config{URL: url, MaxConns: 1})}
		}
		applied := make(chan []string, len(stores))
		for _, s := range stores {
			go func() {
				names, err := s.Migrate(context.WithoutCancel(t.Context()))
				if err != nil {
					t.Error(err)
				}
				applied <- names
			}()
		}
		var all []string
		for range stores {
			all = append(all, <-applied...)
		}
		if unique := slices.Compact(sorted(all)); len(all) == 0 || len(unique) != len(all) {
			t.Errorf("the migrations applied were %v", all)
		}
	})
}

func TestBothDatabasesHaveTheSameSchema(t *testing.T) {
	t.Parallel()
	catalogs := map[string][]string{}
	onEach := func(url string) {
		s := mustMigrate(t, store.Config{URL: url})
		catalogs[s.Kind()] = catalog(t, url)
	}
	onEach(sqliteURL(t))
	onEach(postgresURL(t))
	if len(catalogs["sqlite"]) < 50 {
		t.Fatalf("the catalog of SQLite has %d entries", len(catalogs["sqlite"]))
	}
	if diff := cmp.Diff(catalogs["sqlite"], catalogs["postgres"]); diff != "" {
		t.Errorf("the schemas differ (- sqlite, + postgres):\n%s", diff)
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func checkStatus(t *testing.T, s *store.Store, applied bool) {
	t.Helper()
	list, err := s.Status(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("the status lists %v, %v", list, err)
	}
	for _, migration := range list {
		if migration.Applied != applied {
			t.Errorf("%s: applied is %v, want %v", migration.Name, migration.Applied, applied)
		}
	}
}

// catalog lists tables, columns, indexes and foreign keys of a database in one form for both, without those
// of the migrator.
func catalog(t *testing.T, url string) []string {
	t.Helper()
	driver, queries := "pgx", postgresCatalog()
	if path, found := strings.CutPrefix(url, "sqlite://"); found {
		driver, queries, url = "sqlite", sqliteCatalog(), path
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var lines []string
	for _, query := range queries {
		lines = append(lines, texts(t, db, query)...)
	}
	slices.Sort(lines)
	return lines
}

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line, "bun_migration") {
			lines = append(lines, line)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func sqliteCatalog() []string {
	const tables = `(SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%') AS t`
	return []string{
		fmt.Sprintf(`SELECT 'column ' || t.name || '.' || c.name || ' ' || CASE lower(c.type)
			WHEN 'integer' THEN 'number' WHEN 'boolean' THEN 'boolean' WHEN 'timestamp' THEN 'time' ELSE 'text' END ||
			CASE WHEN c."notnull" THEN ' not null' ELSE '' END || CASE WHEN c.pk > 0 THEN ' key ' || c.pk ELSE '' END
			FROM %s, pragma_table_info(t.name) AS c`, tables),
		fmt.Sprintf(`SELECT 'index ' || i.name || CASE WHEN i."unique" THEN ' unique' ELSE '' END ||
			CASE WHEN i.partial THEN ' partial' ELSE '' END || ' on ' || t.name || ' ' ||
			(SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
			FROM %s, pragma_index_list(t.name) AS i WHERE i.origin = 'c'`, tables),
		fmt.Sprintf(`SELECT 'reference ' || t.name || '.' || f."from" || ' ' || f."table" || ' ' || lower(f.on_delete)
			FROM %s, pragma_foreign_key_list(t.name) AS f`, tables),
	}
}

func postgresCatalog() []string {
	const keyPlace = `(SELECT ' key ' || array_position(i.indkey::smallint[], a.attnum) + 1 FROM pg_index AS i
		WHERE i.indrelid = r.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))`
	return []string{
		`SELECT 'column ' || r.relname || '.' || a.attname || ' ' || CASE format_type(a.atttypid, NULL)
			WHEN 'bigint' THEN 'number' WHEN 'integer' THEN 'number' WHEN 'boolean' THEN 'boolean'
			WHEN 'timestamp with time zone' THEN 'time' ELSE 'text' END ||
			CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || coalesce(` + keyPlace + `, '')
			FROM pg_class AS r JOIN pg_attribute AS a ON a.attrelid = r.oid
			WHERE r.relkind = 'r' AND r.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped`,
		`SELECT 'index ' || x.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END ||
			CASE WHEN i.indpred IS NOT NULL THEN ' partial' ELSE '' END || ' on ' || r.relname || ' ' ||
			(SELECT string_agg(a.attname, ',' ORDER BY k.n) FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, n)
				JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = k.attnum)
			FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_class AS r ON r.oid = i.indrelid
			WHERE r.relnamespace = 'public'::regnamespace AND NOT i.indisprimary`,
		`SELECT 'reference ' || c.conrelid::regclass || '.' || a.attname || ' ' || c.confrelid::regclass || ' ' ||
			CASE c.confdeltype WHEN 'c' THEN 'cascade' ELSE 'no action' END
			FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
			WHERE c.contype = 'f'`,
	}
}
