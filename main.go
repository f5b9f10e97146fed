// Command jobmanager is the Job Manager of the ICOS Controller: one binary with the server, a demonstration,
// migrations and a health check. See jobmanager --help.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/app/demo"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// version is stamped by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "jobmanager:", err)
		os.Exit(1)
	}
}

// endings are the signals that end the program in good order. A closed terminal is one, but for a program
// that was told to outlive it, as nohup does.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// run does what the command line asks for.
func run(ctx context.Context, args []string, out io.Writer) error {
	c, done, err := config.Load(args, out)
	if err != nil || done {
		return err
	}
	switch c.Command {
	case config.Demo:
		return demo.Run(ctx, c, out)
	case config.Migrate:
		return app.Migrate(ctx, c, out)
	case config.Health:
		return app.Health(ctx, c)
	case config.Version:
		_, err := fmt.Fprintln(out, version)
		return err
	case config.Serve:
	}
	return app.Serve(ctx, c, version)
}
