package testkit

import (
	"context"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

var _ jobmanager.Clock = (*Clock)(nil)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestClockShowsUTCAndWholeMicroseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("two hours east", 2*60*60)
	c := NewClock(time.Date(2026, 3, 1, 14, 0, 0, 1999, zone))
	want := start.Add(time.Microsecond)
	if got := c.Now(); got.String() != want.String() {
		t.Errorf("Now() = %v, want %v", got, want)
	}
	c.Advance(1999 * time.Nanosecond)
	if got := c.Now(); !got.Equal(want.Add(time.Microsecond)) {
		t.Errorf("after 1999 ns Now() = %v, want %v", got, want.Add(time.Microsecond))
	}
}

func TestAfterFiresOnceItsTimeHasCome(t *testing.T) {
	t.Parallel()
	c := NewClock(start)
	late := c.After(t.Context(), 3*time.Second)
	early := c.After(t.Context(), time.Second)

	c.Advance(time.Second - time.Microsecond)
	mustBeSilent(t, early)
	c.Advance(time.Microsecond)
	if got := mustFire(t, early); !got.Equal(start.Add(time.Second)) {
		t.Errorf("the early waiter got %v", got)
	}
	mustBeSilent(t, late)
	c.Advance(time.Hour)
	if got := mustFire(t, late); !got.Equal(start.Add(time.Hour + time.Second)) {
		t.Errorf("the late waiter got %v, want the new time", got)
	}
}

func TestAfterFiresAtOnceWhenNothingIsToWaitFor(t *testing.T) {
	t.Parallel()
	c := NewClock(start)
	mustFire(t, c.After(t.Context(), 0))
	mustFire(t, c.After(t.Context(), -time.Second))
}

func TestAfterStaysSilentOnceItsContextHasEnded(t *testing.T) {
	t.Parallel()
	c := NewClock(start)
	ctx, cancel := context.WithCancel(t.Context())
	ended := c.After(ctx, time.Second)
	other := c.After(t.Context(), time.Second)
	cancel()
	mustBeSilent(t, c.After(ctx, time.Second))
	mustBeSilent(t, c.After(ctx, 0))

	c.Advance(time.Second)
	mustFire(t, other)
	mustBeSilent(t, ended)
}

func TestWaiterIsForgottenWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	c := NewClock(start)
	ctx, cancel := context.WithCancel(t.Context())
	c.After(ctx, time.Second)
	c.AwaitWaiters(t, 1)
	cancel()
	for waiting, changed := c.state(); waiting > 0; waiting, changed = c.state() {
		<-changed
	}
}

func TestAwaitWaitersReturnsWhenTheyWait(t *testing.T) {
	t.Parallel()
	c := NewClock(start)
	const sleepers = 8
	woken := make(chan time.Time, sleepers)
	for range sleepers {
		go func() { woken <- <-c.After(t.Context(), time.Minute) }()
	}
	c.AwaitWaiters(t, sleepers)
	c.Advance(time.Minute)
	for range sleepers {
		if got := <-woken; !got.Equal(start.Add(time.Minute)) {
			t.Errorf("woken at %v", got)
		}
	}
}

func mustFire(t *testing.T, c <-chan time.Time) time.Time {
	t.Helper()
	select {
	case now := <-c:
		return now
	default:
		t.Fatal("the channel is silent, want the time")
		return time.Time{}
	}
}

func mustBeSilent(t *testing.T, c <-chan time.Time) {
	t.Helper()
	select {
	case now := <-c:
		t.Fatalf("the channel got %v, want silence", now)
	default:
	}
}
