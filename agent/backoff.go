package agent

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the wait before the next try after so many failures, from 0. It is random over its whole range,
// so that the agents that one server lost together do not come back together.
func (c Config) backoff(failures int) time.Duration {
	bound := c.MinBackoff
	for range failures {
		if bound >= c.MaxBackoff {
			break
		}
		bound *= 2
	}
	bound = min(bound, c.MaxBackoff)
	return time.Duration(rand.Int64N(int64(bound))) + 1 //nolint:gosec // jitter is no secret
}

// pause waits and says whether ctx still lives.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// graceAfter outlives ctx by the given time, but ends with limits.
func graceAfter(ctx, limits context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(limits)
	stop := context.AfterFunc(ctx, func() {
		pause(out, grace)
		cancel()
	})
	return out, func() {
		stop()
		cancel()
	}
}
