package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// container runs the image's commands in its root.
type container struct {
	image *image
	enter []string
	out   io.Writer
	port  string
}

// try starts the entry point, asks its health until it is well, stops it, and asks again.
func (c *container) try() error {
	var err error
	if c.port, err = freePort(); err != nil {
		return err
	}
	said, err := c.command(binary, "version").Output()
	if err != nil {
		return fmt.Errorf("the command version: %w", err)
	}
	if !strings.Contains(string(said), version) {
		return fmt.Errorf("the command version says %q, want the %q that the build stamped", said, version)
	}
	fmt.Fprintln(c.out, "ok: the version is stamped")
	if err := c.health(); err == nil {
		return errors.New("the health check is content although nothing runs")
	}
	var log strings.Builder
	server := c.command(c.image.entrypoint...)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		ended <- server.Wait()
		close(ended)
	}()
	err = c.awaitHealth(ended)
	if err == nil {
		err = stop(server, ended)
	} else {
		_ = server.Process.Kill() // may have ended by itself
	}
	for range ended { // until it is over and the log is complete
	}
	if err != nil {
		return fmt.Errorf("%w; it said:\n%s", err, &log)
	}
	fmt.Fprintln(c.out, "ok: it stops on SIGTERM with exit code 0")
	return nil
}

func (c *container) command(args ...string) *exec.Cmd {
	words := slices.Concat(c.enter, args)
	command := exec.CommandContext(context.Background(), words[0], words[1:]...)
	// A port that is free here, in place of the image's own; PATH serves chroot and unshare.
	command.Env = c.image.environment("SERVER_PORT="+c.port, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	return command
}

func (c *container) health() error {
	out, err := c.command(c.image.health...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (c *container) awaitHealth(ended <-chan error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(startLimit)
	for {
		health := c.health()
		if health == nil {
			fmt.Fprintln(c.out, "ok: it runs as an unprivileged user in an empty root, and its health check is content")
			return nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return fmt.Errorf("the server ended by itself: %w", errors.Join(err, health))
		case <-limit:
			return fmt.Errorf("not healthy after %s: %w", startLimit, health)
		}
	}
}

func stop(server *exec.Cmd, ended <-chan error) error {
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("the server ended by itself: %w", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("after SIGTERM: %w", err)
		}
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("still running %s after SIGTERM", stopLimit), server.Process.Kill())
	}
}

func freePort() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return "", errors.New("no TCP address")
	}
	return strconv.Itoa(address.Port), l.Close()
}
