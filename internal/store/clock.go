package store

import (
	"context"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// systemClock is this machine's clock.
type systemClock struct{}

// Now is the time in UTC, in whole microseconds.
func (systemClock) Now() time.Time { return micros(time.Now()) }

// After sends the time once d has passed, unless ctx ends before.
func (c systemClock) After(ctx context.Context, d time.Duration) <-chan time.Time {
	return after(ctx, d, c.Now)
}

// after waits by a real timer, without a goroutine. Nothing is left of it once it has fired or ctx has ended.
func after(ctx context.Context, d time.Duration, now func() time.Time) <-chan time.Time {
	fire := make(chan time.Time, 1) // room for one: nobody need be listening any more
	var forget func() bool
	ready := make(chan struct{})
	timer := time.AfterFunc(d, func() {
		<-ready
		if forget() { // a context that lives long must not gather what has fired
			fire <- now()
		}
	})
	forget = context.AfterFunc(ctx, func() { timer.Stop() })
	close(ready)
	return fire
}

// micros is how every time is kept: in UTC, in whole microseconds, as both databases hold it.
func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// measureEvery is how often the database's time is compared with this machine's.
const measureEvery = time.Minute

// databaseClock is PostgreSQL's clock, as last measured: all replicas on one database agree on the time.
type databaseClock struct {
	db *bun.DB

	mu      sync.RWMutex // guards the fields below
	base    time.Time    // the database's time at local
	local   time.Time    // with its monotonic part, so that a step of this machine's clock does no harm
	failure error        // of the last measurement
}

// Now is the database's time, in UTC and whole microseconds.
func (c *databaseClock) Now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return micros(c.base.Add(time.Since(c.local)))
}

// After sends the time once d has passed, unless ctx ends before.
func (c *databaseClock) After(ctx context.Context, d time.Duration) <-chan time.Time {
	return after(ctx, d, c.Now)
}

// measure asks the database for its time, which is taken as that of the middle of the round trip.
func (c *databaseClock) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var database time.Time
	before := time.Now()
	err := c.db.NewRaw("SELECT clock_timestamp()").Scan(ctx, &database)
	trip := time.Since(before)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure = err; err == nil {
		c.base, c.local = database, before.Add(trip/2)
	}
	return err
}

func (c *databaseClock) ready() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.failure == nil {
		return nil
	}
	return jobmanager.Wrap(jobmanager.CodeUnavailable, c.failure, "the time of the database cannot be measured")
}

// startClock gives the store its own clock. The goroutine that keeps measuring ends with Close.
func (s *Store) startClock(ctx context.Context) error {
	if s.dialect.kind == kindSQLite {
		s.clock = systemClock{}
		return nil
	}
	s.database = &databaseClock{db: s.read}
	s.clock = s.database
	if err := s.database.measure(ctx); err != nil {
		return s.dialect.translate(err)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // it outlives Open
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.keepMeasuring(life)
	}()
	s.onClose(func() error { end(); <-done; return nil })
	return nil
}

func (s *Store) keepMeasuring(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.database.measure(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "the time of the database cannot be measured", "error", err)
			}
		}
	}
}
