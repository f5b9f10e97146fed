package feed_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/feed"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a source whose events are made as they are asked for.
type log struct {
	mu      sync.Mutex // guards the fields below
	head    jobmanager.Revision
	broken  bool
	reads   int
	size    int           // of each event
	touched chan struct{} // gets one for each read of the newest events
}

func (l *log) Head(context.Context) (jobmanager.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return jobmanager.NewCursor("x", l.head), nil
}

func (l *log) Events(_ context.Context, after jobmanager.Revision, limit int) ([]*jobmanager.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.broken {
		select {
		case l.touched <- struct{}{}:
		default:
		}
		return nil, errors.New("connection lost")
	}
	if after > l.head {
		return nil, jobmanager.Errorf(jobmanager.CodeCursorExpired, "the log ends at %d", l.head)
	}
	var events []*jobmanager.Event
	for r := after + 1; r <= l.head && len(events) < limit; r++ {
		events = append(events, &jobmanager.Event{Revision: r, Incarnation: "x", Size: l.size})
	}
	return events, nil
}

func (l *log) grow(by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head += jobmanager.Revision(by)
}

func (l *log) set(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
}

// run makes a feed on the log and runs it until the test ends.
func run(t *testing.T, source *log, clock jobmanager.Clock) *feed.Feed {
	t.Helper()
	source.touched = make(chan struct{}, 1)
	f, err := feed.New(t.Context(), feed.Config{Source: source, Clock: clock, Logger: slog.New(slog.DiscardHandler), Poll: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

// follow reads from a place up to a revision and fails on a gap or a repeat.
func follow(t *testing.T, f *feed.Feed, at, to jobmanager.Revision) {
	t.Helper()
	for at < to {
		select {
		case <-f.Changed(at):
		case <-time.After(2 * time.Minute):
			t.Fatalf("nothing came behind %d", at)
		}
		events, err := f.Read(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range events {
			if event.Revision != at+1 {
				t.Fatalf("behind %d came %d", at, event.Revision)
			}
			at = event.Revision
		}
	}
}

func TestWatchersSeeEveryEventInOrderAtTheirOwnPace(t *testing.T) {
	t.Parallel()
	source := &log{head: 10}
	f := run(t, source, testkit.NewClock(time.Now()))
	var watchers sync.WaitGroup
	const last = 20_010 // more than the ring holds
	for range 8 {
		watchers.Go(func() { follow(t, f, 10, last) })
	}
	for range 200 {
		source.grow(100)
		f.Wake()
	}
	watchers.Wait()
	follow(t, f, 0, last) // one that begins long before the ring
}

func TestSlowPollFindsWhatNobodyTold(t *testing.T) {
	t.Parallel()
	source, clock := &log{}, testkit.NewClock(time.Now())
	f := run(t, source, clock)
	clock.AwaitWaiters(t, 1)
	source.grow(3)
	clock.Advance(time.Second)
	follow(t, f, 0, 3)
}

func TestBrokenDatabaseLosesNothing(t *testing.T) {
	t.Parallel()
	source, clock := &log{}, testkit.NewClock(time.Now())
	f := run(t, source, clock)
	clock.AwaitWaiters(t, 1)
	source.set(true)
	source.grow(5)
	f.Wake()
	<-source.touched
	source.set(false)
	clock.AwaitWaiters(t, 1)
	clock.Advance(time.Second)
	follow(t, f, 0, 5)
}

func TestRecentEventsAreReadOnceForAllWatchers(t *testing.T) {
	t.Parallel()
	source := &log{}
	f := run(t, source, testkit.NewClock(time.Now()))
	source.grow(100)
	f.Wake()
	follow(t, f, 0, 100)
	source.mu.Lock()
	before := source.reads
	source.mu.Unlock()
	for range 50 {
		follow(t, f, 0, 100)
	}
	source.mu.Lock()
	defer source.mu.Unlock()
	if source.reads-before > 1 { // Run itself may have looked once more
		t.Errorf("50 watchers cost %d reads", source.reads-before)
	}
}

// readsDuring counts the reads of the source that do costs.
func readsDuring(l *log, do func()) int {
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.reads
	}
	before := count()
	do()
	return count() - before
}

func TestLargeEventsAreNotKept(t *testing.T) {
	t.Parallel()
	source, clock := &log{size: 1 << 20}, testkit.NewClock(time.Now())
	f := run(t, source, clock)
	source.grow(200)
	f.Wake()
	follow(t, f, 0, 200)
	clock.AwaitWaiters(t, 1)
	if reads := readsDuring(source, func() { follow(t, f, 190, 200) }); reads != 0 {
		t.Errorf("the newest cost %d reads", reads)
	}
	if reads := readsDuring(source, func() { follow(t, f, 0, 200) }); reads == 0 {
		t.Error("200 MiB of events are all kept")
	}
}

// TestLogThatWentBackExpiresItsFollowers loses the log's tail, as a failover may, and lets it grow again.
func TestLogThatWentBackExpiresItsFollowers(t *testing.T) {
	t.Parallel()
	source, clock := &log{head: 90}, testkit.NewClock(time.Now())
	f := run(t, source, clock)
	source.grow(10)
	f.Wake()
	follow(t, f, 90, 100)
	clock.AwaitWaiters(t, 1)
	woken := f.Changed(100)
	source.grow(-5)
	clock.Advance(time.Second)
	<-woken
	if _, err := f.Read(t.Context(), 100); jobmanager.CodeOf(err) != jobmanager.CodeCursorExpired {
		t.Errorf("a follower of what was lost reads on: %v", err)
	}
	source.grow(3)
	f.Wake()
	follow(t, f, 95, 98)
}

func TestNothingIsReadBeyondTheEnd(t *testing.T) {
	t.Parallel()
	f := run(t, &log{head: 7}, testkit.NewClock(time.Now()))
	events, err := f.Read(t.Context(), 7)
	if len(events) != 0 || err != nil {
		t.Errorf("%v, %v", events, err)
	}
	select {
	case <-f.Changed(7):
		t.Error("it says that something changed")
	default:
	}
}
