package agent

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Run is the agent: it connects, claims, lets the driver work, renews, reports, and connects again whenever
// the server is lost, until ctx ends. Then it takes no further job, ends the contexts of the work in progress,
// waits for the driver, reports for up to ten seconds a job what is still to be said, and returns nil once
// everything that it started has ended.
//
// It returns an error at once when the configuration is wrong, and later only when the server does not accept
// the agent (UNAUTHENTICATED, FORBIDDEN; an *Error is in its chain).
func Run(ctx context.Context, config Config) error {
	config, err := config.complete()
	if err != nil {
		return err
	}
	if config.HTTPClient == nil {
		transport := &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: min(config.Parallel+2, 100), IdleConnTimeout: 90 * time.Second,
		}
		config.HTTPClient = &http.Client{Transport: transport}
		defer transport.CloseIdleConnections()
	}
	taking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := newRunner(config, stop)
	// Leases are renewed until the last work has ended, also while Run itself is ending.
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRenewing()
	var takers, renewer sync.WaitGroup
	renewer.Go(func() { r.renew(renewing) })
	takers.Go(func() { r.subscribe(taking) })
	takers.Go(func() { r.watch(taking) })
	r.take(taking)
	takers.Wait()
	stopRenewing()
	renewer.Wait()
	if refusal, ok := errors.AsType[*refused](context.Cause(taking)); ok {
		return refusal
	}
	return nil
}

// runner is one Run.
type runner struct {
	Config
	client *client
	socket string // the websocket's URL
	desk   *desk
	memory *memory
	stop   context.CancelCauseFunc
}

func newRunner(config Config, stop context.CancelCauseFunc) *runner {
	endpoint := strings.TrimRight(config.URL, "/") + "/graphql"
	return &runner{
		Config: config,
		client: &client{http: config.HTTPClient, endpoint: endpoint, token: config.Token},
		socket: "ws" + strings.TrimPrefix(endpoint, "http"), // https becomes wss
		desk:   newDesk(config.Parallel),
		memory: newMemory(memoryLimit),
		stop:   stop,
	}
}

// refuse ends Run when err is fatal, and says whether it did.
func (r *runner) refuse(err error) bool {
	if !fatal(err) {
		return false
	}
	r.stop(&refused{err})
	return true
}

// persist calls until the server answers, be it with a refusal, or until ctx ends.
func (r *runner) persist(ctx context.Context, what string, call func(ctx context.Context) error) error {
	for failures := 0; ; failures++ {
		err := call(ctx)
		if err == nil || r.refuse(err) || !transient(err) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		wait := r.backoff(failures)
		r.Log.Warn("the server does not answer; trying again", "call", what, "in", wait, "error", err)
		if !pause(ctx, wait) {
			return context.Cause(ctx)
		}
	}
}
