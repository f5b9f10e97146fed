// Package feed tails the log of events for everybody who watches it. It reads each event once, keeps the
// newest in a ring, and lets any number of watchers follow at their own pace: a watcher that fell out of the
// ring reads from the store, so a slow one costs no memory and loses nothing. It publishes nothing itself:
// the log in the store, written with each change, is the truth.
package feed

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Source is what the feed reads: a part of jobmanager.Store.
type Source interface {
	Head(ctx context.Context) (jobmanager.Cursor, error)
	Events(ctx context.Context, after jobmanager.Revision, limit int) ([]*jobmanager.Event, error)
}

// Config is what a Feed is made of; every field is needed.
type Config struct {
	Source Source
	Clock  jobmanager.Clock
	Logger *slog.Logger
	// Poll is how long a change by another replica may stay unseen at most.
	Poll time.Duration
}

// The bounds of the feed.
const (
	// kept is how many of the newest events the ring holds, and keptBytes how many bytes they may have.
	kept      = 4096
	keptBytes = 64 << 20
	// chunk is how many events one read gives at most.
	chunk = 256
)

// Feed implements jobmanager.Log.
type Feed struct {
	Config
	// wake tells Run that something was committed here.
	wake chan struct{}

	mu sync.Mutex // guards the fields below
	// ring are the newest events, without a gap, ending at head.
	ring  []*jobmanager.Event
	bytes int
	head  jobmanager.Revision
	// grown is closed when head grows.
	grown chan struct{}
}

// New makes a Feed at the present end of the log; Run follows it from there.
func New(ctx context.Context, config Config) (*Feed, error) {
	cursor, err := config.Source.Head(ctx)
	if err != nil {
		return nil, err
	}
	_, head, err := cursor.Parse()
	if err != nil {
		return nil, err
	}
	return &Feed{Config: config, wake: make(chan struct{}, 1), head: head, grown: make(chan struct{})}, nil
}

// Wake tells the feed that a transaction with events was committed in this process. It never blocks.
func (f *Feed) Wake() {
	select {
	case f.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run follows the log until ctx ends. While the store cannot be read it tries again at each poll: nothing is
// lost meanwhile, only late.
func (f *Feed) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		for f.readOn(ctx) {
		}
		idle, stop := context.WithCancel(ctx)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-f.Clock.After(idle, f.Poll):
		}
		stop()
	}
	return nil
}

// readOn takes in the next events and says whether there may be more.
func (f *Feed) readOn(ctx context.Context) bool {
	f.mu.Lock()
	head := f.head
	f.mu.Unlock()
	events, err := f.Source.Events(ctx, head, chunk)
	if jobmanager.CodeOf(err) == jobmanager.CodeCursorExpired {
		err = f.beginAnew(ctx)
	}
	if err != nil {
		if ctx.Err() == nil {
			f.Logger.ErrorContext(ctx, "the log of events cannot be read; trying again", "error", err)
		}
		return false
	}
	if len(events) == 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = append(f.ring, events...)
	for _, event := range events {
		f.bytes += event.Size
	}
	old := 0
	for ; len(f.ring)-old > kept || f.bytes > keptBytes && old < len(f.ring); old++ {
		f.bytes -= f.ring[old].Size
	}
	clear(f.ring[:old])
	f.ring = f.ring[old:]
	f.moveTo(events[len(events)-1].Revision)
	return len(events) == chunk
}

// moveTo sets the head and wakes all who wait; f.mu is held.
func (f *Feed) moveTo(head jobmanager.Revision) {
	f.head = head
	close(f.grown)
	f.grown = make(chan struct{})
}

// beginAnew takes the log up at its present end: the database is behind what was read of it, as after a
// failover that lost something, or no longer keeps what comes next. Whoever follows the former log is woken and
// told by the store that its cursor has expired.
func (f *Feed) beginAnew(ctx context.Context) error {
	cursor, err := f.Source.Head(ctx)
	if err != nil {
		return err
	}
	_, head, err := cursor.Parse()
	if err != nil {
		return err
	}
	f.Logger.WarnContext(ctx, "the log of events is not the one that was followed: watchers list again", "revision", head)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring, f.bytes = nil, 0
	f.moveTo(head)
	return nil
}

// Changed implements jobmanager.Log.
func (f *Feed) Changed(after jobmanager.Revision) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head > after {
		now := make(chan struct{})
		close(now)
		return now
	}
	return f.grown
}

// Read implements jobmanager.Log.
func (f *Feed) Read(ctx context.Context, after jobmanager.Revision) ([]*jobmanager.Event, error) {
	events, recent := f.recent(after)
	if recent {
		return events, nil
	}
	return f.Source.Events(ctx, after, chunk)
}

// recent gives events from the ring, and whether the ring reaches back that far.
func (f *Feed) recent(after jobmanager.Revision) ([]*jobmanager.Event, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after == f.head {
		return nil, true
	}
	if after > f.head {
		return nil, false // the feed is a moment behind, or the log is another one: the store knows
	}
	first := f.head - jobmanager.Revision(len(f.ring)) // revisions are dense
	if after < first {
		return nil, false
	}
	events := f.ring[after-first:]
	return slices.Clone(events[:min(len(events), chunk)]), true
}
