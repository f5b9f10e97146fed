package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// handOutTogether lists the Creates of one group on one target, up to a limit.
func (b *bench) handOutTogether(a jobmanager.Agent, limit int) (jobs []*jobmanager.Job, lapses int, err error) {
	a.Blind = true
	which := b.handOutWhich(&a, limit)
	which.Together = true
	jobs, err = b.UpdateJobs(b.t.Context(), which, b.handOutRule(&a))
	return jobs, a.Lapses, err
}

// scattered is a submission of four components, three on one target and one on each of two others.
func scattered(name string) jobmanager.Submission {
	s := submission(name, 6)
	s.Matches[1].Targets[0].Cluster = "far"
	s.Matches[3].Targets[0].Node = "n2"
	s.Matches = s.Matches[:5] // the last one has no target
	return s
}

func testTogether(t *testing.T, b *bench) {
	want := func(what string, owner string, limit int, want ...*jobmanager.Job) {
		t.Helper()
		listed, _, err := b.handOutTogether(agent(owner), limit)
		b.must(err)
		if !slices.Equal(ids(listed), ids(want)) {
			t.Errorf("%s: %d jobs were listed: %v, want %v", what, len(listed), ids(listed), ids(want))
		}
		for _, job := range listed {
			same(t, b.MustJob(job.ID).Reservation, jobmanager.Reservation{OwnerID: jobmanager.OwnerID(owner), Until: b.clock.Now().Add(b.life.HandOut)})
		}
	}
	removal := b.running("removed")
	b.mustChange(removal.GroupID, stopChange().Rule) // a's Delete is executable for a
	b.clock.Advance(time.Second)
	first := b.MustSubmit(scattered("first")).Jobs
	b.clock.Advance(time.Second)
	second := b.MustCreate("second", 3).Jobs
	b.clock.Advance(time.Second)
	third := b.MustCreate("third", 2).Jobs
	claimed := b.MustUpdate(b.claimRule("other"), first[4])
	head := b.MustHead()
	want("the oldest group, without what is claimed", "a", 10, first[0], first[2])
	want("the same group on another target", "a", 10, first[1])
	want("a third target", "b", 10, first[3])
	want("no more than the limit", "a", 2, second[0], second[1])
	want("what is left of a group is not for others meanwhile", "b", 10, third...)
	want("nothing is left", "a", 10)
	if b.MustHead() != head {
		t.Errorf("hand-outs wrote events")
	}
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Release(jobmanager.Fence{OwnerID: "other", Epoch: j.Epoch}, now)
	}, claimed...)
	want("what others of its group are reserved beside waits", "b", 10)
	b.MustUpdate(b.claimRule("a"), first[0], first[2])
	want("the rest, once nothing is reserved there", "b", 10, first[4])
	listed, _, err := b.handOutTogether(jobmanager.Agent{OwnerID: "n", Orchestrator: "nuvla"}, 10)
	b.must(err)
	if len(listed) != 0 {
		t.Errorf("%d jobs of another orchestrator were listed", len(listed))
	}
	same(t, ids(b.MustClaim("a", 10)), []jobmanager.ID{removal.ID, second[0].ID, second[1].ID, first[1].ID, second[2].ID}, sortedIDs())
}

func testTogetherLapses(t *testing.T, b *bench) {
	b.meet("a")
	list := func(wantLapses int, want []*jobmanager.Job) {
		t.Helper()
		listed, lapses, err := b.handOutTogether(agent("a"), 10)
		b.must(err)
		same(t, ids(listed), ids(want))
		if seen := b.MustSee(agent("a")); lapses != wantLapses || seen.Lapses != wantLapses {
			t.Errorf("%d lapses were counted, %d are known, want %d", lapses, seen.Lapses, wantLapses)
		}
	}
	first, second := b.MustCreate("first", 2).Jobs, b.MustCreate("second", 2).Jobs
	list(0, first)
	b.clock.Advance(b.life.HandOut)
	list(0, second) // it was never handed out
	list(1, first)
	b.clock.Advance(b.life.HandOut - time.Microsecond)
	list(1, nil)
	third := b.MustCreate("third", 1).Jobs
	list(1, third)
	b.clock.Advance(time.Microsecond)
	b.must(b.Working(b.t.Context(), "a", b.clock.Now()))
	listed, _, err := b.handOutTogether(agent("a"), 10)
	b.must(err)
	if len(listed) != 2 || listed[0].GroupID != listed[1].GroupID {
		t.Errorf("%d jobs were listed of what lapsed", len(listed))
	}
}

// testTogetherAtOnce has callers list side by side, some of them under one owner id, and others claim from the same
// queue. Each job goes to one of them, and whatever is listed of a group is listed to one caller.
func testTogetherAtOnce(t *testing.T, b *bench) {
	const groups, each, callers = 8, 5, 6
	for i := range groups {
		b.MustCreate(fmt.Sprintf("group-%d", i), each)
	}
	var mu sync.Mutex
	listings := map[jobmanager.ID]int{}
	jobs := map[jobmanager.ID]int{}
	note := func(list []*jobmanager.Job, together bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, job := range list {
			jobs[job.ID]++
		}
		if together && len(list) > 0 {
			listings[list[0].GroupID]++
		}
	}
	together(callers, func(i int) {
		a := agent(fmt.Sprintf("agent-%d", i/2)) // nobody has met them: there is no row to wait at
		for !b.nothingExecutable(agent("onlooker")) {
			list, _, err := b.handOutTogether(a, each-1)
			if err != nil {
				t.Error(err)
				return
			}
			for _, job := range list {
				if job.GroupID != list[0].GroupID {
					t.Errorf("a list has jobs of two groups")
				}
			}
			note(list, true)
			if len(list) > 0 {
				continue
			}
			claimer := agent(fmt.Sprintf("claimer-%d", i))
			claimed, err := b.UpdateJobs(t.Context(), jobmanager.Which{ExecutableFor: &claimer, Limit: 1, Scope: everything()}, b.claimRule(string(claimer.OwnerID)))
			if err != nil {
				t.Error(err)
				return
			}
			note(claimed, false)
		}
	})
	if len(jobs) != groups*each {
		t.Errorf("%d jobs were given, want %d", len(jobs), groups*each)
	}
	for id, times := range jobs {
		if times != 1 {
			t.Errorf("job %s was given %d times", id, times)
		}
	}
	for id, times := range listings {
		if times != 1 {
			t.Errorf("group %s was listed to %d callers", id, times)
		}
	}
}

func testWorking(t *testing.T, b *bench) {
	b.meet("a")
	jobs := b.MustCreate("handed-out", 6).Jobs
	b.handOut(agent("a"), 2)
	b.clock.Advance(b.life.HandOut)
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { // 1 is reserved anew, 0 stays lapsed
		j.HandOut(agent("a"), b.life, now)
		return nil, nil
	}, jobs[1])
	b.handOut(agent("b"), 1)
	before := map[jobmanager.ID]*jobmanager.Job{}
	for _, job := range jobs {
		before[job.ID] = b.MustJob(job.ID)
	}
	head, until := b.MustHead(), b.clock.Now().Add(time.Minute)
	check := func(what string, until time.Time) {
		t.Helper()
		for _, job := range jobs {
			want := *before[job.ID]
			if job.ID == jobs[1].ID {
				want.Reservation.Until = until
			}
			read := b.MustJob(job.ID)
			want.Presence, read.Presence = nil, nil
			if same(t, read, &want); t.Failed() {
				t.Fatalf("%s: not as it was", what)
			}
		}
	}
	b.must(b.Working(t.Context(), "a", until))
	check("one reservation was still held", until)
	b.must(b.Working(t.Context(), "a", until.Add(-time.Second)))
	check("a reservation is never cut short", until)
	b.must(b.Working(t.Context(), "nobody", until.Add(time.Hour)))
	b.must(b.Working(t.Context(), "", until.Add(time.Hour)))
	check("nobody has nothing", until)
	if b.MustHead() != head {
		t.Errorf("work wrote an event")
	}
}

// testWorkingBesideClaims has an agent claim what was handed out to it while its reservations are moved.
func testWorkingBesideClaims(t *testing.T, b *bench) {
	const n = 40
	b.meet("a")
	jobs := b.MustCreate("worked", n).Jobs
	b.handOut(agent("a"), n)
	until := b.clock.Now().Add(time.Hour)
	together(8, func(i int) {
		if i%2 == 0 {
			for k := range n {
				if err := b.Working(t.Context(), "a", until.Add(time.Duration(k)*time.Second)); err != nil {
					t.Error(err)
				}
			}
			return
		}
		for k := i / 2; k < n; k += 4 {
			claimed := jobs[k:min(k+2, n)] // overlapping with the next caller's
			_, err := b.UpdateJobs(t.Context(), jobmanager.Which{IDs: ids(claimed), Scope: everything()}, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
				if j.State == jobmanager.Progressing {
					return nil, nil
				}
				return b.claimRule("a")(j, now)
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	for _, job := range jobs {
		read := b.MustJob(job.ID)
		if read.Owner != "a" || read.Epoch != 1 || read.Reservation != (jobmanager.Reservation{}) {
			t.Errorf("the job is %s's at epoch %d with %+v, want a's, claimed once and reserved for nobody", read.Owner, read.Epoch, read.Reservation)
		}
	}
}
