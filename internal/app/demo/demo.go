// Package demo shows the Job Manager to people: a real server process on loopback with an SQLite file of its
// own, a real-looking application, two simulated agents over websockets, and what happens in the terminal.
// Only the orchestrators behind the agents are simulated. Start with Run.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/agent/simulated"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

//go:embed city-traffic.yaml
var application string

// Run shows the demo until ctx ends, or with DEMO_ONCE until the application runs. The error says what to do.
func Run(ctx context.Context, c config.Config, out io.Writer) error {
	dir, err := os.MkdirTemp("", "jobmanager-demo-")
	if err != nil {
		return fmt.Errorf("the demo needs a temporary directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is the system's to clean
	host, err := newServer(ctx, c, dir, out)
	if err != nil {
		return err
	}
	say := narrator{out: out, begin: time.Now()}
	say.line("starting the server: %s, database %s", host.url, filepath.Join(dir, "demo.db"))

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	serverCtx, stopServer := context.WithCancel(context.WithoutCancel(ctx))
	var server sync.WaitGroup
	server.Go(func() {
		if err := host.supervise(serverCtx, &say); err != nil {
			stop(err)
		}
	})
	err = play(ctx, c, host, &say, &running)
	stop(err)
	running.Wait() // the agents say goodbye while the server still listens
	stopServer()
	server.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	say.line("the demo ended cleanly")
	return err
}

// play goes through the demo's steps.
func play(ctx context.Context, c config.Config, host *server, say *narrator, running *sync.WaitGroup) error {
	api := &client{url: host.url + "/graphql", http: &http.Client{Timeout: 30 * time.Second}}
	if err := host.ready(ctx); err != nil {
		return err
	}
	say.line("the server is ready, process %d", host.pid())
	group, findings, err := api.submit(ctx, application)
	if err != nil {
		return err
	}
	for _, finding := range findings {
		say.line("  %s line %d: %s", finding.Severity, finding.Line, finding.Message)
	}
	say.line("submitted %s: group %s, %d jobs", group.Name, group.ID, len(group.Jobs.Nodes))
	for _, name := range []string{"ocm", "nuvla"} {
		running.Go(func() { runAgent(ctx, c, host.url, name, say) })
	}
	return watch(ctx, host.url, group.ID, say, func() (bool, error) {
		if err := api.table(ctx, group.ID, say); err != nil || c.Once {
			return c.Once, err
		}
		say.hints(host, group.ID)
		return false, nil
	})
}

// runAgent is one agent process's worth of work, here in a goroutine: it claims over a websocket like any.
func runAgent(ctx context.Context, c config.Config, url, orchestrator string, say *narrator) {
	driver := simulated.New(simulated.Config{
		Latency: c.Latency, Jitter: c.Latency / 2, FailureRate: c.FailureRate, StatusEvery: time.Second, Seed: 1,
	})
	err := agent.Run(ctx, agent.Config{
		URL: url, Orchestrator: orchestrator, OwnerID: orchestrator + "-demo-agent", Parallel: 2, Driver: driver,
		Lease: 15 * time.Second, MaxBackoff: 2 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil && ctx.Err() == nil {
		say.line("the %s agent ended: %v", orchestrator, err)
	}
}
