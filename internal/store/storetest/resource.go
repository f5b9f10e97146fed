package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func reportRule(owner, uid string, conditions ...jobmanager.Condition) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		fence := jobmanager.Fence{OwnerID: jobmanager.OwnerID(owner), Epoch: j.Epoch}
		return j.ReportResource(fence, jobmanager.ResourceReport{UID: uid, Conditions: conditions}, now)
	}
}

func condition(kind string, status jobmanager.ConditionStatus) jobmanager.Condition {
	return jobmanager.Condition{Type: kind, Status: status, Reason: "Because", ObservedGeneration: 1}
}

// running gives a finished job of one component.
func (b *bench) running(name string) *jobmanager.Job {
	b.t.Helper()
	job := b.MustCreate(name, 1).Jobs[0]
	b.MustUpdate(b.claimRule("a"), job)
	return b.MustUpdate(finishRule("a", condition("Available", jobmanager.StatusTrue)), job)[0]
}

func testResource(t *testing.T, b *bench) {
	job := b.running("seen")
	read := b.MustJob(job.ID)
	same(t, read.Resource, job.Resource)
	if phase := b.MustGroup(job.GroupID).Phase; phase != jobmanager.PhaseRunning {
		t.Errorf("the phase is %s, want RUNNING", phase)
	}
	// A condition alone moves the group's phase.
	b.clock.Advance(time.Second)
	b.MustUpdate(reportRule("a", "", condition("Available", jobmanager.StatusFalse)), job)
	if phase := b.MustGroup(job.GroupID).Phase; phase != jobmanager.PhaseDegraded {
		t.Errorf("the phase is %s, want DEGRADED", phase)
	}
	// After a Delete the resource is gone, and the next one of this job is another.
	b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Stop(now), nil }, job)
	b.MustUpdate(b.claimRule("a"), job)
	b.MustUpdate(finishRule("a"), job)
	if gone := b.MustJob(job.ID); gone.Resource != nil || gone.Workload != jobmanager.WorkloadNone {
		t.Errorf("after the Delete: %+v, workload %s", gone.Resource, gone.Workload)
	}
	_, err := b.Resource(t.Context(), everything(), job.Resource.ID)
	b.wantCode(err, jobmanager.CodeNotFound)
	// A rule that puts one resource in the place of another leaves one.
	other := b.running("replaced")
	replaced := b.MustUpdate(func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		j.Resource = &jobmanager.Resource{ID: newID(), JobID: j.ID, Name: "new", UID: "u2", Conditions: []jobmanager.Condition{}, SeenAt: now}
		return nil, nil
	}, other)[0]
	same(t, b.MustJob(other.ID).Resource, replaced.Resource)
}

func testConcurrentReports(t *testing.T, b *bench) {
	job := b.running("busy")
	const reporters = 12
	together(reporters, func(i int) {
		rule := reportRule("a", "", condition(fmt.Sprintf("Type%02d", i), jobmanager.StatusTrue))
		if _, err := b.UpdateJobs(t.Context(), jobmanager.Which{IDs: []jobmanager.ID{job.ID}, Scope: everything()}, rule); err != nil {
			t.Error(err)
		}
	})
	read := b.MustJob(job.ID)
	if n := len(read.Resource.Conditions); n != reporters+1 {
		t.Errorf("%d conditions are left of %d reports, want all and the first", n, reporters)
	}
	if read.Version != job.Version+reporters {
		t.Errorf("the version is %d after %d changes of version %d", read.Version, reporters, job.Version)
	}
}

func testSeenMark(t *testing.T, b *bench) {
	job := b.running("marked")
	head := b.MustHead()
	b.clock.Advance(2 * time.Minute)
	b.MustUpdate(reportRule("a", "", condition("Available", jobmanager.StatusTrue)), job)
	read := b.MustJob(job.ID)
	if !read.Resource.SeenAt.Equal(b.clock.Now()) {
		t.Errorf("seen at %s, want %s", read.Resource.SeenAt, b.clock.Now())
	}
	if b.MustHead() != head || read.Version != job.Version {
		t.Errorf("the mark wrote an event or a new version")
	}
}
