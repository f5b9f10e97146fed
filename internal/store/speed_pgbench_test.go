package store_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/store"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// benchmarkPgbench measures what PostgreSQL makes of the SQL of BenchmarkClaim when PostgreSQL's own load generator
// sends it, over one connection as well. Nothing is rewritten: pgbench could not carry rows from one statement to
// the next, so it need not. Every statement that fills a queue and claims from it is recorded on one database, with
// its values as they went to the server, and sent again to a second one, in the same order. The second is in the
// same state as the first was, so the picks lock the same jobs, the versions fit, the counter gives the same
// revisions; in the end the two must hold the same rows.
//
// What differs: pgbench reads no row of an answer, decides nothing and makes no text. Only the claims are timed, by
// pgbench itself, without the time to connect and to read its script.
func benchmarkPgbench(b *testing.B, first int) {
	program := mustFindPgbench(b)
	ours, its := postgresURL(b), postgresURL(b)
	q := newQueue(mustMigrate(b, store.Config{URL: ours}))
	mustMigrate(b, store.Config{URL: its})
	script := &recording{}
	q.store.Watch(script)
	claims, took := 0, time.Duration(0)
	for b.Loop() {
		untimed(b, func() {
			q.fill(b)
			mustRunPgbench(b, program, its, script.take())
			for q.waiting >= first {
				claims += len(q.claim(b, first))
			}
		})
		took += mustRunPgbench(b, program, its, script.take())
	}
	if a, b2 := mustDigest(b, ours), mustDigest(b, its); a != b2 {
		b.Fatalf("pgbench did not do the same: the databases are %s and %s", a, b2)
	}
	b.ReportMetric(float64(claims)/took.Seconds(), "claims/s")
	b.ReportMetric(float64(took.Nanoseconds())*float64(first)/float64(claims), "ns/op") // of one step, as with ours
}

// recording keeps the text of statements, as a script. One goroutine only may use the store meanwhile.
type recording struct{ text strings.Builder }

func (*recording) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (r *recording) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if e.Operation() != "ROLLBACK" { // after a commit nothing is sent for it
		r.text.WriteString(e.Query + ";\n")
	}
}

// take gives what was recorded since it was last called.
func (r *recording) take() string {
	text := r.text.String()
	r.text.Reset()
	return text
}

// mustFindPgbench gives the program that belongs to the tests' PostgreSQL, else the one in PATH.
func mustFindPgbench(b *testing.B) string {
	b.Helper()
	var beside string
	if folder, err := testkit.FindPostgres(); err == nil {
		beside, _ = exec.LookPath(filepath.Join(folder, "pgbench"))
	}
	inPath, _ := exec.LookPath("pgbench")
	program := cmp.Or(beside, inPath)
	if program == "" {
		b.Fatal("there is no pgbench on this machine, which sends the same SQL without us: " +
			"it is in Debian's and Ubuntu's package postgresql, in Fedora's and openSUSE's postgresql-contrib")
	}
	return program
}

// mustRunPgbench sends the script once, over one connection, and gives how long that took.
func mustRunPgbench(b *testing.B, program, url, script string) time.Duration {
	b.Helper()
	file := filepath.Join(b.TempDir(), "script.sql")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := exec.CommandContext(b.Context(), program, "--no-vacuum", "--protocol=simple",
		"--client=1", "--transactions=1", "--file="+file, url).CombinedOutput()
	// The last one, where there are two, leaves out the time to connect.
	rates := regexp.MustCompile(`(?m)^tps = ([0-9.]+)`).FindAllSubmatch(out, -1)
	if err != nil || len(rates) == 0 {
		b.Fatalf("pgbench: %v\n%.2000s", err, out)
	}
	perSecond, err := strconv.ParseFloat(string(rates[len(rates)-1][1]), 64)
	if err != nil || perSecond == 0 {
		b.Fatalf("pgbench tells no rate: %v\n%.2000s", err, out)
	}
	return time.Duration(float64(time.Second) / perSecond)
}

// mustDigest makes one line of all that claims change.
func mustDigest(b *testing.B, url string) string {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := conn.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}()
	var digest string
	err = conn.QueryRow(b.Context(), `SELECT concat_ws(' ',
		(SELECT revision FROM counter),
		(SELECT md5(string_agg(md5(job::text), '' ORDER BY id)) FROM jobs AS job),
		(SELECT md5(string_agg(md5(attempt::text), '' ORDER BY job_id, epoch)) FROM attempts AS attempt),
		(SELECT md5(string_agg(md5(job_group::text), '' ORDER BY id)) FROM job_groups AS job_group),
		(SELECT md5(string_agg(md5(event::text), '' ORDER BY revision)) FROM events AS event))`).Scan(&digest)
	if err != nil {
		b.Fatal(err)
	}
	return digest
}
