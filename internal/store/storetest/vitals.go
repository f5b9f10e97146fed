package storetest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// MustHold has an agent claim a new job with a lease of this length.
func (b *bench) MustHold(owner string, length time.Duration) *jobmanager.Job {
	b.t.Helper()
	job := b.MustCreate("held-by-"+owner, 1).Jobs[0]
	return b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Claim(jobmanager.Claim{Agent: agent(owner), Length: length}, now)
	}, job)[0]
}

// leaseEnds checks when a lease ends, and that moving it made no new version of the job.
func (b *bench) leaseEnds(job *jobmanager.Job, want time.Time) {
	b.t.Helper()
	read := b.MustJob(job.ID)
	if read.Lease == nil || !read.Lease.ExpiresAt.Equal(want) || read.Version != job.Version {
		b.t.Errorf("the lease of %s is %+v at version %d, want it to end at %s, version %d", job.Owner, read.Lease, read.Version, want, job.Version)
	}
}

// tells checks the one event of the server itself that was written after a revision.
func (b *bench) tells(after jobmanager.Revision, kind jobmanager.EventType, words ...string) {
	b.t.Helper()
	events := b.MustEvents(after)
	if len(events) != 1 {
		b.t.Fatalf("%d events were written, want one %s", len(events), kind)
	}
	event := events[0]
	if event.Type != kind || event.GroupID != "" || event.JobID != "" || event.Actor != "job-manager" ||
		event.Tenant != jobmanager.DefaultTenant || !event.At.Equal(b.clock.Now()) {
		b.t.Errorf("the event is %+v, want %s of the server, about no group", event, kind)
	}
	for _, word := range words {
		if !strings.Contains(event.Message, word) {
			b.t.Errorf("the message is %q, want it to say %q", event.Message, word)
		}
	}
}

func testMarkAlive(t *testing.T, b *bench) {
	const away = 15 * time.Second
	mark := func(want int) {
		t.Helper()
		pardoned, err := b.MarkAlive(t.Context(), away)
		b.must(err)
		if pardoned != want {
			t.Errorf("%d leases were pardoned, want %d", pardoned, want)
		}
	}
	over := b.MustHold("over", 10*time.Second)
	b.clock.Advance(10 * time.Second)
	long, short := b.MustHold("long", 5*time.Minute), b.MustHold("short", 20*time.Second)
	finished := b.MustHold("finished", time.Minute)
	b.MustUpdate(finishRule("finished"), finished)
	head := b.MustHead()
	mark(0) // the first mark of all
	b.clock.Advance(away)
	mark(0) // not yet away
	seen := b.clock.Now()
	b.clock.Advance(time.Minute)
	mark(2)
	mark(0)
	now := b.clock.Now()
	b.leaseEnds(long, now.Add(5*time.Minute))
	b.leaseEnds(short, now.Add(20*time.Second))
	b.leaseEnds(over, seen.Add(-away))
	b.tells(head, jobmanager.LeasesExtended, "1m0s", "2 leases")
	head = b.MustHead()
	b.clock.Advance(-time.Hour) // the clock went back
	mark(0)
	b.clock.Advance(away + time.Microsecond)
	mark(3) // the mark went back as well; the leases end after it
	b.tells(head, jobmanager.LeasesExtended, "3 leases")
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Stop(now), nil }, long, short, over)
	head = b.MustHead()
	b.clock.Advance(time.Minute)
	mark(0) // nobody to pardon
	if b.MustHead() != head {
		t.Errorf("an event tells of no lease at all")
	}
}

// testOnePardon has many replicas come back at once: they keep nothing in memory, so many callers are as many
// replicas.
func testOnePardon(t *testing.T, b *bench) {
	const rounds, leases = 5, 3
	for range leases {
		b.MustHold("a", 15*time.Minute)
	}
	_, err := b.MarkAlive(t.Context(), time.Second)
	b.must(err)
	head := b.MustHead()
	for range rounds {
		b.clock.Advance(time.Minute)
		var pardoned atomic.Int64
		together(8, func(int) {
			n, err := b.MarkAlive(t.Context(), time.Second)
			if err != nil {
				t.Error(err)
			}
			pardoned.Add(int64(n))
		})
		if pardoned.Load() != leases {
			t.Errorf("%d leases were pardoned, want each of %d once", pardoned.Load(), leases)
		}
	}
	if n := b.MustHead() - head; n != rounds {
		t.Errorf("%d events tell of %d pardons", n, rounds)
	}
}

func testPauseTakeover(t *testing.T, b *bench) {
	const length = time.Minute
	pause := func() (n int) {
		t.Helper()
		var paused atomic.Int64
		together(4, func(int) {
			ok, err := b.PauseTakeover(t.Context(), length, "too many fell silent")
			if err != nil {
				t.Error(err)
			}
			if ok {
				paused.Add(1)
			}
		})
		return int(paused.Load())
	}
	over, live, long := b.MustHold("over", 15*time.Second), b.MustHold("live", 30*time.Second), b.MustHold("long", 5*time.Minute)
	b.clock.Advance(20 * time.Second)
	start, head := b.clock.Now(), b.MustHead()
	if n := pause(); n != 1 {
		t.Errorf("takeover paused %d times at once", n)
	}
	b.tells(head, jobmanager.TakeoverPaused, "too many fell silent", "2 leases")
	b.leaseEnds(over, start.Add(length))
	b.leaseEnds(live, start.Add(length))
	b.leaseEnds(long, start.Add(5*time.Minute-20*time.Second))
	b.clock.Advance(2*length - time.Microsecond)
	if n := pause(); n != 0 {
		t.Errorf("takeover paused again within twice the length")
	}
	b.leaseEnds(over, start.Add(length))
	b.clock.Advance(time.Microsecond)
	if n := pause(); n != 1 {
		t.Errorf("takeover paused %d times after twice the length", n)
	}
	b.leaseEnds(over, start.Add(3*length))
}

func testExpiringOwners(t *testing.T, b *bench) {
	const length = 15 * time.Second
	count := func(since time.Time, wantExpiring, wantAll int) {
		t.Helper()
		expiring, all, err := b.ExpiringOwners(t.Context(), since)
		b.must(err)
		if expiring != wantExpiring || all != wantAll {
			t.Errorf("since %s %d of %d agents let leases run out, want %d of %d", since, expiring, all, wantExpiring, wantAll)
		}
	}
	count(b.clock.Now(), 0, 0)
	b.MustHold("live", 15*time.Minute)
	exhausted := b.MustHold("exhausted", length)
	b.MustHold("twice", length)
	b.MustHold("twice", length)
	b.clock.Advance(length)
	count(b.clock.Now(), 2, 3)
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		last := b.life
		last.MaxAttempts = 1
		return j.Expire(last, now), nil
	}, exhausted)
	written := b.clock.Now()
	b.mustExpire(10)
	count(written, 2, 2)
	unwritten := b.MustHold("unwritten", length)
	b.clock.Advance(length)
	count(written, 3, 3)
	count(written.Add(time.Microsecond), 1, 3)
	b.MustUpdate(finishRule("unwritten"), unwritten)
	count(written.Add(time.Microsecond), 0, 2)
}
