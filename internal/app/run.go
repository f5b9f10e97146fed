package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
)

// Run serves until ctx ends, then drains: it stops accepting, lets running requests finish, closes the
// sockets so that their clients come back to another replica, waits for all of it, and closes the database.
// When a part of the server fails it drains as well and returns that error: a server that follows no log or
// expires no lease must not go on as if it did.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	duties, stopDuties := context.WithCancel(context.WithoutCancel(ctx))
	defer stopDuties()
	a.service.Begin(ctx)
	ended := make(chan error, 3) // one from each part, so that none waits to tell it
	var running sync.WaitGroup
	running.Go(func() { ended <- perform(duties, "follow the log of events", a.feed.Run) })
	running.Go(func() { ended <- perform(duties, "run the duties", a.service.Run) })
	running.Go(func() { ended <- a.serve() })
	a.logger.InfoContext(ctx, "the Job Manager serves", "url", a.URL(), "database", a.store.Kind(), "authentication", a.mode().String())

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-ended:
		a.logger.ErrorContext(ctx, "a part of the server failed", "error", failure)
	}
	a.logger.InfoContext(ctx, "stopping: no new connections, running requests finish")
	failure = errors.Join(failure, a.drain(context.WithoutCancel(ctx)))
	stopDuties()
	running.Wait()
	close(ended)
	for err := range ended {
		failure = errors.Join(failure, err)
	}
	a.logger.InfoContext(ctx, "stopped")
	return failure
}

// perform runs a duty. What it says when it was stopped is no failure.
func perform(ctx context.Context, what string, duty func(context.Context) error) error {
	if err := duty(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// serve answers requests until the drain.
func (a *App) serve() error {
	if err := a.http.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// drain ends requests and sockets within the shutdown timeout, at the same time: a request may wait for what
// a socket does.
func (a *App) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.config.ShutdownTimeout)
	defer cancel()
	close(a.draining)
	var sockets error
	var ending sync.WaitGroup
	ending.Go(func() { sockets = a.door.Shutdown(ctx) })
	requests := a.http.Shutdown(ctx)
	ending.Wait()
	if requests != nil {
		_ = a.http.Close() // it ran out of time: cut what is left
	}
	a.service.Wait()
	if err := errors.Join(requests, sockets); err != nil {
		return fmt.Errorf("not everything ended within %s: %w", a.config.ShutdownTimeout, err)
	}
	return nil
}
