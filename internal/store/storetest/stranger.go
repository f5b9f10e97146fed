package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// first asks since when a stranger is known.
func (b *bench) first(uid string) time.Time {
	b.t.Helper()
	first, err := b.Stranger(b.t.Context(), "client", uid, "web-x1y2z")
	b.must(err)
	return first
}

func (b *bench) wantFirst(what, uid string, want time.Time) {
	b.t.Helper()
	if got := b.first(uid); !got.Equal(want) {
		b.t.Errorf("%s: %q is known since %s, want %s", what, uid, got, want)
	}
}

const day = 24 * time.Hour

func testStranger(t *testing.T, b *bench) {
	start := b.clock.Now()
	b.wantFirst("at first sight", "u1", start)
	b.clock.Advance(15 * time.Second)
	b.wantFirst("seen again", "u1", start)
	b.wantFirst("another one", "u2", start.Add(15*time.Second))
	b.wantFirst("special characters", "u'\"\x00\xff?", start.Add(15*time.Second))
	b.wantFirst("special characters again", "u'\"\x00\xff?", start.Add(15*time.Second))
	first, err := b.Stranger(t.Context(), "another", "u1", "renamed")
	b.must(err)
	if !first.Equal(start) {
		t.Errorf("another client's look moves the first time to %s", first)
	}
	b.clock.Advance(2 * day)
	b.wantFirst("written anew", "u1", start)
	b.wantFirst("read again", "u1", start)
	b.clock.Advance(-3 * day)
	b.wantFirst("the clock went back", "u1", start)
	if head := b.MustHead(); head != 0 {
		t.Errorf("strangers took %d revisions", head)
	}
}

func testStrangerAtOnce(t *testing.T, b *bench) {
	const strangers, callers = 10, 6
	got := make([][]time.Time, callers)
	together(callers, func(i int) {
		for n := range strangers {
			uid := fmt.Sprintf("u%d", (n+i)%strangers)
			b.clock.Advance(time.Microsecond)
			first, err := b.Stranger(t.Context(), "client", uid, "web")
			if err != nil {
				t.Error(err)
			}
			got[i] = append(got[i], first)
		}
	})
	for n := range strangers {
		want := b.first(fmt.Sprintf("u%d", n))
		for i := range callers {
			if first := got[i][(n-i+strangers)%strangers]; !first.Equal(want) || first.IsZero() {
				t.Errorf("u%d is known since %s for one caller and since %s for another", n, first, want)
			}
		}
	}
}

func testStrangersForgotten(_ *testing.T, b *bench) {
	start := b.clock.Now()
	b.first("unseen")
	b.first("seen daily")
	for n := range 29 {
		b.clock.Advance(day + time.Microsecond)
		b.wantFirst(fmt.Sprintf("day %d", n), "seen daily", start)
	}
	b.first("another, while it is remembered")
	b.wantFirst("just in time", "unseen", start)
	b.clock.Advance(30*day + time.Microsecond)
	b.first("a new one")
	b.wantFirst("forgotten", "unseen", b.clock.Now())
	b.wantFirst("also forgotten", "seen daily", b.clock.Now())
}

// testNoStranger: what was a job's resource, also of one that is gone, is never taken for what another attempt left.
func testNoStranger(_ *testing.T, b *bench) {
	job := b.running("known")
	const first = "uid-part-000"
	b.wantFirst("a present resource", first, time.Time{})
	b.MustUpdate(reportRule("a", "uid-2"), job)
	b.wantFirst("a former uid", first, time.Time{})
	seen := b.clock.Now()
	b.wantFirst("not yet a resource", "uid-3", seen)
	b.MustUpdate(reportRule("a", "uid-3"), job)
	b.wantFirst("a stranger that became a resource", "uid-3", time.Time{})
	b.MustUpdate(stopRule, job)
	b.MustUpdate(b.claimRule("a"), job)
	b.MustUpdate(finishRule("a"), job)
	b.wantFirst("a resource that was removed", "uid-part-000", time.Time{})
	b.mustChange(job.GroupID, func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
		g.Deleted = true
		return nil, nil
	})
	for _, uid := range []string{first, "uid-2", "uid-3"} {
		b.wantFirst("its group was deleted", uid, time.Time{})
	}
	left := b.running("left")
	b.MustUpdate(reportRule("a", "uid-4"), left)
	b.MustUpdate(func(j *jobmanager.Job, _ time.Time) ([]jobmanager.Event, error) {
		j.Deleted = true
		return nil, nil
	}, left)
	b.wantFirst("its job was removed", "uid-4", time.Time{})
	b.clock.Advance(2 * day)
	b.wantFirst("its job was removed long ago", "uid-4", time.Time{})
	b.clock.Advance(30*day + time.Microsecond)
	b.first("another")
	b.wantFirst("nobody named it for long", "uid-4", b.clock.Now())
}
