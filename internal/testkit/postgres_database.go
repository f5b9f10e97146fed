package testkit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresEnv names the environment variable with the URL of the server that tests make their databases on. Its
// user must be allowed to create databases.
const PostgresEnv = "TEST_POSTGRES_URL"

// databaseLimit bounds the making and the dropping of one database, which take some 50 ms on an idle machine.
const databaseLimit = time.Minute

// ownServer starts one private server for this test process, at the first call. The server ends with the process
// (see supervise), so there is nothing to stop and no TestMain to write. A variable, because a process has no other
// place that the tests of one package share.
var ownServer = sync.OnceValues(func() (*Postgres, error) { return StartPostgres(PostgresOptions{}) })

// PostgresURL returns the URL of a fresh, empty database of this test alone, and drops it when the test and its
// earlier cleanups are over. The server is the one that TEST_POSTGRES_URL names; without it, as in a plain
// `go test`, a private one of this process. It fails the test when there is no server to be had.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := os.Getenv(PostgresEnv)
	if server == "" {
		own, err := ownServer()
		if err != nil {
			t.Fatalf("this test needs PostgreSQL: %v", err)
		}
		server = own.URL
	}
	name := "jobmanager_test_" + strings.ToLower(rand.Text()[:12])
	database, err := databaseURL(server, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// FORCE ends the connections that the test has left behind.
		if err := execute(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return database
}

// databaseURL returns the server's URL with another database.
func databaseURL(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fmt.Errorf("%s must be a URL such as postgres://user:password@host:5432/postgres", PostgresEnv)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// PostgresVersion asks the server which version it is, such as 15.4. The error says when it does not answer.
func PostgresVersion(server string) (string, error) {
	var version string
	err := withConnection(server, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
	})
	version, _, _ = strings.Cut(version, " ") // some packagers add their own name
	return version, err
}

// execute runs one statement on a connection of its own.
func execute(server, statement string) error {
	return withConnection(server, func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	})
}

func withConnection(server string, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), databaseLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the PostgreSQL of the tests: %w", err)
	}
	return errors.Join(do(ctx, conn), conn.Close(ctx))
}
