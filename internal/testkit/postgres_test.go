package testkit

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestEachCallGetsAnEmptyDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	first, second := PostgresURL(t), PostgresURL(t)
	mustExecute(t, first, "CREATE TABLE job (id text)")
	mustExecute(t, second, "CREATE TABLE job (id text)")
	if got := mustQuery(t, second, "SELECT count(*)::text FROM job"); got != "0" {
		t.Errorf("%s rows in the second database, want 0", got)
	}
	if encoding := mustQuery(t, first, "SHOW server_encoding"); encoding != "UTF8" {
		t.Errorf("encoding %s, want UTF8", encoding)
	}
}

func TestDatabaseIsDroppedAfterTheTestAlsoWithConnectionsOpen(t *testing.T) {
	t.Parallel()
	var database string
	t.Run("a test that leaves its connection open", func(t *testing.T) {
		database = PostgresURL(t)
		left := mustConnect(t, database)
		t.Cleanup(func() {
			if left.IsClosed() {
				t.Error("the connection was closed before the database was dropped")
			}
		})
	})
	if conn, err := pgx.Connect(t.Context(), database); err == nil {
		t.Errorf("the database is still there: %v", conn.Close(t.Context()))
	}
}

func TestAddressThatIsNoURLIsRefusedWithAnExample(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"host=localhost dbname=x", "mysql://localhost/x", "::", ""} {
		if _, err := databaseURL(server, "x"); err == nil || !strings.Contains(err.Error(), "postgres://user") {
			t.Errorf("databaseURL(%q) = %v, want an error with an example", server, err)
		}
	}
}

func TestStoppedServerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	if mustFailWithoutBinaries(t) {
		return
	}
	for _, durable := range []bool{false, true} {
		server, err := StartPostgres(PostgresOptions{Durable: durable})
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{false: "off", true: "on"}[durable]
		for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			if got := mustQuery(t, server.URL, "SHOW "+setting); got != want {
				t.Errorf("durable %t: %s is %s, want %s", durable, setting, got, want)
			}
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		mustBeGone(t, server.dir)
	}
}

// TestKilledProcessLeavesNoServerBehind runs this very test in a second process, which starts a server and says
// where, and kills it.
func TestKilledProcessLeavesNoServerBehind(t *testing.T) {
	t.Parallel()
	const inside = "TESTKIT_START_A_SERVER"
	if mustFailWithoutBinaries(t) {
		return
	}
	if os.Getenv(inside) != "" {
		server, err := StartPostgres(PostgresOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stdout.WriteString("server " + server.dir + "\n"); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // never: the other process kills this one
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), inside+"=1")
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	for lines := bufio.NewScanner(output); dir == "" && lines.Scan(); {
		dir, _ = strings.CutPrefix(lines.Text(), "server ")
	}
	if !strings.Contains(dir, "jobmanager-pg-") {
		t.Fatalf("the other process said %q, want the server's directory", dir)
	}
	if _, err := os.Stat(dir + "/data/postmaster.pid"); err != nil {
		t.Error(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the other process ended by itself")
	}
	mustBeGone(t, dir)
}

func TestNewerVersionGoesFirst(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{
		"/usr/lib/postgresql/9.6/bin":               0,
		"/usr/lib/postgresql/15/bin":                15,
		"/usr/pgsql-17/bin":                         17,
		"/opt/homebrew/opt/postgresql@16/bin":       16,
		"/usr/local/pgsql/bin":                      0,
		"/somewhere/else/without/any/version/named": 0,
	} {
		if got := majorVersion(dir); got != want {
			t.Errorf("majorVersion(%s) = %d, want %d", dir, got, want)
		}
	}
}

// mustFailWithoutBinaries holds, on a machine where make test was given a server's URL and there is nothing to
// start one from, that StartPostgres says what to do; it reports whether this is such a machine.
func mustFailWithoutBinaries(t *testing.T) bool {
	t.Helper()
	if _, err := FindPostgres(); err == nil {
		return false
	}
	if _, err := StartPostgres(PostgresOptions{}); err == nil || !strings.Contains(err.Error(), "make test") {
		t.Errorf("without a PostgreSQL on the machine: %v, want an error that names make test", err)
	}
	return true
}

func mustConnect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func mustExecute(t *testing.T, database, statement string) {
	t.Helper()
	if err := execute(database, statement); err != nil {
		t.Fatal(err)
	}
}

func mustQuery(t *testing.T, database, query string) string {
	t.Helper()
	var answer string
	err := withConnection(database, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, query).Scan(&answer)
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// mustBeGone waits until nothing has that path; a supervisor needs a moment after its process has died.
func mustBeGone(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(awaitLimit)
	for {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s is still there", path)
		}
	}
}
