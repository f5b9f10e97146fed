package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestCommandsExitCodeIsPassedOn(t *testing.T) {
	t.Setenv(testkit.PostgresEnv, testkit.PostgresURL(t))
	for script, want := range map[string]int{
		"true":            0,
		"exit 7":          7,
		"kill -KILL $$":   128 + 9,
		"kill -TERM $$":   128 + 15,
		"no such command": 127,
	} {
		var log strings.Builder
		if got := run([]string{"--", "sh", "-c", script + " 2>/dev/null"}, &log); got != want {
			t.Errorf("%q: exit code %d, want %d; %s", script, got, want, &log)
		}
	}
}

func TestCommandGetsTheURLOfTheServerThatTheLogNames(t *testing.T) {
	server := testkit.PostgresURL(t)
	t.Setenv(testkit.PostgresEnv, server)
	seen := filepath.Join(t.TempDir(), "url")
	var log strings.Builder
	if code := run([]string{"sh", "-c", `printf %s "$TEST_POSTGRES_URL" >"$1"`, "sh", seen}, &log); code != 0 {
		t.Fatalf("exit code %d: %s", code, &log)
	}
	got, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != server {
		t.Errorf("the command saw %q, want %q", got, server)
	}
	if !strings.Contains(log.String(), "SQLite") || !strings.Contains(log.String(), "PostgreSQL 1") {
		t.Errorf("the log names not both databases: %s", &log)
	}
}

func TestServerIsStoppedAlsoWhenTheCommandFails(t *testing.T) {
	if _, err := testkit.FindPostgres(); err != nil {
		t.Setenv(testkit.PostgresEnv, testkit.PostgresURL(t)) // nothing to start here, so nothing may be stopped
	} else {
		t.Setenv(testkit.PostgresEnv, "")
	}
	t.Setenv("TMPDIR", mustMakeShortDir(t))
	var log strings.Builder
	if code := run([]string{"sh", "-c", "exit 1"}, &log); code != 1 {
		t.Errorf("exit code %d: %s", code, &log)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWithoutACommandOrItsProgramTheCodeIsItsOwn(t *testing.T) {
	t.Setenv(testkit.PostgresEnv, testkit.PostgresURL(t))
	for want, args := range map[string][]string{
		"which command": {"-fsync"}, "flag provided": {"-nonsense"}, "run /nowhere/go": {"/nowhere/go"},
	} {
		var log strings.Builder
		if got := run(args, &log); got != failed || !strings.Contains(log.String(), want) {
			t.Errorf("%v: exit code %d, log %q; want %d and %q", args, got, &log, failed, want)
		}
	}
}

func TestServerThatDoesNotAnswerIsAnError(t *testing.T) {
	t.Setenv(testkit.PostgresEnv, "postgres://nobody@127.0.0.1:1/postgres")
	var log strings.Builder
	if code := run([]string{"true"}, &log); code != failed || !strings.Contains(log.String(), testkit.PostgresEnv) {
		t.Errorf("exit code %d, log %q", code, &log)
	}
}

func TestDockerWithoutAnEngineIsSaid(t *testing.T) {
	path := t.TempDir()
	t.Setenv("PATH", path)
	var log strings.Builder
	if _, err := startContainer(&log, false); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("without docker: %v", err)
	}
	script := "#!/bin/sh\necho cannot connect >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(path, "docker"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := startContainer(&log, false)
	if err == nil || !strings.Contains(err.Error(), "no engine answers") || !strings.Contains(err.Error(), "cannot connect") {
		t.Errorf("without an engine: %v", err)
	}
}

// mustMakeShortDir returns a directory that the server's user may enter and whose path leaves room for a socket.
func mustMakeShortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "jm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
