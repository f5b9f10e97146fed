// Command withpostgres runs a command, such as go test, with a PostgreSQL server at hand and its URL in
// TEST_POSTGRES_URL. It takes, in this order, the server that the variable names already; a private one from the
// programs on this machine; the same after installing them with apt-get; one in docker. It says in one line which,
// stops what it started, and ends with the command's exit code.
//
//	withpostgres [-fsync] -- go test ./...
//
// It is no manager of databases: the command makes its own (see internal/testkit). Start at run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// failed is the exit code when the command could not be run at all; go test itself uses 1 and 2.
const failed = 3

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// run does the whole work and returns the exit code. What it does itself it says on log.
func run(args []string, log io.Writer) (code int) {
	flags := flag.NewFlagSet("withpostgres", flag.ContinueOnError)
	flags.SetOutput(log)
	durable := flags.Bool("fsync", false, "keep fsync on, for tests that kill the server")
	if err := flags.Parse(args); err != nil {
		return failed
	}
	if flags.NArg() == 0 {
		say(log, "say which command to run: withpostgres [-fsync] -- go test ./...")
		return failed
	}
	// From here on a signal must not end this process before the server is stopped.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	found, err := find(log, *durable)
	if err != nil {
		say(log, "%v", err)
		return failed
	}
	defer func() {
		if err := found.stop(); err != nil {
			say(log, "%v", err)
			code = max(code, 1)
		}
	}()
	version, err := testkit.PostgresVersion(found.url)
	if err != nil {
		say(log, "%s: %v", found.what, err)
		return failed
	}
	say(log, "databases of the tests: SQLite (embedded) and PostgreSQL %s, %s", version, found.what)
	code, err = execute(flags.Args(), found.url, signals)
	if err != nil {
		say(log, "%v", err)
	}
	return code
}

func say(log io.Writer, format string, args ...any) {
	fmt.Fprintf(log, "withpostgres: "+format+"\n", args...)
}

// execute runs the command with the URL in its environment, passes signals on to it and to all that it started,
// and returns its exit code; 128 and the signal's number when a signal ended it.
func execute(args []string, url string, signals <-chan os.Signal) (int, error) {
	command := exec.CommandContext(context.Background(), args[0], args[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), testkit.PostgresEnv+"="+url)
	// A group of its own, so that a signal to go test also reaches the test binaries below it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return failed, fmt.Errorf("run %s: %w", args[0], err)
	}
	group := -command.Process.Pid
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok {
				_ = syscall.Kill(group, number) // gone already: then done tells
			}
		case err := <-done:
			_ = syscall.Kill(group, syscall.SIGKILL) // what the command left running; mostly there is none
			return exitCode(err), nil
		}
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return failed
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}
