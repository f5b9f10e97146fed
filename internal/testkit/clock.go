// Package testkit is what tests of several packages share: a clock that a test moves by hand, a private
// PostgreSQL, fakes of the peers. It holds no assertion about jobs and is imported by tests and by the
// commands under hack only. Start at PostgresURL and NewClock.
package testkit

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// awaitLimit is how long AwaitWaiters waits in real time: far longer than any goroutine needs to come to its
// wait on a busy machine, and short enough that a hanging test names its line.
const awaitLimit = 20 * time.Second

// Clock is a clock that stands still until a test moves it. It keeps UTC and whole microseconds, as the real
// one does. It is safe for concurrent use.
type Clock struct {
	mu      sync.Mutex // guards the fields below
	now     time.Time
	waiters []*waiter
	changed chan struct{} // closed, and replaced, each time waiters changes
}

type waiter struct {
	due    time.Time
	fire   chan time.Time // has room for one, so that Advance never blocks
	forget func() bool    // stops watching the waiter's context; false when that has ended
}

// NewClock returns a clock that shows start.
func NewClock(start time.Time) *Clock {
	return &Clock{now: start.UTC().Truncate(time.Microsecond), changed: make(chan struct{})}
}

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After returns a channel that gets the time once the clock has been moved by d or more; at once when d is not
// positive; never when ctx ends before.
func (c *Clock) After(ctx context.Context, d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &waiter{due: c.now.Add(d), fire: make(chan time.Time, 1)}
	switch {
	case ctx.Err() != nil:
	case d <= 0:
		w.fire <- c.now
	default:
		w.forget = context.AfterFunc(ctx, func() { c.drop(w) })
		c.waiters = append(c.waiters, w)
		c.announce()
	}
	return w.fire
}

// Advance moves the clock forward by d and wakes, in the order in which they are due, those whose time has
// come. They get the new time.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d).Truncate(time.Microsecond)
	slices.SortStableFunc(c.waiters, func(a, b *waiter) int { return a.due.Compare(b.due) })
	for len(c.waiters) > 0 && !c.waiters[0].due.After(c.now) {
		w := c.waiters[0]
		c.waiters = c.waiters[1:]
		if w.forget() { // false: its context has ended, drop is on its way
			w.fire <- c.now
		}
	}
	c.announce()
}

// AwaitWaiters blocks until at least n calls of After wait for the clock, and fails the test when that takes
// longer than 20 seconds of real time. Call it before Advance, so that what is to wake is asleep.
func (c *Clock) AwaitWaiters(t testing.TB, n int) {
	t.Helper()
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	for {
		waiting, changed := c.state()
		if waiting >= n {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("%d goroutines wait for the clock after %s, want %d", waiting, awaitLimit, n)
			return
		}
	}
}

func (c *Clock) state() (waiting int, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiters), c.changed
}

func (c *Clock) drop(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiters = slices.DeleteFunc(c.waiters, func(other *waiter) bool { return other == w })
	c.announce()
}

// announce tells AwaitWaiters to look again; the caller holds the lock.
func (c *Clock) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}
