package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func stopChange() jobmanager.GroupChange {
	return jobmanager.GroupChange{Actor: "ada", Rule: func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		return g.Stop(now), nil
	}}
}

func deleteChange(stopFirst bool) jobmanager.GroupChange {
	return jobmanager.GroupChange{Actor: "ada", Rule: func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		return g.Delete(stopFirst, now)
	}}
}

func testConcurrentFinish(t *testing.T, b *bench) {
	const rounds = 20
	for round := range rounds {
		group := b.MustCreate(fmt.Sprintf("pair-%d", round), 2)
		b.MustUpdate(b.claimRule("a"), group.Jobs...)
		together(2, func(i int) {
			which := jobmanager.Which{IDs: []jobmanager.ID{group.Jobs[i].ID}, Scope: everything()}
			if _, err := b.UpdateJobs(t.Context(), which, finishRule("a")); err != nil {
				t.Error(err)
			}
		})
		if phase := b.MustGroup(group.ID).Phase; phase != jobmanager.PhaseRunning {
			t.Fatalf("round %d: the phase is %s after both finished, want RUNNING", round, phase)
		}
	}
}

func testStopAndDelete(t *testing.T, b *bench) {
	group := b.MustCreate("stopped", 3)
	job := b.MustUpdate(b.claimRule("a"), group.Jobs[1])[0]
	_, err := b.ChangeGroup(t.Context(), everything(), group.ID, deleteChange(false))
	b.wantCode(err, jobmanager.CodeGroupNotStopped)
	head := b.MustHead()
	request := jobmanager.Idempotency{Key: "k", Tenant: "default", Operation: "stopJobGroup", Result: group.ID}
	change := stopChange()
	change.Request = request
	stopped, err := b.ChangeGroup(t.Context(), everything(), group.ID, change)
	b.must(err)
	if stopped.Phase != jobmanager.PhaseStopping || stopped.Generation != 2 {
		t.Errorf("the group came back as %s, generation %d", stopped.Phase, stopped.Generation)
	}
	same(t, types(b.MustEvents(head)), []string{
		"JOB_GROUP_STOPPED ada", "JOB_STOPPED ada", "JOB_STOPPED ada", "JOB_STOPPED ada", "JOB_GROUP_PHASE_CHANGED ada",
	})
	read := b.MustJob(job.ID)
	if !read.Attempts[0].Ended(jobmanager.OutcomeStopped) || read.Epoch != 2 || read.Version != 3 {
		t.Errorf("the attempt in flight is %+v at epoch %d, version %d", read.Attempts[0], read.Epoch, read.Version)
	}
	if found, err := b.Idempotent(t.Context(), request); err != nil || found != group.ID {
		t.Errorf("the change's key gives %q, %v", found, err)
	}
	_, err = b.ChangeGroup(t.Context(), everything(), group.ID, change)
	b.wantCode(err, jobmanager.CodeConflict)
	b.MustUpdate(b.claimRule("a"), job)
	b.MustUpdate(finishRule("a"), job)
	if phase := b.MustGroup(group.ID).Phase; phase != jobmanager.PhaseStopped {
		t.Errorf("the phase is %s after the last Delete", phase)
	}
	b.deletes(group)
}

// deletes removes a group that stands still and looks for what is left of it.
func (b *bench) deletes(group *jobmanager.JobGroup) {
	b.t.Helper()
	head := b.MustHead()
	gone, err := b.ChangeGroup(b.t.Context(), everything(), group.ID, deleteChange(false))
	b.must(err)
	if !gone.Deleted {
		b.t.Errorf("the group came back undeleted")
	}
	want := []string{"JOB_GROUP_DELETED ada"}
	for range group.Jobs {
		want = append(want, "JOB_DELETED ada")
	}
	same(b.t, types(b.MustEvents(head)), want)
	b.nothingLeft(group)
}

func (b *bench) nothingLeft(group *jobmanager.JobGroup) {
	b.t.Helper()
	kinds, err := b.Kinds(b.t.Context(), everything(), append(ids(group.Jobs), group.ID))
	b.must(err)
	if len(kinds) != 0 {
		b.t.Errorf("%v is left of the group", kinds)
	}
	_, err = b.JobGroup(b.t.Context(), everything(), group.ID, jobmanager.GroupLoad{})
	b.wantCode(err, jobmanager.CodeNotFound)
}

func types(events []*jobmanager.Event) []string {
	var list []string
	for _, event := range events {
		list = append(list, string(event.Type)+" "+event.Actor)
	}
	return list
}

func testDeleteWhenStopped(t *testing.T, b *bench) {
	group := b.MustCreate("going", 3)
	b.MustUpdate(b.claimRule("a"), group.Jobs[:2]...)
	b.MustUpdate(finishRule("a"), group.Jobs[:2]...)
	marked, err := b.ChangeGroup(t.Context(), everything(), group.ID, deleteChange(true))
	b.must(err)
	if marked.Deleted || !marked.DeleteWhenStopped || marked.Phase != jobmanager.PhaseStopping {
		t.Errorf("the group came back as %s, deleted %v", marked.Phase, marked.Deleted)
	}
	b.MustUpdate(b.claimRule("a"), group.Jobs[:2]...)
	b.MustUpdate(finishRule("a"), group.Jobs[0])
	head := b.MustHead()
	b.MustUpdate(finishRule("a"), group.Jobs[1])
	same(t, types(b.MustEvents(head)), []string{
		"JOB_FINISHED test", "RESOURCE_REMOVED test", "JOB_GROUP_PHASE_CHANGED test", "JOB_GROUP_DELETED test",
		"JOB_DELETED test", "JOB_DELETED test", "JOB_DELETED test",
	})
	b.nothingLeft(group)
}

func testStopAgainstClaims(t *testing.T, b *bench) {
	const rounds = 10
	for round := range rounds {
		group := b.MustCreate(fmt.Sprintf("contested-%d", round), 10)
		together(4, func(i int) {
			if i == 0 {
				if _, err := b.ChangeGroup(t.Context(), everything(), group.ID, deleteChange(true)); err != nil {
					t.Error(err)
				}
				return
			}
			a := agent(fmt.Sprintf("agent-%d", i))
			which := jobmanager.Which{ExecutableFor: &a, Limit: 4, Scope: everything()}
			if _, err := b.UpdateJobs(t.Context(), which, b.claimRule(string(a.OwnerID))); err != nil {
				t.Error(err)
			}
		})
		kinds, err := b.Kinds(t.Context(), everything(), ids(group.Jobs))
		b.must(err)
		if len(kinds) != 0 && b.MustGroup(group.ID).Phase != jobmanager.PhaseStopping {
			t.Errorf("round %d: %d jobs are left in phase %s", round, len(kinds), b.MustGroup(group.ID).Phase)
		}
	}
}
