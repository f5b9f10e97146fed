package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func testRenewal(t *testing.T, b *bench) {
	const held = 20
	b.MustCreate("renewed", held+3)
	mine := b.MustClaim("a", held)
	others := b.MustClaim("b", 1)
	stale := b.MustClaim("a", 1)[0]
	finished := b.MustUpdate(finishRule("a"), b.MustClaim("a", 1)...)[0]
	b.clock.Advance(b.life.Lease - time.Microsecond)
	var renewals []jobmanager.Renewal
	for _, job := range slices.Concat(mine, others, []*jobmanager.Job{finished}) {
		renewals = append(renewals, jobmanager.Renewal{JobID: job.ID, Epoch: job.Epoch})
	}
	renewals = append(renewals, jobmanager.Renewal{JobID: stale.ID, Epoch: stale.Epoch - 1}, jobmanager.Renewal{JobID: newID(), Epoch: 1})
	head := b.MustHead()
	ends, err := b.RenewLeases(t.Context(), "a", renewals)
	b.must(err)
	want := map[jobmanager.ID]time.Time{}
	for _, job := range mine {
		want[job.ID] = b.clock.Now().Add(b.life.Lease)
	}
	same(t, ends, want)
	read := b.MustJob(mine[0].ID)
	same(t, read.Lease, &jobmanager.Lease{OwnerID: "a", Epoch: 1, Length: b.life.Lease, ExpiresAt: b.clock.Now().Add(b.life.Lease)})
	if b.MustHead() != head || read.Version != mine[0].Version {
		t.Errorf("the renewal wrote an event or a new version")
	}
	b.clock.Advance(time.Microsecond) // the leases that were not renewed end now
	ends, err = b.RenewLeases(t.Context(), "a", []jobmanager.Renewal{{JobID: stale.ID, Epoch: stale.Epoch}})
	if err != nil || len(ends) != 0 {
		t.Errorf("a lease that ended was renewed: %v, %v", ends, err)
	}
	ends, err = b.RenewLeases(t.Context(), "a", nil)
	if err != nil || len(ends) != 0 {
		t.Errorf("no renewal gave %v, %v", ends, err)
	}
	_, err = b.RenewLeases(t.Context(), "a", []jobmanager.Renewal{{JobID: "x", Epoch: 1}})
	b.wantCode(err, jobmanager.CodeInvalid)
}

func (b *bench) mustExpire(limit int) []*jobmanager.Job {
	b.t.Helper()
	which := jobmanager.Which{LeaseOver: true, Limit: limit, Scope: everything(), Actor: "job-manager"}
	jobs, err := b.UpdateJobs(b.t.Context(), which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Expire(b.life, now), nil
	})
	b.must(err)
	return jobs
}

func testExpiry(t *testing.T, b *bench) {
	b.MustCreate("expired", 5)
	early := b.MustClaim("a", 3)
	b.clock.Advance(time.Second)
	b.MustClaim("b", 2)
	b.clock.Advance(b.life.Lease - time.Second - time.Microsecond)
	if jobs := b.mustExpire(10); len(jobs) != 0 {
		t.Fatalf("%d leases ended a microsecond early", len(jobs))
	}
	b.clock.Advance(time.Microsecond)
	if jobs := b.mustExpire(2); len(jobs) != 2 {
		t.Fatalf("%d leases ended, want 2 by the limit", len(jobs))
	}
	if jobs := b.mustExpire(10); len(jobs) != 1 {
		t.Fatalf("%d leases ended, want the third", len(jobs))
	}
	read := b.MustJob(early[0].ID)
	if read.Lease != nil || read.State != jobmanager.Progressing || !read.Attempts[0].Ended(jobmanager.OutcomeExpired) {
		t.Errorf("after its lease the job is %s with lease %v and attempt %+v", read.State, read.Lease, read.Attempts[0])
	}
	// Another agent takes over once the back-off has passed.
	if jobs := b.MustClaim("c", 10); len(jobs) != 0 {
		t.Errorf("%d jobs were claimed before their back-off", len(jobs))
	}
	b.clock.Advance(time.Minute)
	if jobs := b.MustClaim("c", 10); len(jobs) != 3 || jobs[0].Epoch != 2 {
		t.Errorf("%d jobs were taken over, want 3", len(jobs))
	}
}

func testNextChance(t *testing.T, b *bench) {
	wantNext := func(what string, want time.Time) {
		t.Helper()
		next, err := b.NextChance(t.Context(), b.clock.Now())
		b.must(err)
		if !next.Equal(want) {
			t.Errorf("%s: the next chance is %s, want %s", what, next, want)
		}
	}
	start := b.clock.Now()
	wantNext("an empty store", time.Time{})
	waiting := submission("waiting", 1)
	waiting.Matches = nil
	b.MustSubmit(waiting)
	wantNext("a job without a target", start.Add(b.life.Rematch))
	jobs := b.MustCreate("three", 3).Jobs
	set := func(job *jobmanager.Job, change func(*jobmanager.Job)) {
		t.Helper()
		b.MustUpdate(func(j *jobmanager.Job, _ time.Time) ([]jobmanager.Event, error) { change(j); return nil, nil }, job)
	}
	set(jobs[0], func(j *jobmanager.Job) {
		j.Reservation = jobmanager.Reservation{OwnerID: "r", Until: start.Add(8 * time.Second)}
	})
	wantNext("a reservation", start.Add(8*time.Second))
	set(jobs[0], func(j *jobmanager.Job) { j.Hold = jobmanager.HoldAmbiguousWorkload })
	wantNext("a reservation of a job that waits for an admin", start.Add(b.life.Rematch))
	set(jobs[0], func(j *jobmanager.Job) { j.Hold = "" })
	set(jobs[1], func(j *jobmanager.Job) { j.NotBefore = start.Add(6 * time.Second) })
	wantNext("a back-off", start.Add(6*time.Second))
	set(jobs[1], func(j *jobmanager.Job) { j.State = jobmanager.Finished })
	wantNext("what is finished does not count", start.Add(8*time.Second))
	set(jobs[2], func(j *jobmanager.Job) {
		j.State, j.Lease = jobmanager.Progressing, &jobmanager.Lease{Length: time.Second, ExpiresAt: start.Add(time.Second)}
	})
	wantNext("a lease", start.Add(time.Second))
	b.clock.Advance(5 * time.Second)
	wantNext("a lease that ran out and was not written", start.Add(time.Second))
	set(jobs[2], func(j *jobmanager.Job) { j.Lease = nil })
	wantNext("a written expiry", start.Add(8*time.Second))
	set(jobs[0], func(j *jobmanager.Job) {
		j.Turn = jobmanager.Turn{Of: jobmanager.TurnOfOthers, Until: start.Add(7 * time.Second)}
	})
	wantNext("a turn", start.Add(7*time.Second))
	set(jobs[1], func(j *jobmanager.Job) { j.Move = &jobmanager.Move{NotBefore: start.Add(6 * time.Second)} })
	wantNext("a move", start.Add(6*time.Second))
	set(jobs[1], func(j *jobmanager.Job) { j.Type = jobmanager.DeleteDeployment })
	wantNext("what goes does not move", start.Add(7*time.Second))
	b.clock.Advance(time.Hour)
	wantNext("all is past", time.Time{})
	taken, err := b.DueNotices(t.Context(), 1, 9*time.Second)
	b.must(err)
	if len(taken) != 1 {
		t.Fatalf("%d notices are due, want 1", len(taken))
	}
	wantNext("a notice", b.clock.Now().Add(9*time.Second))
	b.must(b.SettleNotice(t.Context(), taken[0], jobmanager.NoticeResult{GivenUp: true}))
	wantNext("a notice that was given up does not count", time.Time{})
}
