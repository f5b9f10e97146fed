package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// server is a running PostgreSQL: where it answers, what it is in a few words, and how to be rid of it.
type server struct {
	url  string
	what string
	stop func() error
}

// find returns the first server to be had. The error names every way that was tried.
func find(log io.Writer, durable bool) (server, error) {
	if url := os.Getenv(testkit.PostgresEnv); url != "" {
		return server{url: url, what: "the server that " + testkit.PostgresEnv + " names", stop: func() error { return nil }}, nil
	}
	if _, err := testkit.FindPostgres(); err == nil {
		return private(durable)
	}
	aptErr := install(log)
	if aptErr == nil {
		return private(durable)
	}
	say(log, "no PostgreSQL on this machine; with apt-get: %v; trying docker", aptErr)
	found, dockerErr := startContainer(log, durable)
	if dockerErr == nil {
		return found, nil
	}
	return server{}, fmt.Errorf("no PostgreSQL to be had. Install the package postgresql, or set %s to the URL of a "+
		"server whose user may create databases. What was tried: no initdb in PATH or the usual places; apt-get: %w; docker: %w",
		testkit.PostgresEnv, aptErr, dockerErr)
}

func private(durable bool) (server, error) {
	p, err := testkit.StartPostgres(testkit.PostgresOptions{Durable: durable})
	if err != nil {
		return server{}, err
	}
	what := "a private server from " + p.Binaries + ", fsync " + onOff(durable)
	return server{url: p.URL, what: what, stop: p.Stop}, nil
}

// install puts Debian's package on the machine, as root or through a sudo that asks for no password.
func install(log io.Writer) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("not a machine with apt-get")
	}
	prefix := []string{"env", "DEBIAN_FRONTEND=noninteractive"}
	if os.Geteuid() != 0 {
		if err := quiet(log, "sudo", "-n", "true"); err != nil {
			return errors.New("needs root, and sudo asks for a password or is not there")
		}
		prefix = append([]string{"sudo", "-n"}, prefix...)
	}
	say(log, "no PostgreSQL on this machine: installing the package postgresql with apt-get")
	// Without an update first: it is slow, and mostly the lists are there.
	get := slices.Concat(prefix, []string{"apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0", "--no-install-recommends", "install", "postgresql"})
	if err := quiet(log, get...); err != nil {
		if err := quiet(log, slices.Concat(prefix, []string{"apt-get", "-qq", "update"})...); err != nil {
			return fmt.Errorf("update: %w", err)
		}
		if err := quiet(log, get...); err != nil {
			return fmt.Errorf("install postgresql: %w", err)
		}
	}
	if _, err := testkit.FindPostgres(); err != nil {
		return errors.New("installed postgresql, but its programs are in none of the usual places")
	}
	return nil
}

// quiet runs a command whose output is of interest only to who watches the log.
func quiet(log io.Writer, args ...string) error {
	command := exec.CommandContext(context.Background(), args[0], args[1:]...)
	command.Stdout, command.Stderr = log, log
	return command.Run()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
