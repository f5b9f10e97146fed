package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// server is the demo's server: a process of its own, so that it can be killed and nothing is lost.
type server struct {
	url     string
	binary  string
	env     []string
	log     io.Writer
	process atomic.Int64
	timeout time.Duration
}

// newServer prepares the process. A taken port is told at once, with what to do.
func newServer(ctx context.Context, c config.Config, dir string, log io.Writer) (*server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken: stop what uses it, or run SERVER_PORT=%d make demo (0 takes a free one)", c.Port, c.Port+1)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on loopback: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		return nil, fmt.Errorf("cannot use port %d: %w", c.Port, err)
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("the demo cannot find its own binary: %w", err)
	}
	return &server{
		url: "http://127.0.0.1:" + port, binary: binary, log: log, timeout: c.ShutdownTimeout,
		env: append(append(withoutSettings(os.Environ()), settings(c)...),
			"SERVER_PORT="+port, "LISTEN_HOST=127.0.0.1", "LOG_LEVEL=warn",
			"DATABASE_URL=sqlite://"+filepath.Join(dir, "demo.db")),
	}, nil
}

// settings are what the demo's own command line says about the server, for the server's environment.
func settings(c config.Config) []string {
	var types []string
	for _, orchestrator := range slices.Sorted(maps.Keys(c.ComponentTypes)) {
		types = append(types, orchestrator+"="+strings.Join(c.ComponentTypes[orchestrator], ","))
	}
	return []string{
		"LEASE=" + c.Lease.String(), "BACKOFF=" + c.Backoff.String(),
		"MAX_ATTEMPTS=" + strconv.Itoa(c.MaxAttempts), "COMPONENT_TYPES=" + strings.Join(types, ";"),
		"BODY_LIMIT=" + strconv.FormatInt(c.BodyLimit, 10), "DESCRIPTOR_LIMIT=" + strconv.Itoa(c.DescriptorLimit),
		"SHUTDOWN_TIMEOUT=" + c.ShutdownTimeout.String(),
	}
}

// withoutSettings leaves out what would make the demo's server another one than the demo's.
func withoutSettings(environment []string) []string {
	var kept []string
	for _, entry := range environment {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "SERVER_PORT", "LISTEN_HOST", "DATABASE_URL", "MATCHMAKING_URL", "TARGETS_FILE", "LOG_LEVEL", "INSECURE_NO_AUTH":
		default:
			kept = append(kept, entry)
		}
	}
	return kept
}

// pid of the running process.
func (s *server) pid() int64 { return s.process.Load() }

// supervise keeps the process running until ctx ends, then stops it and waits. A process that dies is started
// again; one that dies at once, five times in a row, is an error.
func (s *server) supervise(ctx context.Context, say *narrator) error {
	// The system ends the server when the thread ends that started it, not only when the process does. The
	// runtime ends threads at will, but not one that a goroutine has to itself.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for early, started := 0, func(context.Context) {}; ; {
		begin := time.Now()
		err := s.run(ctx, started)
		if ctx.Err() != nil {
			return nil // it was stopped, and its end is what was wanted
		}
		if early++; time.Since(begin) > 2*time.Second {
			early = 0
		}
		if early == 5 {
			return fmt.Errorf("the server does not stay up: %w", err)
		}
		say.line("the server died (%v): starting it again", err)
		started = func(alive context.Context) {
			if s.ready(alive) == nil {
				say.line("the server is back, process %d: kill -9 it again", s.pid())
			}
		}
	}
}

// run starts the process and waits for its end; when ctx ends it is asked to stop. started is called beside
// it, with a context that ends with the process.
func (s *server) run(ctx context.Context, started func(alive context.Context)) error {
	command := exec.CommandContext(ctx, s.binary, "serve") //nolint:gosec // its own binary
	command.Env, command.Stdout, command.Stderr = s.env, s.log, s.log
	command.SysProcAttr = attributes()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = s.timeout + 5*time.Second
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	s.process.Store(int64(command.Process.Pid))
	alive, died := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { started(alive) })
	err := command.Wait()
	died()
	beside.Wait()
	return err
}

// ready waits until the server answers.
func (s *server) ready(ctx context.Context) error {
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask the server: %w", err)
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close() // only the status is read
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
