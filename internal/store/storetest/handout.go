package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// handOut lists up to limit jobs to an agent that executes without asking.
func (b *bench) handOut(a jobmanager.Agent, limit int) (jobs []*jobmanager.Job, lapses int) {
	b.t.Helper()
	jobs, err := b.UpdateJobs(b.t.Context(), b.handOutWhich(&a, limit), b.handOutRule(&a))
	b.must(err)
	return jobs, a.Lapses
}

func (b *bench) handOutWhich(a *jobmanager.Agent, limit int) jobmanager.Which {
	return jobmanager.Which{ExecutableFor: a, HandOut: true, Limit: limit, Scope: everything(), Actor: string(a.OwnerID)}
}

func (b *bench) handOutRule(a *jobmanager.Agent) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		j.HandOut(*a, b.life, now)
		return nil, nil
	}
}

func testHandOut(t *testing.T, b *bench) {
	jobs := b.MustCreate("listed", 8).Jobs
	head := b.MustHead()
	want := func(what string, got []*jobmanager.Job, places ...int) {
		t.Helper()
		var list []jobmanager.ID
		for _, place := range places {
			list = append(list, jobs[place].ID)
		}
		if !slices.Equal(ids(got), list) {
			t.Errorf("%s: %d jobs were listed, want %v in this order", what, len(got), places)
		}
	}
	list := func(owner string, limit int) []*jobmanager.Job {
		t.Helper()
		listed, _ := b.handOut(agent(owner), limit)
		return listed
	}
	want("the first list", list("b", 2), 0, 1)
	b.clock.Advance(time.Second)
	want("another agent's list", list("a", 3), 2, 3, 4)
	want("its own first, then what nobody had", list("a", 5), 2, 3, 4, 5, 6)
	want("no more than the limit", list("a", 2), 2, 3)
	want("what is left", list("c", 10), 7)
	read := b.MustJob(jobs[3].ID)
	same(t, read.Reservation, jobmanager.Reservation{OwnerID: "a", Until: b.clock.Now().Add(b.life.HandOut)})
	if head != b.MustHead() || !read.UpdatedAt.Equal(jobs[3].UpdatedAt) {
		t.Errorf("hand-outs wrote events")
	}
	_, err := b.UpdateJobs(t.Context(), jobmanager.Which{IDs: ids(jobs[2:3]), Scope: everything()}, b.claimRule("b"))
	b.wantCode(err, jobmanager.CodeNotClaimable)
	b.MustUpdate(b.claimRule("a"), jobs[2])
	b.clock.Advance(b.life.HandOut)
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Stop(now), nil }, jobs[5])
	jobs = append(jobs, b.MustCreate("fresh", 1).Jobs...)
	want("what was never handed out, then the newest hand-outs", list("d", 10), 8, 3, 4, 6, 7, 0, 1)
	want("nothing is left", list("e", 10))
}

func testCountedLapses(t *testing.T, b *bench) {
	b.meet("a")
	jobs := b.MustCreate("let lapse", 2).Jobs
	lapse := func(what string, wantLapses int, reserves bool) {
		t.Helper()
		listed, lapses := b.handOut(agent("a"), 5)
		if lapses != wantLapses || len(listed) != 2 || listed[0].Reservation.HeldAt(b.clock.Now()) != reserves {
			t.Errorf("%s: %d lapses, %d jobs, the first reserved as %+v; want %d lapses", what, lapses, len(listed), listed[0].Reservation, wantLapses)
		}
	}
	lapse("the first list", 0, true)
	lapse("in time", 0, true)
	b.clock.Advance(b.life.HandOut)
	lapse("let lapse once", 1, true)
	b.clock.Advance(b.life.HandOut)
	lapse("let lapse again", 2, true)
	b.clock.Advance(b.life.HandOut)
	lapse("let lapse too often", 3, false)
	lapse("what was counted is not counted again", 3, false)
	b.clock.Advance(time.Hour)
	lapse("what was not reserved does not lapse", 3, false)
	if claimed := b.MustClaim("b", 5); len(claimed) != 2 {
		t.Errorf("%d jobs that nobody has reserved were claimed by another agent, want 2", len(claimed))
	}
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Release(jobmanager.Fence{OwnerID: "b", Epoch: j.Epoch}, now)
	}, jobs...)
	b.must(b.Working(t.Context(), "a", b.clock.Now()))
	if seen := b.MustSee(agent("a")); seen.Lapses != 0 {
		t.Errorf("an agent that works has %d lapses", seen.Lapses)
	}
	lapse("it works again", 0, true)
	// An agent that nobody knows is counted for this list alone.
	b.clock.Advance(b.life.HandOut)
	b.handOut(agent("stranger"), 1)
	b.clock.Advance(b.life.HandOut)
	if _, lapses := b.handOut(agent("stranger"), 5); lapses != 1 {
		t.Errorf("an unknown agent has %d lapses, want 1", lapses)
	}
}

// testCountedHandOutsStayInOrder: a hand-out that was counted still puts its job behind what nobody had.
func testCountedHandOutsStayInOrder(t *testing.T, b *bench) {
	b.meet("a")
	old := b.MustCreate("old", 3).Jobs
	for lists := range b.life.MostLapses + 1 {
		if _, lapses := b.handOut(agent("a"), 5); lapses != lists {
			t.Fatalf("%d lapses were counted before list %d", lapses, lists+1)
		}
		b.clock.Advance(b.life.HandOut)
	}
	fresh := b.MustCreate("new", 1).Jobs
	listed, _ := b.handOut(agent("b"), 5)
	same(t, ids(listed), append(ids(fresh), ids(old)...))
}

// testHandOutsAtOnce: an agent that lists several times at once gets no more than one list reserved.
func testHandOutsAtOnce(t *testing.T, b *bench) {
	b.meet("a")
	b.MustCreate("contested", 20)
	together(6, func(int) {
		a := agent("a")
		jobs, err := b.UpdateJobs(t.Context(), b.handOutWhich(&a, 5), b.handOutRule(&a))
		if err != nil || len(jobs) != 5 {
			t.Errorf("%d jobs were listed: %v", len(jobs), err)
		}
	})
	listed, _ := b.handOut(agent("b"), 20)
	if len(listed) != 15 {
		t.Errorf("%d jobs are left for others, want all but 5", len(listed))
	}
}

func testHeldBy(t *testing.T, b *bench) {
	jobs := b.MustCreate("held", 7).Jobs
	b.MustUpdate(b.claimRule("a"), jobs[0], jobs[3])
	b.MustUpdate(b.claimRule("b"), jobs[1])
	b.MustUpdate(finishRule("a"), jobs[3])
	b.handOut(agent("a"), 2) // 2 and 4
	b.handOut(agent("b"), 1) // 5
	held := func(owner jobmanager.OwnerID, after jobmanager.ID, limit int, scope jobmanager.Scope) []jobmanager.ID {
		t.Helper()
		which := jobmanager.Which{HeldBy: owner, After: after, Limit: limit, Scope: scope, Actor: "admin"}
		got, err := b.UpdateJobs(t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
			return j.Reassign(owner, "heir", b.life, now), nil
		})
		b.must(err)
		return ids(got)
	}
	if got := held("a", "", 10, jobmanager.Scope{Tenant: "other"}); len(got) != 0 {
		t.Errorf("%d jobs are held in another tenant", len(got))
	}
	same(t, held("a", "", 3, everything()), ids([]*jobmanager.Job{jobs[0], jobs[2], jobs[3]}))
	same(t, held("a", jobs[3].ID, 3, everything()), ids(jobs[4:5]))
	if got := held("a", "", 3, everything()); len(got) != 0 {
		t.Errorf("%d jobs are still held", len(got))
	}
	same(t, held("b", jobs[1].ID, 0, everything()), ids(jobs[5:6]))
	_, err := b.UpdateJobs(t.Context(), jobmanager.Which{HeldBy: "a", After: "x", Scope: everything()}, b.claimRule("a"))
	b.wantCode(err, jobmanager.CodeInvalid)
	if taken := b.MustJob(jobs[3].ID); taken.Owner != "heir" || taken.Epoch != 2 || taken.State != jobmanager.Finished {
		t.Errorf("the finished job is %+v", taken)
	}
}

// testFinishedClusters: an agent that names no clusters serves those on which it has finished work, and nobody else
// who names none is offered them.
func testFinishedClusters(t *testing.T, b *bench) {
	s := submission("places", 3)
	for i, cluster := range []string{"c2", "c1", "c3"} {
		s.Matches[i].Targets = []jobmanager.Target{{Cluster: cluster, Orchestrator: "ocm"}}
	}
	group := b.MustSubmit(s)
	b.meet("a")
	others := func() []string {
		t.Helper()
		seen, err := b.SeeAgent(t.Context(), jobmanager.Sighting{Agent: agent("b"), Present: b.clock.Now().Add(-time.Minute)})
		b.must(err)
		return seen.Others
	}
	b.MustUpdate(b.claimRule("a"), group.Jobs...)
	if got := others(); len(got) != 0 {
		t.Errorf("before anything was finished the others serve %v", got)
	}
	b.MustUpdate(finishRule("a"), group.Jobs[:2]...)
	b.mustChange(group.ID, stopChange().Rule)
	b.MustUpdate(b.claimRule("a"), group.Jobs...)
	b.MustUpdate(finishRule("a"), group.Jobs...) // Deletes: they tell nothing of where it works
	same(t, others(), []string{"c1", "c2"})
}
