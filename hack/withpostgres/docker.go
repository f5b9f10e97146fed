package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// image is the official one; a major version alone, so that it gets its fixes.
const image = "postgres:17"

// containerLimit is how long a container may take to answer, its image being there.
const containerLimit = time.Minute

// startContainer runs a server in docker, on a port of the loopback address that docker chooses, and returns
// when it answers.
func startContainer(log io.Writer, durable bool) (server, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return server{}, errors.New("not installed")
	}
	if _, err := docker("version", "--format", "{{.Server.Version}}"); err != nil {
		return server{}, fmt.Errorf("no engine answers: %w", err)
	}
	say(log, "starting %s in docker", image)
	password := rand.Text()
	args := []string{
		"run", "--detach", "--rm", "--publish", "127.0.0.1::5432", "--env", "POSTGRES_PASSWORD=" + password,
		image, "-c", "max_connections=300",
	}
	if !durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	id, err := docker(args...)
	if err != nil {
		return server{}, err
	}
	stop := func() error {
		_, err := docker("rm", "--force", "--volumes", id)
		return err
	}
	address, err := docker("port", id, "5432/tcp")
	if err != nil {
		return server{}, errors.Join(err, stop())
	}
	address, _, _ = strings.Cut(address, "\n")
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password), Host: address, Path: "/postgres", RawQuery: "sslmode=disable"}
	if err := await(u.String()); err != nil {
		return server{}, errors.Join(err, stop())
	}
	return server{url: u.String(), what: image + " in docker, fsync " + onOff(durable), stop: stop}, nil
}

// docker runs one docker command and returns what it printed on standard output.
func docker(args ...string) (string, error) {
	out, err := exec.CommandContext(context.Background(), "docker", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("docker %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// await returns when the server answers, which in a container takes some seconds.
func await(server string) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(containerLimit)
	for {
		_, err := testkit.PostgresVersion(server)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-limit:
			return fmt.Errorf("no answer after %s: %w", containerLimit, err)
		}
	}
}
